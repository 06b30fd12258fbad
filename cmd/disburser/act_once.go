package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/message"
	"disburser/payout/acts"
)

// once is a person's word that is carried out once, and has an outcome.
type once struct {
	person
	Deadline time.Duration  `name:"deadline" placeholder:"1m" help:"For how long it may still be carried out. Without it a minute, where two people are needed 15 minutes."`
	Wait     *time.Duration `name:"wait" placeholder:"90s" help:"How long to wait for the outcome; 0s doesn't wait. Without it until the deadline plus disburse.lease."`
}

type actCancel struct {
	once
	Scope string `arg:"" name:"scope" help:"batch:ID or payout:TRADENO."`
}

// Help says what a cancellation can't do.
func (*actCancel) Help() string {
	return "What was never sent becomes payout.rejected. What may have been sent goes its way, and is counted. A batch's cancellation stands for ever, also for what comes later; " +
		"it goes on after the deadline. It stops the sends of its scope within actions.staleness, as a pause does."
}

func (*actCancel) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act cancel batch:2026-11-payroll --by alice --reason "wrong amounts" --config disburser.yaml`, Does: "rejects what was not sent yet; an outcome for each shard of the journal"},
		{Line: `disburser act cancel payout:20261125-000001 --by alice --reason "left the company" --config disburser.yaml --json`, Does: "rejects one payout, if it was never sent"},
	}
}

// Run writes a cancellation and waits for its outcome.
func (k *actCancel) Run(ctx context.Context, s cli.Streams) error {
	return k.do(ctx, s, k.Scope, acts.Action{Kind: acts.Cancel})
}

type actAsk struct {
	once
	Scope string `arg:"" name:"scope" help:"batch:ID or payout:TRADENO."`
}

func (*actAsk) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act ask payout:20261125-000001 --by alice --reason "the payee asks" --config disburser.yaml`, Does: "asks about one payout, within query.rate"},
		{Line: `disburser act ask batch:2026-11-payroll --deadline 10m --by alice --reason "before the bank closes" --config disburser.yaml`, Does: "asks about all open payouts of a batch, for 10 minutes at most"},
	}
}

// Run writes an ask and waits for its outcome.
func (k *actAsk) Run(ctx context.Context, s cli.Streams) error {
	return k.do(ctx, s, k.Scope, acts.Action{Kind: acts.Ask})
}

type actResolve struct {
	once
	TradeNo string `arg:"" name:"tradeNo" help:"The held payout, as TRADENO or payout:TRADENO."`
	As      string `name:"as" required:"" enum:"paid,failed" placeholder:"paid|failed" help:"How it ended."`
	Force   bool   `name:"force" help:"Also where the provider doesn't answer, has an unknown status, or has shown the order once. It needs a second person."`
}

// Help says when a resolve is refused.
func (*actResolve) Help() string {
	return "The payout must be held. The provider is asked once more, and what contradicts its answer is refused, by force too. As failed it must have said often enough that it has no " +
		"record of it; the outcome says how often it has, and when that is enough. To pay again, resolve it as failed and order it under a new tradeNo."
}

func (*actResolve) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act resolve 20261125-000001 --as failed --by alice --reason "the provider wrote that it will never execute it, ticket 4711" --config disburser.yaml`, Does: "ends it; a new order needs a new tradeNo"},
		{Line: `disburser act resolve 20261125-000001 --as paid --force --by alice --reason "on the bank statement of 25 November" --config disburser.yaml`, Does: "waits for another person's confirm"},
	}
}

// Run writes a resolve and waits for its outcome.
func (k *actResolve) Run(ctx context.Context, s cli.Streams) error {
	tradeNo := strings.TrimPrefix(k.TradeNo, "payout:")
	if !message.ValidTradeNo(tradeNo) {
		return cli.Usage(fmt.Errorf("%q: %w", k.TradeNo, app.ErrNoTradeNo))
	}
	return k.do(ctx, s, "payout:"+tradeNo, acts.Action{Kind: acts.Resolve, As: acts.As(k.As), Force: k.Force})
}

// do writes an action, waits for what becomes of it, and tells it.
func (o *once) do(ctx context.Context, s cli.Streams, scope string, a acts.Action) error {
	if kind, name, _ := strings.Cut(scope, ":"); kind != string(acts.Batch) && kind != string(acts.Payout) {
		return cli.Usage(fmt.Errorf("%q: %s is for batch:ID or payout:TRADENO", scope, a.Kind))
	} else if kind == string(acts.Payout) && !message.ValidTradeNo(name) {
		return cli.Usage(fmt.Errorf("%q: %w", name, app.ErrNoTradeNo))
	}
	if o.Deadline < 0 || o.Deadline > 24*time.Hour {
		return cli.Usage(errors.New("--deadline must be between 1s and 24h"))
	}
	c, err := o.begin(s, scope, &a)
	if err != nil {
		return err
	}
	a.Needs, a.Lasts = 1, acts.LastsAlone
	if needsTwo(c, a) {
		a.Needs, a.Lasts = 2, acts.LastsOfTwo
	}
	if o.Deadline > 0 {
		a.Lasts = o.Deadline
	}
	w, err := o.write(ctx, c, &a)
	if err != nil {
		return err
	}
	if a.Needs > 1 {
		fmt.Fprintf(s.Err, "it waits for another person: disburser act confirm %s --by NAME --reason TEXT --config %s\n", a.ID, o.File)
	}
	wait := a.Lasts + c.Disburse.Lease
	if o.Wait != nil {
		wait = *o.Wait
	}
	return o.await(ctx, s, c, a, w, wait)
}

// needsTwo tells whether an action needs a second person by the configuration, or in any case.
func needsTwo(c config.Config, a acts.Action) bool {
	word := string(a.Kind)
	if a.Kind == acts.Resolve {
		word = string(a.As)
	}
	return a.Force || slices.Contains(c.Actions.TwoPeople, word)
}

// outcome is what became of an action, for one payout or in one shard.
type outcome struct {
	Result   acts.Result    `json:"result"`
	TradeNo  string         `json:"tradeNo,omitempty"`
	Shard    *int           `json:"shard,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Evidence *acts.Evidence `json:"evidence,omitempty"`
	Certain  *bool          `json:"certain,omitempty"`
	Time     time.Time      `json:"time"`
	State    string         `json:"state,omitempty"` // of the payout now, where nobody knows whether it happened
}

