package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"disburser/internal/cli"
)

// Ctrl-C ends a question, which a terminal alone would never do while its line is read.
func TestCtrlCEndsAQuestion(t *testing.T) {
	in, out := io.Pipe() // nobody ever types anything
	defer out.Close()
	stdin = in
	defer func() { stdin = os.Stdin }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	if yes, err := confirmed(ctx, cli.Streams{Err: &errs}, "Send 2 payouts?"); yes || !errors.Is(err, errStopped) || !strings.Contains(errs.String(), "Type yes: ") {
		t.Errorf("%v %v %q", yes, err, errs.String())
	}
}

// The back office says of a file that is no file of payouts what is said offline. The exit status is 2, and no file with errors
// is written.
func TestWhatIsNoFileOfPayouts(t *testing.T) {
	sender(t)
	for name, says := range map[string]string{"": "the file is empty", "tradeNo,merchant,amount\n": "a header and no payouts", "PK\x03\x04": "is a spreadsheet"} {
		config, file := site(t, name)
		for _, args := range [][]string{{"check", file}, {"check", file, "--config", config}, {"send", file, "--yes"}} {
			status, out := run(t, args...)
			if status != cli.Wrong || !strings.Contains(out, says) || !strings.Contains(out, "nothing was sent") {
				t.Errorf("%q, %v: status %d, %s", name, args, status, out)
			}
		}
	}
	_, file := site(t, strings.ReplaceAll(good, "200.00", "200"))
	if status, out := run(t, "check", file, "--json"); status != cli.Done || !strings.HasPrefix(out, `{"lines":2,"problems":[],"totals":[{`) {
		t.Errorf("%d %s", status, out)
	}
}

// A table fits a terminal. Columns without a value are left out, and the last one is broken between words. Where that isn't enough,
// each row is a block.
func TestTablesFitTheTerminal(t *testing.T) {
	for _, test := range []struct {
		width int
		want  string
	}{
		{0, "TRADENO  STATE  REASON\nT-1      held   it may have been sent, and nobody knows\nT-2      paid\n"},
		{40, "TRADENO  STATE  REASON\nT-1      held   it may have been sent,\n                and nobody knows\nT-2      paid\n"},
		{30, "tradeno  T-1\nstate    held\nreason   it may have been sent,\n         and nobody knows\n\ntradeno  T-2\nstate    paid\n"},
	} {
		var out strings.Builder
		table := &table{out: &out, people: true, width: test.width, header: []string{"TRADENO", "STATE", "BATCH", "REASON"}}
		table.row("T-1", "held", "", "it may have been sent, and nobody knows")
		table.row("T-2", "paid", "", "")
		if err := table.flush(); err != nil || out.String() != test.want {
			t.Errorf("%d: %v\n%s", test.width, err, out.String())
		}
	}
	var out strings.Builder
	table := &table{out: &out, people: true}
	table.say("payouts", "2 of 2")
	table.say("  paid", "2")
	if err := table.flush(); err != nil || out.String() != "payouts  2 of 2\n  paid   2\n" {
		t.Errorf("%q", out.String())
	}
}
