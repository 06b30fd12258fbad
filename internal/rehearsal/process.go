package rehearsal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"disburser/backoffice/files"
	"disburser/config"
	"disburser/internal/rules"
)

// Go has virtual time for tests only. So a rehearsal is a test, in a process of its own: the same program, started
// once more with the order in a variable.

// variable holds the order of a process that plays.
const variable = "PAYCTL_REHEARSAL"

// saysOn is the file number on which the playing process answers, line by line.
const saysOn = 3

// Order is a rehearsal that another process plays.
type Order struct {
	File      string        `json:"file"`   // of payouts
	Config    string        `json:"config"` // of the disburser
	Day       Day           `json:"day"`
	Instances int           `json:"instances"`
	Begins    time.Time     `json:"begins"`
	Limit     time.Duration `json:"limit"`
}

// said is a line of the playing process.
type said struct {
	Progress *Progress `json:"progress,omitempty"`
	Report   *Report   `json:"report,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Start has an order played, and tells how far it is. It ends with ctx.
func Start(ctx context.Context, o Order, told func(Progress)) (Report, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return Report{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return Report{}, err
	}
	answers, theirs, err := os.Pipe()
	if err != nil {
		return Report{}, err
	}
	defer answers.Close()
	var trouble bytes.Buffer
	player := exec.CommandContext(ctx, program)
	player.Env = append(os.Environ(), variable+"="+string(text))
	player.ExtraFiles, player.Stderr = []*os.File{theirs}, &limited{&trouble}
	if err := player.Start(); err != nil {
		return Report{}, errors.Join(fmt.Errorf("start %s once more, to play the rehearsal: %w", program, err), theirs.Close())
	}
	_ = theirs.Close() // the player has it
	report, err := listen(answers, told)
	ended := player.Wait()
	switch {
	case ctx.Err() != nil:
		return Report{}, ctx.Err()
	case err != nil:
		return Report{}, err
	case report == nil:
		first, _, _ := strings.Cut(trouble.String(), "\n")
		return Report{}, fmt.Errorf("the process that played the rehearsal ended without an answer (%w) %s", errors.Join(ended, errors.New("a defect of payctl")), first)
	}
	return *report, nil
}

// limited keeps the beginning of what is written.
type limited struct{ *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 4096 - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// listen reads what the player says, to its end.
func listen(in io.Reader, told func(Progress)) (*Report, error) {
	lines := json.NewDecoder(bufio.NewReader(in))
	for {
		var s said
		err := lines.Decode(&s)
		switch {
		case err != nil:
			return nil, nil //nolint:nilerr // the player's end tells more than that its words ended
		case s.Error != "":
			return nil, errors.New(s.Error)
		case s.Report != nil:
			return s.Report, nil
		case s.Progress != nil:
			told(*s.Progress)
		}
	}
}

// PlayIfAsked plays the order that this process was started for, and ends the process. It answers false in any other
// process. A program that calls Start calls it first of all, and ends where it answers true: the order can't be played.
func PlayIfAsked() bool {
	text, asked := os.LookupEnv(variable)
	if !asked {
		return false
	}
	out := json.NewEncoder(os.NewFile(saysOn, "answers"))
	say := func(s said) { _ = out.Encode(s) } // nobody listens any more: the process is about to be ended
	plan, err := read(text)
	if err != nil {
		say(said{Error: err.Error()})
		return true
	}
	os.Args = os.Args[:1]
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "rehearsal", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			report, err := Run(t.Context(), plan, func(p Progress) { say(said{Progress: &p}) })
			if err != nil {
				say(said{Error: err.Error()})
				return
			}
			say(said{Report: &report})
		})
	}}}, nil, nil)
	return true
}

// read reads an order and its files.
func read(text string) (p Plan, err error) {
	var o Order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return p, fmt.Errorf("%s: %w", variable, err)
	}
	merchants, err := rules.Load(o.Config)
	if err != nil {
		return p, err
	}
	p = Plan{Day: o.Day, Instances: o.Instances, Begins: o.Begins, Limit: o.Limit}
	if p.Config, err = config.LoadForRehearsal(o.Config, config.Rules{}); err != nil {
		return p, err
	}
	in, err := os.Open(o.File)
	if err != nil {
		return p, err
	}
	defer in.Close()
	report, err := files.Read(in, merchants, o.Begins, func(command []byte) { p.Commands = append(p.Commands, slices.Clone(command)) })
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("%s has changed meanwhile, and has problems now: check it again", o.File)
	}
	return p, err
}
