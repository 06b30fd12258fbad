// Package clitest promises to find what is wrong with a program's command line. It finds a help
// text without a flag or an example, and an example that doesn't work. It finds an error that
// doesn't help, and a line in the documents that the program doesn't take.
package clitest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"disburser/internal/cli"
)

// Check checks everything that holds for every program.
func Check(t *testing.T, p cli.Program) {
	t.Helper()
	k, err := kong.New(p.Grammar, kong.Name(p.Name), kong.Vars(p.Vars))
	if err != nil {
		t.Fatal(err)
	}
	nodes := append([]*kong.Node{k.Model.Node}, k.Model.Leaves(false)...)
	for _, node := range nodes {
		checkHelp(t, p, node)
		checkTypingErrors(t, p, node)
	}
	checkDocuments(t, p)
	if status, out, errs := Run(t, p, "--version"); status != cli.Done || out != cli.VersionLine(p.Name)+"\n" || errs != "" {
		t.Errorf("%s --version: status %d, %q %q", p.Name, status, out, errs)
	}
}

// Run runs a program and answers its exit status and what it printed.
func Run(t *testing.T, p cli.Program, args ...string) (status int, out, errs string) {
	t.Helper()
	t.Setenv("COLUMNS", "200") // a help text is as wide as the terminal: here no line is broken
	var stdout, stderr bytes.Buffer
	status = p.Run(context.Background(), args, cli.Streams{Out: &stdout, Err: &stderr})
	return status, stdout.String(), stderr.String()
}

// Table is command lines, and what must come of each. (The row has no name of its own, so
// that rows may be written without the names of their fields.)
type Table = []struct {
	Args   string // words with spaces between; quotes as a shell has them
	Status int
	Says   string // in the output of status 0, else on stderr
}

// Lines checks a table of command lines.
func Lines(t *testing.T, p cli.Program, table Table) {
	t.Helper()
	for _, l := range table {
		status, out, errs := Run(t, p, Words(l.Args)...)
		said, other := errs, out
		if l.Status == cli.Done {
			said, other = out, errs
		}
		if status != l.Status || !strings.Contains(said, l.Says) || other != "" {
			t.Errorf("%s %s: status %d, want %d and %q:\nstdout %s\nstderr %s", p.Name, l.Args, status, l.Status, l.Says, out, errs)
		}
	}
}

// words are those of a command that is no program's root.
func words(node *kong.Node) []string { return strings.Fields(node.Path()) }

// checkHelp looks for every flag, an explanation of it, and examples that work.
func checkHelp(t *testing.T, p cli.Program, node *kong.Node) {
	t.Helper()
	status, out, errs := Run(t, p, append(words(node), "--help")...)
	if status != cli.Done || errs != "" {
		t.Errorf("%s --help: status %d, %s", node.FullPath(), status, errs)
	}
	for _, want := range []string{"Usage: " + node.FullPath(), "\nExamples:\n", "\nExit status:\n", "--help", "--version"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s --help lacks %q:\n%s", node.FullPath(), want, out)
		}
	}
	for _, f := range node.Flags {
		if !strings.Contains(out, "--"+f.Name) || len(f.Help) < 10 {
			t.Errorf("%s --help doesn't explain --%s:\n%s", node.FullPath(), f.Name, out)
		}
		if f.Tag.Name == "" && f.Name != "help" {
			t.Errorf("%s: the flag --%s has no name in its tag: it would change with the field", node.FullPath(), f.Name)
		}
	}
	_, shown, _ := strings.Cut(out, "\nExamples:\n")
	shown, _, _ = strings.Cut(shown, "\nExit status:\n")
	count := 0
	for text := range strings.Lines(shown) {
		if strings.HasPrefix(text, "      ") {
			continue // what it does
		}
		count++
		checkLine(t, p, "an example of "+node.FullPath(), strings.TrimSpace(text))
	}
	if count == 0 {
		t.Errorf("%s --help has no examples", node.FullPath())
	}
}

// checkLine parses a line as somebody types it, if it calls the program.
func checkLine(t *testing.T, p cli.Program, where, text string) {
	t.Helper()
	typed := Words(text)
	for len(typed) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(typed[0]) {
		typed = typed[1:]
	}
	if len(typed) == 0 || strings.TrimPrefix(typed[0], "./bin/") != p.Name {
		t.Errorf("%s doesn't call %s: %s", where, p.Name, text)
		return
	}
	if err := p.Parse(typed[1:]); err != nil {
		t.Errorf("%s is wrong: %s: %v", where, text, err)
	}
}

// checkTypingErrors looks whether an error names what was meant and where to read on.
func checkTypingErrors(t *testing.T, p cli.Program, node *kong.Node) {
	t.Helper()
	status, out, errs := Run(t, p, append(words(node), "--there-is-no-such-flag")...)
	if status != cli.Wrong || out != "" || !strings.Contains(errs, "--there-is-no-such-flag") || !strings.Contains(errs, "Try "+node.FullPath()+" --help.") {
		t.Errorf("%s with an unknown flag: status %d\n%s%s", node.FullPath(), status, out, errs)
	}
	for _, f := range node.Flags {
		typed := "--" + f.Name[:1] + "-" + f.Name[1:] // a dash too many
		if status, _, errs := Run(t, p, append(words(node), typed)...); status != cli.Wrong || !strings.Contains(errs, `"--`+f.Name+`"`) {
			t.Errorf("%s %s: status %d, and not what was meant: %s", node.FullPath(), typed, status, errs)
		}
		if f.IsBool() {
			continue
		}
		if status, _, errs := Run(t, p, append(words(node), "--"+f.Name)...); status != cli.Wrong || !strings.Contains(errs, "--"+f.Name+" needs a value") {
			t.Errorf("%s --%s without a value: status %d, %s", node.FullPath(), f.Name, status, errs)
		}
	}
	for _, child := range node.Children {
		if status, _, errs := Run(t, p, child.Name+"x"); status != cli.Wrong || !strings.Contains(errs, `"`+child.Name+`"`) {
			t.Errorf("%s %sx: status %d, and not what was meant: %s", p.Name, child.Name, status, errs)
		}
	}
}

// checkDocuments parses the lines of shell that the documents have for the program.
func checkDocuments(t *testing.T, p cli.Program) {
	t.Helper()
	root := root(t)
	files, _ := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	more, _ := filepath.Glob(filepath.Join(root, "*.md"))
	call := regexp.MustCompile(`^\s*((?:[A-Z_]+=\S+ +)*\./bin/` + p.Name + `\b[^&|>#]*)`)
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if m := call.FindStringSubmatch(line); m != nil {
				checkLine(t, p, filepath.Base(file), strings.TrimSpace(m[1]))
			}
		}
	}
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no folder with go.mod above (%v)", err)
	return ""
}

// Words splits a line as a shell does: at spaces, but not inside quotes.
func Words(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`).FindAllString(text, -1) {
		all = append(all, regexp.MustCompile(`'([^']*)'|"([^"]*)"`).ReplaceAllString(m, "$1$2"))
	}
	return all
}
