package cli

import (
	"fmt"
	"runtime"

	"github.com/alecthomas/kong"
)

// Version of this source, and the commit it was built from. The linker sets both where they
// are known (Makefile). The newest version of CHANGELOG.md is the same.
var Version, Commit = "0.1.0", "unknown"

// VersionLine is what a program says about its version.
func VersionLine(program string) string {
	return fmt.Sprintf("%s %s, commit %s, %s", program, Version, Commit, runtime.Version())
}

// versionFlag prints the version, whatever else the line says.
type versionFlag bool

// BeforeReset is called by kong once it has seen the flag.
func (versionFlag) BeforeReset(k *kong.Kong) error {
	fmt.Fprintln(k.Stdout, VersionLine(k.Model.Name))
	k.Exit(Done)
	return nil
}
