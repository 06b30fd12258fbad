package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"disburser/internal/trial"
)

// look is how often the world is looked at.
const look = 100 * time.Millisecond

// soon is how far ahead a payout may be scheduled that is still waited for.
const soon = 5 * time.Second

// show sends the commands, shows how they go, and tells whether all went well.
func show(ctx context.Context, o options, lines []string, numbers []int, s *screen) (good bool, err error) {
	logs, err := openLog(o.Log)
	if err != nil {
		return false, err
	}
	defer func() { logs.close(s, err == nil && good) }()
	w, err := newWorld(setup{seed: o.Seed, then: "resend", listen: anyPort})
	if err != nil {
		return false, err
	}
	defer w.close()
	expected := trial.Expect(lines)
	s.title(o, len(lines), expected)
	began := time.Now()
	if err := w.start(logs.file); err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	if err := trial.PublishNumbered(limited, w.kafka.ListenAddrs(), w.transport, trial.DefaultTopics.Commands, lines, numbers); err != nil && limited.Err() == nil {
		return false, err
	}
	end := w.wait(limited, expected, s, began)
	took := time.Since(began)
	s.note("stopping the instances …")
	if err := w.halt(); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		end = interrupted
	}
	return s.report(w, outcome{end: end, took: took, limit: o.Limit, expected: expected, own: o.File != ""}), w.trouble()
}

// ending is how the wait for the results ended.
type ending int

const (
	complete  ending = iota
	scheduled        // what is open must not be sent yet
	overtime
	interrupted
	crashed
)

// wait shows the progress until every result is there, or ctx ends.
func (w *world) wait(ctx context.Context, expected trial.Expected, s *screen, began time.Time) ending {
	tick := time.NewTicker(look)
	defer tick.Stop()
	defer s.settle()
	for {
		now := w.progress(expected, time.Since(began))
		s.draw(now)
		switch {
		case now.complete():
			return complete
		case now.scheduled():
			return scheduled
		case w.trouble() != nil:
			return crashed
		}
		select {
		case <-ctx.Done():
			return overtime
		case <-tick.C:
		}
	}
}

// count is how far a merchant's payouts are.
type count struct {
	merchant                     string
	ordered, sent, settled, held int
}

// progress is how far everything is.
type progress struct {
	counts       []count
	later        int // of the open ones, those that must not be sent soon
	letters, due int // dead letters
	elapsed      time.Duration
}

func (p progress) complete() bool {
	all := p.total()
	return all.settled >= all.ordered && p.letters >= p.due
}

// scheduled tells that nothing is left to wait for but payouts whose time hasn't come.
func (p progress) scheduled() bool {
	all := p.total()
	return p.later > 0 && all.settled+p.later >= all.ordered && p.letters >= p.due
}

func (p progress) total() count {
	all := count{merchant: "all"}
	for _, c := range p.counts {
		all.ordered, all.sent, all.settled, all.held = all.ordered+c.ordered, all.sent+c.sent, all.settled+c.settled, all.held+c.held
	}
	return all
}

// others stands for payouts of merchants that aren't configured.
const others = "(others)"

// row is the line of a merchant in every table.
func row(merchant string) int {
	switch merchant {
	case "eg-main":
		return 0
	case "br-main":
		return 1
	}
	return 2
}

// progress looks at the provider's books and at what was announced.
func (w *world) progress(expected trial.Expected, elapsed time.Duration) progress {
	p := progress{counts: []count{{merchant: "eg-main"}, {merchant: "br-main"}, {merchant: others}}, due: expected.Letters, elapsed: elapsed}
	standings := w.watcher.Standings()
	for tradeNo, merchant := range expected.TradeNos {
		c := &p.counts[row(merchant)]
		c.ordered++
		switch standings[tradeNo] {
		case trial.Settled:
			c.settled++
		case trial.Held:
			c.held++
		case trial.Open:
			if expected.Commands[tradeNo].NotBefore.After(time.Now().Add(soon)) {
				p.later++
			}
		}
	}
	for _, e := range w.sim.Ledger().Entries {
		p.counts[row(expected.TradeNos[e.TradeNo])].sent++
	}
	if p.counts[2].ordered == 0 {
		p.counts = p.counts[:2]
	}
	_, p.letters = w.watcher.Progress()
	return p
}

// logs is where the instances log to.
type logs struct {
	file *os.File
	keep bool // the user named it
}

func openLog(name string) (logs, error) {
	if name != "" {
		f, err := os.Create(name)
		if err != nil {
			return logs{}, fmt.Errorf("--log: %w", err)
		}
		return logs{f, true}, nil
	}
	f, err := os.CreateTemp("", "disburser-demo-*.log")
	if err != nil {
		return logs{}, fmt.Errorf("a temporary file for the instances' logs: %w", err)
	}
	return logs{f, false}, nil
}

// close keeps the logs if they were asked for, or if something went wrong.
func (l logs) close(s *screen, good bool) {
	_ = l.file.Close()
	if good && !l.keep {
		_ = os.Remove(l.file.Name())
		return
	}
	s.line("  logs        %s", l.file.Name())
}
