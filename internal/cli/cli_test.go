package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

// greeter is a program with commands.
type greeter struct {
	Greet greet `cmd:"" name:"greet" help:"Greets somebody."`
	Fail  fail  `cmd:"" name:"fail" help:"Fails in a way of your choice."`
}

type greet struct {
	Name  string        `name:"name" placeholder:"NAME" default:"world" help:"Whom to greet."`
	Pause time.Duration `name:"pause" placeholder:"TIME" help:"How long to wait before, such as 2s."`
	Loud  bool          `name:"loud" help:"Greets in capitals."`
}

func (*greet) Examples() []cli.Example {
	return []cli.Example{{Line: "hello greet --name kevin --loud", Does: "greets Kevin loudly"}, {Line: `hello greet --name 'two words' -pause=2s`}}
}

func (g *greet) Run(ctx context.Context, s cli.Streams) error {
	text := fmt.Sprintf("hello %s %s %v\n", g.Name, g.Pause, ctx.Err())
	if g.Loud {
		text = strings.ToUpper(text)
	}
	_, err := fmt.Fprint(s.Out, text)
	return err
}

type fail struct {
	How string `arg:"" help:"One of run, setup, usage, evil, told."`
}

func (*fail) Examples() []cli.Example { return []cli.Example{{Line: "hello fail run"}} }

func (f *fail) Run(s cli.Streams) error {
	err := errors.New("it broke")
	switch f.How {
	case "setup":
		return fmt.Errorf("greet: %w", cli.Setup(err))
	case "usage":
		return cli.Usage(err)
	case "evil":
		return errors.New("two\x1b[2J\r\nlines\u202e")
	case "told":
		fmt.Fprintln(s.Err, "all is said")
		return cli.Told(cli.Failed)
	}
	return err
}

// single is a program without commands.
type single struct {
	Count int `name:"count" placeholder:"N" default:"3" help:"How many there are."`
}

func (*single) Help() string            { return "More about it." }
func (*single) Examples() []cli.Example { return []cli.Example{{Line: "single --count 4"}} }

func (c *single) Run(s cli.Streams) error {
	_, err := fmt.Fprintln(s.Out, c.Count)
	return err
}

func (c *single) Validate() error {
	if c.Count < 1 {
		return errors.New("--count must be at least 1")
	}
	return nil
}

func hello() cli.Program { return cli.Program{Name: "hello", About: "Greets.", Grammar: &greeter{}} }
func one() cli.Program {
	return cli.Program{Name: "single", About: "Counts.", Grammar: &single{}, Statuses: [3]string{cli.Done: "it counted"}}
}

func TestPrograms(t *testing.T) {
	clitest.Check(t, hello())
	clitest.Check(t, one())
}

