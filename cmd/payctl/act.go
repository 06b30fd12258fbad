package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// speaker is what every action needs of the person who says it. Who that is the back office knows by the token.
type speaker struct {
	office
	Wait *time.Duration `name:"wait" placeholder:"90s" help:"How long to wait for what becomes of it; 0s doesn't wait. Without it until its deadline plus disburse.lease."`
}

// because is the flag of a word that needs a reason.
type because struct {
	Reason string `name:"reason" required:"" placeholder:"TEXT" help:"Why, in 500 characters at most. It is shown as it is and kept for ever: never name a payee in it."`
}

type resume struct {
	speaker
	because
	Scope string   `arg:"" name:"scope" help:"fleet, merchant:NAME, batch:ID or payout:TRADENO."`
	Lifts []string `name:"lifts" placeholder:"ID,ID" help:"Ids of the pauses to lift; without it all that stand. payctl actions lists them."`
}

func (*resume) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl resume fleet --reason "the right file is there"`, Does: "lifts all pauses of the fleet, but none of a merchant or a batch"},
		{Line: `payctl resume batch:2026-11-payroll --lifts 01KAX3V0G5T2M4R8W6Y7ZPQNCE --reason "checked"`, Does: "lifts one pause, and no other"},
	}
}

// Run says it.
func (r *resume) Run(ctx context.Context, s cli.Streams) error {
	return r.say(ctx, s, api.Word{Kind: string(acts.Resume), Scope: r.Scope, Lifts: r.Lifts, Reason: r.Reason})
}

// say says one action, waits for what becomes of it and tells it.
func (p *speaker) say(ctx context.Context, s cli.Streams, w api.Word) error {
	if err := readable(w); err != nil {
		return err
	}
	c, err := p.client()
	if err != nil {
		return err
	}
	a, err := post(ctx, c, w)
	if err != nil {
		return err
	}
	warned := a.Warnings
	sayWarnings(s, warned)
	if a, err = p.await(ctx, s, c, a); err != nil {
		return err
	}
	a.Warnings = warned
	states := statesNow(ctx, c, a)
	if p.JSON {
		err = printed(s.Out, a)
	} else {
		err = tellAction(s, a, states)
	}
	if err == nil && !well(a) && (p.Wait == nil || *p.Wait > 0) {
		return cli.Told(cli.Failed)
	}
	return err
}

// readable says what is wrong with a person's word before it is said.
func readable(w api.Word) error {
	_, faults := w.Read(time.Now())
	if len(faults) == 0 {
		return nil
	}
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.String()
	}
	return cli.Usage(errors.New(cli.OneLine(strings.Join(texts, "; "))))
}

// sayWarnings tells a person at once that a word is probably mistyped. It is said all the same.
func sayWarnings(s cli.Streams, warnings []string) {
	for _, text := range warnings {
		sayLine(s.Err, "warning: %s", text)
	}
}

// listOf is a list of a text, and no list of none.
func listOf(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// post says it, and doesn't wait.
func post(ctx context.Context, c api.Client, w api.Word) (api.Action, error) {
	a, err := api.Post[api.Action](ctx, c, "/actions", nil, w)
	if errors.Is(err, api.ErrNoAnswer) {
		return a, fmt.Errorf("%w; nobody knows whether it is said: payctl actions tells, and to say it again does no harm", err)
	}
	return a, marked(err)
}

// waitAtOnce is how long one question waits for an outcome.
const waitAtOnce = 10 * time.Second

// await waits until nothing more comes of an action, or until the time is over. Of a confirm that is what becomes of the
// action it is about.
func (p *speaker) await(ctx context.Context, s cli.Streams, c api.Client, a api.Action) (api.Action, error) {
	if p.Wait != nil && *p.Wait <= 0 {
		return a, nil
	}
	id, began, told, lost := a.ID, time.Now(), false, 0
	for {
		wait := waitAtOnce
		if d, err := time.ParseDuration(a.WaitFor); err == nil {
			wait = d
		}
		if p.Wait != nil {
			wait = *p.Wait
		}
		left := wait - time.Since(began)
		if ctx.Err() != nil {
			fmt.Fprintln(s.Err, "you have stopped waiting; it is said all the same, and payctl actions tells what becomes of it")
			return a, nil
		}
		if left <= 0 {
			return a, nil
		}
		if a.Needs > 1 && a.ConfirmedBy == "" && !told {
			sayLine(s.Err, "it waits for another person: payctl confirm %s", a.ID)
			told = true
		}
		next, err := api.Get[api.Action](ctx, c, "/actions/"+url.PathEscape(id), url.Values{"wait": {min(left, waitAtOnce).String()}})
		var problem *api.Problem
		switch {
		case errors.As(err, &problem) && problem.Status < 500 && problem.Status != 404: // the books may not have read it yet
			return a, marked(err)
		case ctx.Err() != nil:
		case err != nil: // it is said already, so this end is no reason to stop
			if lost++; lost == 1 {
				fmt.Fprintf(s.Err, "it is said, and its outcome can't be read; trying again: %s\n", cli.OneLine(err.Error()))
			}
			pause(ctx, min(left, time.Second))
		case next.Kind == acts.Confirm && next.Status == "obeyed" && next.Of != id:
			a, id = next, next.Of
		default:
			if a = next; over(a) {
				return a, nil
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// over tells that nothing more comes of it.
func over(a api.Action) bool { return !strings.HasPrefix(a.Status, "waits") }

// well tells that what was said has happened. A pause holds once it is acknowledged, whether the books know it or not.
func well(a api.Action) bool {
	switch a.Status {
	case "refused", "expired", "ignored":
		return false
	}
	return over(a) || a.Kind == acts.Pause || a.Needs < 2 && (a.Kind == acts.Resume || a.Kind == acts.Confirm)
}

// statesNow are the states of payouts of which nobody knows whether the action happened, for a person who must find out.
func statesNow(ctx context.Context, c api.Client, a api.Action) map[string]string {
	states := map[string]string{}
	for _, o := range a.Outcomes {
		if o.Certain == nil || *o.Certain || o.TradeNo == "" {
			continue
		}
		d, err := api.Get[api.PayoutDetail](ctx, c, "/payouts/"+url.PathEscape(o.TradeNo), nil)
		if err != nil {
			states[o.TradeNo] = "not known: " + err.Error()
		} else {
			states[o.TradeNo] = d.State
		}
	}
	return states
}

// tellAction prints an action, and what became of it.
func tellAction(s cli.Streams, a api.Action, states map[string]string) error {
	t := newTable(s.Out)
	t.say("action", a.ID)
	t.say("says", saysOf(a))
	t.say("lifts", strings.Join(a.Lifts, ", "))
	t.say("by", a.By)
	t.say("confirmed by", a.ConfirmedBy)
	t.say("reason", a.Reason)
	t.say("detail", a.Detail)
	for _, o := range a.Outcomes {
		t.say(o.Result, outcomeText(o, states[o.TradeNo]))
	}
	switch {
	case len(a.Outcomes) > 0 && over(a):
	case a.Status == "waits" && a.Kind == acts.Pause:
		t.say("holds", "it is acknowledged; the books haven't read it yet")
	case a.Status == "waits":
		t.say("no outcome", "nobody has said yet what became of it: payctl actions tells; it isn't carried out after its deadline unless it cancels a batch")
	default:
		t.say("state", a.Status)
	}
	return t.flush()
}

// saysOf is what an action says, in a line.
func saysOf(a api.Action) string {
	parts := []string{string(a.Kind), a.Scope, a.Of}
	if a.As != "" {
		parts = append(parts, "as "+a.As)
	}
	if a.Force {
		parts = append(parts, "by force")
	}
	return strings.Join(parts, " ")
}

// outcomeText is an outcome in a line. now is the state of the payout, where nobody knows whether it happened.
func outcomeText(o api.Outcome, now string) string {
	text := o.TradeNo
	if o.Shard != nil {
		text = "shard " + strconv.Itoa(*o.Shard)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Counts)) {
		text += fmt.Sprintf(", %d %s", o.Counts[name], name)
	}
	if o.Detail != "" {
		text += ": " + o.Detail
	}
	if e := o.Evidence; e != nil {
		text += fmt.Sprintf(" (the provider: %s after %s)", strings.TrimSpace(e.Finding+" "+e.Code), count(e.Asks, "ask"))
	}
	if o.Certain != nil && !*o.Certain {
		text += "; the journal was lost meanwhile, so it may have happened"
		if now != "" {
			text += "; the payout is " + now + " now"
		}
	}
	return text
}
