package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// watch follows a batch until it is closed, or everything.
type watch struct {
	office
	Batch string `arg:"" optional:"" name:"batch" help:"The batchId. Without it the whole is watched, until Ctrl-C."`
}

// Help says when it ends.
func (*watch) Help() string {
	return "It ends when the batch is closed: with exit status 0 if everything of it is paid, 1 if something is failed, rejected, partial or held, " +
		"or the books know no such batch. Held payouts of the batch and what people say about it, its merchant or the fleet are told as they come. " +
		"While the back office is away it says so, and tries again. With --json each line is an event: batch, overview, held, action, lost, back or missed."
}

func (*watch) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl watch 2026-11-payroll", Does: "a bar, counts and amounts, until the batch is closed"},
		{Line: "payctl watch 2026-11-payroll --json", Does: "one JSON value for each change"},
		{Line: "payctl watch", Does: "all payouts at a glance, each second, until Ctrl-C"},
	}
}

// The first pause after an outage has begun, and the longest one.
const (
	againFirst = 500 * time.Millisecond
	againMost  = 30 * time.Second
)

// errClosed ends the watch of a batch.
var errClosed = errors.New("the batch is closed")

// Run watches.
func (w *watch) Run(ctx context.Context, s cli.Streams) error {
	c, err := w.client()
	if err != nil {
		return err
	}
	v := newWatchView(s, w.JSON)
	f := &follower{client: c, batch: w.Batch, view: v, ours: map[string]bool{}, told: map[string]string{}}
	if w.Batch != "" {
		err = f.look(ctx)
	} else {
		_, err = api.Get[api.Overview](ctx, c, "/overview", nil)
	}
	if err != nil { // who has never answered is probably not there
		return marked(err)
	}
	if f.last.Closed {
		return w.end(ctx, v, f, errClosed)
	}
	return w.end(ctx, v, f, f.run(ctx))
}

// end says how it ended.
func (w *watch) end(ctx context.Context, v *watchView, f *follower, err error) error {
	v.close()
	switch {
	case errors.Is(err, errClosed):
		if b := f.last; b.States["paid"] < b.Seen {
			return cli.Told(cli.Failed)
		}
		return nil
	case ctx.Err() != nil && w.Batch == "":
		return nil
	case ctx.Err() != nil:
		return errors.New("stopped before the batch is closed")
	}
	return marked(err)
}

// away tells of an error that it may be over soon.
func away(err error) bool {
	var problem *api.Problem
	if errors.As(err, &problem) {
		return problem.Status >= 500 || problem.Status == http.StatusTooManyRequests
	}
	return errors.Is(err, api.ErrNoAnswer)
}

// follower follows the events. One goroutine uses it.
type follower struct {
	client api.Client
	batch  string // "" for everything
	view   *watchView
	lastID string
	last   api.Batch
	ours   map[string]bool   // by tradeNo: whether it is of the batch
	told   map[string]string // by the action's id: its last line, for events that come twice
}

// run follows one stream after the other, until the batch is closed, or an error that waiting doesn't mend.
func (f *follower) run(ctx context.Context) error {
	lost, wait := time.Time{}, againFirst
	for {
		err := f.follow(ctx, func() {
			if !lost.IsZero() {
				f.view.outage("back", "the back office answers again, after "+time.Since(lost).Round(time.Second).String())
			}
			lost, wait = time.Time{}, againFirst
		})
		if ctx.Err() != nil || !away(err) {
			return err
		}
		if lost.IsZero() {
			lost = time.Now()
			f.view.outage("lost", err.Error()+"; trying again until it answers")
		}
		pause(ctx, wait)
		wait = min(2*wait, againMost)
	}
}

// follow listens to one stream until it ends. It is errClosed when the batch is closed.
func (f *follower) follow(ctx context.Context, answers func()) error {
	for e, err := range f.client.Events(ctx, f.lastID) {
		if err != nil {
			return err
		}
		if err := f.take(ctx, e); err != nil {
			return err
		}
		answers()
		if e.ID != "" {
			f.lastID = e.ID
		}
		if f.batch != "" && f.last.Closed {
			return errClosed
		}
	}
	return nil
}

// look asks how the batch is.
func (f *follower) look(ctx context.Context) (err error) {
	if f.last, err = api.Get[api.Batch](ctx, f.client, "/batches/"+url.PathEscape(f.batch), nil); err == nil {
		f.view.batch(f.last)
	}
	return err
}

func (f *follower) take(ctx context.Context, e api.Event) error {
	switch e.Name {
	case api.EventOverview:
		if f.batch != "" {
			err := f.look(ctx)
			var problem *api.Problem
			if errors.As(err, &problem) && problem.Status == http.StatusNotFound { // while the books are rebuilt
				return fmt.Errorf("%w as one does: %s", api.ErrNoAnswer, problem.Detail)
			}
			return err
		}
		return read(e, f.view.overview)
	case api.EventHeld:
		return read(e, func(p api.Payout) {
			if f.batch == "" || p.BatchID == f.batch {
				f.view.held(p)
			}
		})
	case api.EventAction:
		var a api.Action
		if err := read(e, func(read api.Action) { a = read }); err != nil {
			return err
		}
		concerns, err := f.concerns(ctx, a)
		if text := actionLine(a); err == nil && concerns && f.told[a.ID] != text {
			f.told[a.ID] = text
			f.view.action(a, text)
		}
		return err
	case api.EventMissed:
		return read(e, func(m api.Missed) { f.view.outage("missed", m.Detail) })
	}
	return nil
}

// read reads the value of an event.
func read[T any](e api.Event, take func(T)) error {
	var value T
	if err := json.Unmarshal(e.Data, &value); err != nil {
		return fmt.Errorf("%w at %s that can be read: %w", api.ErrNoAnswer, e.Name, err)
	}
	take(value)
	return nil
}

// concerns tells whether an action may be about the batch. One about a payout is looked up once.
func (f *follower) concerns(ctx context.Context, a api.Action) (bool, error) {
	scope, err := acts.ParseScope(a.Scope)
	switch {
	case f.batch == "":
		return true, nil
	case a.Kind == acts.Confirm:
		_, told := f.told[a.Of]
		return told, nil
	case err != nil:
		return false, nil
	case scope.Kind == acts.Batch:
		return scope.Name == f.batch, nil
	case scope.Kind != acts.Payout:
		return true, nil
	}
	ours, known := f.ours[scope.Name]
	if !known {
		d, err := api.Get[api.PayoutDetail](ctx, f.client, "/payouts/"+url.PathEscape(scope.Name), nil)
		var problem *api.Problem
		if errors.As(err, &problem) && problem.Status < 500 { // nobody has ordered it
			return false, nil
		}
		if err != nil {
			return false, err
		}
		ours = d.BatchID == f.batch
		f.ours[scope.Name] = ours
	}
	return ours, nil
}

// actionLine is an action, and what came of it, in a line.
func actionLine(a api.Action) string {
	text := fmt.Sprintf("%s by %s: %s (%s)", saysOf(a), a.By, a.Reason, a.Status)
	if came := outcome(a); came != "" && over(a) {
		text += " " + came
	}
	return cli.OneLine(text)
}
