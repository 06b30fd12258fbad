package main

import (
	"fmt"

	"disburser/internal/cli"
)

// version prints what the program was built from.
type version struct{}

func (*version) Examples() []cli.Example { return []cli.Example{{Line: "disburser version"}} }

func (*version) Run(s cli.Streams) error {
	_, err := fmt.Fprintln(s.Out, cli.VersionLine("disburser"))
	return err
}