func TestCommandLines(t *testing.T) {
	clitest.Lines(t, hello(), clitest.Table{
		{"", cli.Wrong, "Usage: hello <command>"},
		{"help", cli.Done, "Greets somebody."},
		{"help greet", cli.Done, "(default: world)."},
		{"help nobody", cli.Wrong, "unexpected argument nobody"},
		{"-h", cli.Done, "Usage: hello <command>"},
		{"-help", cli.Done, "Usage: hello <command>"},
		{"greet -h", cli.Done, "Usage: hello greet"},
		{"greet --name=kevin", cli.Done, "hello kevin 0s <nil>"},
		{"greet -name kevin -loud", cli.Done, "HELLO KEVIN"},
		{"greet -loud=false", cli.Done, "hello world"},
		{"greet --name a --name b", cli.Done, "hello b"},
		{"greet --name=-b", cli.Done, "hello -b"},
		{"greet --name ''", cli.Done, "hello  "},
		{"--name kevin --loud greet", cli.Done, "HELLO KEVIN"},
		{"-name=kevin greet --loud", cli.Done, "HELLO KEVIN"},
		{"--nobody greet", cli.Wrong, "unknown flag --nobody"},
		{"--name greet", cli.Wrong, "Commands: greet, fail."},
		{"--help greet", cli.Done, "Usage: hello greet"},
		{"greet --name -b", cli.Wrong, "perhaps try --name="},
		{"greet --pause 5", cli.Wrong, "missing unit"},
		{"greet -- --name", cli.Wrong, "unexpected argument --name"},
		{"gret", cli.Wrong, `did you mean "greet"?` + "\nCommands: greet, fail.\nTry hello --help."},
		{"start", cli.Wrong, "unexpected argument start\nCommands: greet, fail."},
		{"greet kevin", cli.Wrong, "hello greet: unexpected argument kevin\nTry hello greet --help."},
		{"greet --nam kevin", cli.Wrong, `unknown flag --nam, did you mean "--name"?`},
		{"greet -lod", cli.Wrong, `unknown flag --lod, did you mean "--loud"?`},
		{"fail", cli.Wrong, `hello fail: expected "<how>"`},
		{"fail run", cli.Failed, "hello: it broke\n"},
		{"fail setup", cli.Wrong, "hello: greet: it broke\n"},
		{"fail usage", cli.Wrong, "hello fail: it broke\nTry hello fail --help.\n"},
		{"fail told", cli.Failed, "all is said"},
	})
	clitest.Lines(t, one(), clitest.Table{
		{"", cli.Done, "3\n"},
		{"--help", cli.Done, "Exit status:\n  0  it counted\n  1  failed while running\n"},
		{"--help", cli.Done, "More about it."},
		{"--count 0 --help", cli.Done, "(default: 3)."},
		{"--count 0", cli.Wrong, "single: --count must be at least 1\nTry single --help."},
		{"--count many", cli.Wrong, `--count: expected a valid 64 bit int but got "many"`},
		{"help", cli.Wrong, "unexpected argument help"},
	})
}

// A command tells what it has to tell once: help and version run nothing.
func TestHelpRunsNothing(t *testing.T) {
	for _, args := range []string{"--count 4 --help", "--help --count 4", "--version"} {
		if _, out, _ := clitest.Run(t, one(), clitest.Words(args)...); strings.HasSuffix(out, "\n4\n") || out == "3\n" {
			t.Errorf("%s ran: %s", args, out)
		}
	}
}

// The name of a file need not be UTF-8.
func TestTextsKeepTheirBytes(t *testing.T) {
	if _, out, _ := clitest.Run(t, hello(), "greet", "--name", "\xff\xfe"); !strings.HasPrefix(out, "hello \xff\xfe ") {
		t.Errorf("%q", out)
	}
}

func TestOnlyATerminalIsATerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if cli.Terminal(file) || cli.Colour(file) || cli.Terminal(&bytes.Buffer{}) {
		t.Error("a file or a buffer is taken for a terminal")
	}
	device, err := os.Open("/dev/null") // a device with characters, as terminals are
	if err != nil {
		t.Skip(err)
	}
	defer device.Close()
	for _, c := range []struct {
		term, noColour   string
		terminal, colour bool
	}{{"xterm", "", true, true}, {"xterm", "1", true, false}, {"dumb", "", false, false}} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColour)
		if cli.Terminal(device) != c.terminal || cli.Colour(device) != c.colour {
			t.Errorf("%+v: %v %v", c, cli.Terminal(device), cli.Colour(device))
		}
	}
}

// The version of a build without a tag is the changelog's newest.
func TestTheVersionIsTheChangelogsNewest(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := regexp.MustCompile(`(?m)^## \[([0-9]+\.[0-9]+\.[0-9]+)\]`).FindSubmatch(text)
	if newest == nil || string(newest[1]) != cli.Version {
		t.Errorf("the programs say %s, CHANGELOG.md %s", cli.Version, newest)
	}
}

// An error may name what came from outside. It is text, whatever that is.
func TestAnErrorMovesNoCursor(t *testing.T) {
	var out strings.Builder
	if status := hello().Run(t.Context(), []string{"fail", "evil"}, cli.Streams{Out: &out, Err: &out}); status != cli.Failed || out.String() != "hello: two [2J \nlines \n" {
		t.Errorf("%d %q", status, out.String())
	}
}
