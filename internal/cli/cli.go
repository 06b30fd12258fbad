// Package cli promises that every program of this repository behaves alike on a command line.
// That covers its flags, its help with examples, its exit statuses and its version. Errors say
// what to type instead. The library kong does the parsing.
//
// A program is a struct. Its fields are flags and commands; a command is a struct again, with
// a Run method and a file of its own:
//
//	type greet struct {
//		Name string `name:"name" placeholder:"NAME" default:"world" help:"Whom to greet."`
//	}
//
//	func (*greet) Examples() []cli.Example { return []cli.Example{{Line: "hello greet --name kevin", Does: "greets Kevin"}} }
//
//	func (g *greet) Run(ctx context.Context, s cli.Streams) error { … }
//
// To add a command, write such a file and add one field with the tag cmd to the program's
// struct. Flags and commands carry their names in tags: a name is a promise to users, and
// must not change when a field is renamed. The test of each program calls clitest.Check.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses of every program (README, Commands).
const (
	Done   = 0
	Failed = 1
	Wrong  = 2 // usage or configuration
)

// statuses is what a help text says about them, where a program says nothing itself.
var statuses = [...]string{Done: "done", Failed: "failed while running", Wrong: "wrong usage or configuration"}

// Program is one program.
type Program struct {
	Name  string
	About string // one sentence: what it does

	// Grammar points to the struct of flags and commands. Without commands it has a Run
	// method itself. A method Help adds paragraphs to its help text, a method Examples adds
	// examples.
	Grammar any

	Groups   map[string]string // the title of each group of flags in a help text, by their tag group
	Vars     map[string]string // what ${NAME} in the tags stands for
	Statuses [3]string         // what an exit status means, if more than for every program
}

// Streams are where a command writes to. Run methods get them, and the context.
type Streams struct {
	Out, Err io.Writer
}

// Main runs a program as the shell has called it, and answers its exit status. SIGTERM and
// Ctrl-C end the context of its command.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return p.Run(ctx, os.Args[1:], Streams{Out: os.Stdout, Err: os.Stderr})
}

// Run does what the arguments ask for and answers the exit status. Errors go to s.Err.
func (p Program) Run(ctx context.Context, args []string, s Streams) int {
	l, err := p.parse(args, s)
	if err == nil && !l.told {
		l.context.BindTo(ctx, (*context.Context)(nil))
		err = l.context.Run(s)
	}
	return report(err, l, p.Name, s.Err)
}

// Parse tells what is wrong with arguments, and runs nothing.
func (p Program) Parse(args []string) error {
	_, err := p.parse(args, Streams{Out: io.Discard, Err: io.Discard})
	return err
}

// line is a command line that was read.
type line struct {
	context *kong.Context // nil if it couldn't be read at all
	told    bool          // help or version was asked for, and printed
}

// parse reads arguments. A program of several commands that gets none prints its help to
// s.Err, for that is wrong usage.
func (p Program) parse(args []string, s Streams) (l line, err error) {
	k, err := p.parser(s, func(int) { l.told = true })
	if err != nil {
		return l, err
	}
	commands := len(k.Model.Children) > 0
	switch {
	case commands && len(args) == 0:
		k.Stdout = s.Err
		_, _ = k.Parse([]string{"--help"})
		return l, Told(Wrong)
	case commands && args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	args = doubleDashed(args)
	if commands {
		args = behindCommand(k, args)
	}
	if err := missingValue(k, args); err != nil {
		return l, Usage(err)
	}
	l.context, err = k.Parse(args)
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		l.context = wrong.Context
	}
	if err != nil && !l.told {
		return l, Usage(err)
	}
	return l, nil
}

// parser is kong with what all programs share. Of the exits that kong wants to make only
// help and version are left: they call told.
func (p Program) parser(s Streams, told func(int)) (*kong.Kong, error) {
	return kong.New(p.Grammar,
		kong.Name(p.Name),
		kong.Description(p.About),
		kong.Vars(p.Vars),
		kong.ExplicitGroups(p.groups()),
		kong.Embed(&common{}),
		kong.Writers(s.Out, s.Err),
		kong.Exit(told),
		kong.Help(p.help),
		kong.ValueFormatter(formatValue),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.PostBuild(func(k *kong.Kong) error { k.Model.HelpFlag.Help = "Print this text."; return nil }),
		stringsAsTheyAre,
	)
}

func (p Program) groups() (all []kong.Group) {
	for key, title := range p.Groups {
		all = append(all, kong.Group{Key: key, Title: title})
	}
	return all
}

// common are the flags that every program has.
type common struct {
	Version versionFlag `name:"version" help:"Print version, commit and Go version."`
}

// doubleDashed writes -flag as --flag: both have always been the same. No program has flags
// of one letter but -h.
func doubleDashed(args []string) []string {
	doubled := make([]string, len(args))
	for i, arg := range args {
		if arg == "--" {
			copy(doubled[i:], args[i:])
			break
		}
		doubled[i] = arg
		if name, _, _ := strings.Cut(arg, "="); len(name) > 2 && name[0] == '-' && letter(name[1]) {
			doubled[i] = "-" + arg
		}
	}
	return doubled
}

// behindCommand moves flags that stand before the command behind it: "payctl --json batches" means what one expects. A flag that
// no command has stays where it is, and is told.
func behindCommand(k *kong.Kong, args []string) []string {
	n := 0
	for n < len(args) && strings.HasPrefix(args[n], "--") && len(args[n]) > 2 {
		name, _, hasValue := strings.Cut(args[n][2:], "=")
		known, isBool := flagNamed(k, name)
		if !known {
			return args
		}
		if n++; !hasValue && !isBool {
			n++
		}
	}
	if n == 0 || n >= len(args) || strings.HasPrefix(args[n], "-") {
		return args
	}
	rest := args[n:]
	end := slices.Index(rest, "--")
	if end < 0 {
		end = len(rest)
	}
	return slices.Concat(rest[:end], args[:n], rest[end:])
}

// flagNamed tells whether some command has a flag, and whether it takes no value.
func flagNamed(k *kong.Kong, name string) (known, isBool bool) {
	_ = kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error { // it fails where its function does
		if f, is := node.(*kong.Flag); is && f.Name == name && name != "help" && name != "version" {
			known, isBool = true, f.IsBool()
		}
		return next(nil)
	})
	return known, isBool
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// missingValue finds a flag that ends the line although it needs a value. (Kong would say
// that it got the value EOL.)
func missingValue(k *kong.Kong, args []string) error {
	if len(args) == 0 || slices.Contains(args, "--") {
		return nil
	}
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if f, is := node.(*kong.Flag); is && "--"+f.Name == args[len(args)-1] && !f.IsBool() {
			return fmt.Errorf("--%s needs a value: --%s=%s", f.Name, f.Name, f.FormatPlaceHolder())
		}
		return next(nil)
	})
}