// noOutcome is the result of an action of which nothing was heard in time.
const noOutcome acts.Result = "none"

// await reads the outcomes, and tells them.
func (p *person) await(ctx context.Context, s cli.Streams, c config.Config, a acts.Action, w written, wait time.Duration) error {
	if wait <= 0 {
		return p.tellOutcomes(s, w)
	}
	if cli.Terminal(s.Err) {
		fmt.Fprintf(s.Err, "waiting for the outcome, until %s at the latest\n", time.Now().Add(wait).Format(time.TimeOnly))
	}
	said, err := app.NewSaid(c, options())
	if err != nil {
		return marked(err)
	}
	defer said.Close()
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	id := a.ID
	if a.Kind == acts.Confirm {
		id = a.Of
	}
	ended, err := said.Outcomes(within, id, a.Scope, a.Offset+1)
	w.Result = acts.Done
	if err != nil {
		w.Result = noOutcome
		if !errors.Is(err, context.DeadlineExceeded) {
			fmt.Fprintf(s.Err, "warning: %v\n", err)
		}
	}
	for _, e := range ended {
		w.Outcomes = append(w.Outcomes, outcomeOf(e))
		if e.Result != acts.Done && w.Result == acts.Done {
			w.Result = e.Result
		}
		if e.Uncertain && e.TradeNo != "" {
			w.Outcomes[len(w.Outcomes)-1].State = stateNow(ctx, c, e.TradeNo)
		}
	}
	if err := p.tellOutcomes(s, w); err != nil {
		return err
	}
	if w.Result != acts.Done {
		return cli.Told(cli.Failed)
	}
	return nil
}

func outcomeOf(e acts.Ended) outcome {
	o := outcome{Result: e.Result, TradeNo: e.TradeNo, Counts: e.Counts, Detail: e.Detail, Evidence: e.Evidence, Time: e.Time.UTC()}
	if e.TradeNo == "" {
		o.Shard = &e.Shard
	}
	if e.Uncertain {
		o.Certain = new(bool)
	}
	return o
}

// stateNow is the state of a payout, for a person who must find out what has happened.
func stateNow(ctx context.Context, c config.Config, tradeNo string) string {
	ctx, cancel := context.WithTimeout(ctx, showFor)
	defer cancel()
	answer, _, err := app.Show(ctx, c, options(), tradeNo)
	if err != nil {
		return "not known: " + err.Error()
	}
	return answer.State
}

func (p *person) tellOutcomes(s cli.Streams, w written) error {
	if p.JSON {
		return json.NewEncoder(s.Out).Encode(w)
	}
	t := newTable(s.Out)
	w.rows(t)
	for _, o := range w.Outcomes {
		t.row(string(o.Result), o.text())
	}
	if w.Result == noOutcome {
		t.row("no outcome", "nobody has said what became of it: look with disburser act list, and with disburser show for a payout; it is not carried out after its deadline unless it cancels a batch")
	}
	return t.flush()
}

// text is an outcome in a line.
func (o outcome) text() string {
	text := o.TradeNo
	if o.Shard != nil {
		text = fmt.Sprintf("shard %d", *o.Shard)
	}
	for _, name := range sortedNames(o.Counts) {
		text += fmt.Sprintf(", %d %s", o.Counts[name], name)
	}
	if o.Detail != "" {
		text += ": " + o.Detail
	}
	if e := o.Evidence; e != nil {
		text += fmt.Sprintf(" (the provider: %s after %d asks)", joined(e.Finding, e.Code), e.Asks)
	}
	if o.Certain != nil && !*o.Certain {
		text += "; the journal was lost meanwhile, so it may have happened"
		if o.State != "" {
			text += "; the payout is " + o.State + " now"
		}
	}
	return text
}
