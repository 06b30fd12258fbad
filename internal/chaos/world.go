package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"disburser/internal/harness"
)

// slots is how many instances there may be at a time.
const slots = 5

// Options say what is played.
type Options struct {
	Root     string        // of the repository
	Only     []string      // names of scenarios; none = all
	Duration time.Duration // of the faults of each scenario
	Seed     uint64
	Rate     float64 // payouts a second
	Evidence string  // where logs go after a violation
	Keep     bool    // them also without one
	Out      io.Writer
}

// world is what all scenarios share.
type world struct {
	Options
	dir               string
	disburser, paysim string // the built programs
	postgres          string // the address, once it runs
	broker            *broker
	slots             []*slot
	way               *link // to the provider, for all slots
	began             time.Time
}

// Run plays scenarios and tells whether all promises held. An error says that something
// of the stage itself broke.
func Run(ctx context.Context, o Options) (held bool, err error) {
	chosen, err := choose(o.Only)
	if err != nil {
		return false, err
	}
	w := &world{Options: o, began: time.Now()}
	defer w.close()
	if err := w.build(ctx, slices.ContainsFunc(chosen, func(s scenario) bool { return s.books != "" })); err != nil {
		return false, err
	}
	var rows []row
	for _, s := range chosen {
		row, err := w.play(ctx, s)
		if ctx.Err() != nil {
			return false, errors.New("interrupted; everything is stopped and deleted")
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, row)
	}
	return w.summarize(rows), nil
}

// build makes the programs, the links and the broker.
func (w *world) build(ctx context.Context, books bool) (err error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return fmt.Errorf("redis-server is missing; install it (make redis-up does so on Debian and Ubuntu): %w", err)
	}
	if w.dir, err = os.MkdirTemp("", "disburser-chaos-*"); err != nil {
		return err
	}
	w.say("building the programs")
	programs := []string{"cmd/disburser", "cmd/paysim"}
	if books {
		programs = append(programs, "cmd/backoffice", "cmd/payctl")
	}
	if err := harness.Build(ctx, w.Root, w.dir, programs...); err != nil {
		return err
	}
	w.disburser, w.paysim = w.programs("disburser"), w.programs("paysim")
	if w.way, err = newLink("provider"); err != nil {
		return err
	}
	w.way.repliesOnly = true
	var ways []*link
	for i := range slots {
		s, err := newSlot(i, w.way)
		if err != nil {
			return err
		}
		w.slots, ways = append(w.slots, s), append(ways, s.kafka)
	}
	w.say("starting Kafka")
	w.broker, err = newBroker(ctx, w.Root, filepath.Join(w.dir, "servers"), ways)
	return err
}

// programs is where a built program is.
func (w *world) programs(name string) string { return filepath.Join(w.dir, name) }

// close stops everything and deletes it.
func (w *world) close() {
	for _, s := range w.slots {
		s.close()
	}
	if w.way != nil {
		w.way.close()
	}
	if w.broker != nil {
		w.broker.close()
	}
	_ = os.RemoveAll(w.dir)
}

// say prints a line of progress.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(w.Out, "%7.1fs  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}
