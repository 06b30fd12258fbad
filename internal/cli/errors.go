package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// problem is an error that means the exit status Wrong.
type problem struct {
	error
	usage bool // of the command line: where to read about it is said too
}

func (p problem) Unwrap() error { return p.error }

// Usage marks an error of the command line: exit status Wrong, and the way to the help text.
func Usage(err error) error { return problem{err, true} }

// Setup marks an error of what the command line names, such as the configuration: exit
// status Wrong.
func Setup(err error) error { return problem{err, false} }

// Told is the error of a command that has said everything itself. It is the exit status.
type Told int

func (t Told) Error() string { return fmt.Sprintf("exit status %d", int(t)) }

// report prints an error and answers the exit status. An error without a mark is Failed.
func report(err error, l line, program string, w io.Writer) int {
	var told Told
	var known problem
	switch {
	case err == nil:
		return Done
	case errors.As(err, &told):
		return int(told)
	case !errors.As(err, &known):
		fmt.Fprintf(w, "%s: %s\n", program, text(err, program))
		return Failed
	case known.usage:
		at, commands := place(l, program)
		fmt.Fprintf(w, "%s: %s\n%sTry %s --help.\n", at, text(err, program, at[strings.LastIndex(at, " ")+1:]), commands, at)
	default:
		fmt.Fprintf(w, "%s: %s\n", program, text(err, program))
	}
	return Wrong
}

// text is an error without the names of the program and its command before each line. A package of that name, or the parser,
// has put them there. Nothing in it moves a terminal's cursor.
func text(err error, names ...string) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		for _, name := range names {
			line = strings.TrimPrefix(line, name+": ")
		}
		lines = append(lines, strings.Map(printable, line))
	}
	return strings.Join(lines, "\n")
}

// place answers at, the full name of the command that a line has come to. If a command was
// expected there, it also answers which ones there are.
func place(l line, program string) (at, commands string) {
	if l.context == nil {
		return program, ""
	}
	node := l.context.Selected()
	if node == nil {
		node = l.context.Model.Node
	}
	var names []string
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			names = append(names, child.Name)
		}
	}
	if len(names) > 0 {
		commands = "Commands: " + strings.Join(names, ", ") + ".\n"
	}
	return node.FullPath(), commands
}
