package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is measured and where things are.
type Options struct {
	Root         string        // of the repository
	Only         []string      // names of parts; none = all
	Rows         []string      // single rows of parts that have such; none = all. With some, nothing goes into the report
	Watch        time.Duration // how long each row of the parts limit and idle is measured; 0 = 30 s
	Quick        bool          // a tenth of everything: to try the harness, not to measure
	Payouts      int           // in the books (part books); 0 = 100,000
	Kafka, Redis string        // addresses of servers that may be emptied
	Postgres     string        // of a database in which schemas may be made; "" = none
	Profile      string        // where CPU profiles of the service go; "" = none
	Out          io.Writer
	Terminal     bool // Out is one: colours, and progress in one line
}

// part is one thing that is measured.
type part struct {
	name, about string
	run         func(context.Context, *stage) (result, error)
	rows        []string // those that can be measured alone
}

var parts = []part{
	{"throughput", "the whole service against a program without safety: payouts a second, CPU per payout", throughput, nil},
	{"intake", "commands into the journal: new ones, and known ones read again", intakeRows, nil},
	{"rate", "a limit shared by three instances: how much of it is used, and how far it is overshot", sharedRate, nil},
	{"limit", "merchants at their limits: what a payout costs, beside a floor at the same rate", limited, limitNames()},
	{"idle", "an instance that has nothing to do, and one with a large heap", idling, idleNames()},
	{"latency", "how late payouts and asks are that nothing holds back", latency, latencyNames()},
	{"backlog", "what a payout costs beside 10 k, 100 k and a million open ones", backlog, nil},
	{"memory", "bytes in Redis for an open payout and for a remembered one, memory of the process", memory, nil},
	{"polling", "asks per payout and how late outcomes are seen, in virtual time", pollingRows, nil},
	{"isolation", "a merchant whose provider is dead, or hangs, beside a healthy one", isolation, nil},
	{"paused", "what a paused merchant, and a large paused batch, cost the others", pausing, nil},
	{"books", "the back office: payouts a second from nothing, answers, how late its books are", booksOfAll, nil},
}

// List tells the parts, one a line.
func List() string {
	var s strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&s, "  %-11s %s\n", p.name, p.about)
		if len(p.rows) > 0 {
			fmt.Fprintf(&s, "  %-11s rows: %s\n", "", strings.Join(p.rows, ", "))
		}
	}
	return s.String()
}

// chosen are the parts that are wanted: those of the names, or those that have any of the rows.
func chosen(only, rows []string) ([]part, error) {
	for _, row := range rows {
		if !slices.ContainsFunc(parts, func(p part) bool { return slices.Contains(p.rows, row) }) {
			return nil, fmt.Errorf("there is no row %q; there are:\n%s", row, List())
		}
	}
	for _, name := range only {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return nil, fmt.Errorf("there is no part %q; there are:\n%s", name, List())
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !p.wanted(only, rows) }), nil
}

func (p part) wanted(only, rows []string) bool {
	if len(rows) > 0 {
		return slices.ContainsFunc(rows, func(row string) bool { return slices.Contains(p.rows, row) })
	}
	return len(only) == 0 || slices.Contains(only, p.name)
}

// wants tells whether a row is to be measured.
func (s *stage) wants(row string) bool { return len(s.Rows) == 0 || slices.Contains(s.Rows, row) }

// Run measures, prints and writes the report. It tells whether all goals were reached.
func Run(ctx context.Context, o Options) (reached bool, err error) {
	list, err := chosen(o.Only, o.Rows)
	if err != nil {
		return false, err
	}
	progress := newProgress(o.Out, o.Terminal)
	defer progress.clear()
	s, err := newStage(ctx, o, progress)
	if err != nil {
		return false, err
	}
	defer s.close()
	reached = true
	for i, p := range list {
		progress.begin(fmt.Sprintf("[%d/%d] %s", i+1, len(list), p.name))
		r, err := p.run(ctx, s)
		if ctx.Err() != nil {
			return false, fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.name, err)
		}
		progress.clear()
		r.print(o.Out, p.about, o.Terminal)
		reached = reached && r.reached()
		if !o.Quick && len(o.Rows) == 0 {
			if err := s.record(ctx, p.name, r); err != nil {
				return false, err
			}
		}
	}
	return reached, nil
}

// n is a number of things, or a tenth of it where the harness is only tried.
func (s *stage) n(full int) int {
	if s.Quick {
		return full / 10
	}
	return full
}
