package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/internal/similar"
	"disburser/payout/acts"
)

// actFor is how long Kafka may take to acknowledge an action.
const actFor = 30 * time.Second

// act writes actions. Each kind is a command of its own.
type act struct {
	Pause   actPause   `cmd:"" name:"pause" help:"Nothing in a scope is sent until it is resumed. Asks and results go on."`
	Resume  actResume  `cmd:"" name:"resume" help:"Lifts pauses of exactly this scope."`
	Cancel  actCancel  `cmd:"" name:"cancel" help:"What was never sent of a batch, or a payout, is rejected. Of a batch that stands for ever."`
	Resolve actResolve `cmd:"" name:"resolve" help:"Ends a held payout by your word. The provider is asked first, and never contradicted."`
	Ask     actAsk     `cmd:"" name:"ask" help:"Asks the provider about a payout or a batch now."`
	Confirm actConfirm `cmd:"" name:"confirm" help:"A second person's word for an action that needs two."`
	List    actList    `cmd:"" name:"list" help:"Lists what is in force, what waits, and the latest actions with their outcomes."`
	Renew   actRenew   `cmd:"" name:"renew" help:"After the topic of the actions was lost: writes again what was in force."`
}

// person is what every action needs of the person who says it.
type person struct {
	configuration
	By     string `name:"by" required:"" placeholder:"NAME" help:"Who says it. It stands in the topic and in the log for ever."`
	Reason string `name:"reason" required:"" placeholder:"TEXT" help:"Why, in 500 characters at most. It is shown as it is and kept for ever: never name a payee in it."`
	JSON   bool   `name:"json" help:"Prints one JSON value instead of a table."`
}

// scoped is a person's word about a scope.
type scoped struct {
	person
	Scope string `arg:"" name:"scope" help:"fleet, merchant:NAME, batch:ID or payout:TRADENO."`
}

type actPause struct{ scoped }

// Help says what a pause does.
func (*actPause) Help() string {
	return "A pause needs no consent, and nobody need know what it names. It holds actions.staleness after it is acknowledged, on every instance, " +
		"also through a restart or a lost Redis. Payouts that were sent before are asked about and announced as always."
}

func (*actPause) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act pause fleet --by alice --reason "wrong file" --config disburser.yaml`, Does: "stops all sends, now"},
		{Line: `disburser act pause merchant:eg-main --by alice --reason "the provider pays twice" --config disburser.yaml`, Does: "stops the sends of one merchant"},
		{Line: `disburser act pause batch:2026-11-payroll --by alice --reason "wrong amounts" --config disburser.yaml --json`, Does: "stops one payroll"},
	}
}

// Run writes a pause.
func (p *actPause) Run(ctx context.Context, s cli.Streams) error {
	return p.say(ctx, s, p.Scope, acts.Action{Kind: acts.Pause})
}

type actResume struct {
	scoped
	Lifts []string `name:"lifts" placeholder:"ID,ID" help:"Ids of the pauses to lift; without it all that stand before it. /readyz lists them."`
}

func (*actResume) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act resume fleet --by alice --reason "the right file is there" --config disburser.yaml`, Does: "lifts all pauses of the fleet, but none of a merchant or a batch"},
		{Line: `disburser act resume batch:b1 --lifts 01KAX3V0G5T2M4R8W6Y7ZPQNCE --by alice --reason "checked" --config disburser.yaml`, Does: "lifts one pause, and no other that came meanwhile"},
	}
}

// Run writes a resume.
func (r *actResume) Run(ctx context.Context, s cli.Streams) error {
	return r.say(ctx, s, r.Scope, acts.Action{Kind: acts.Resume, Lifts: r.Lifts})
}

// say has an action written that has no outcome, and prints what was written and what follows.
func (p *person) say(ctx context.Context, s cli.Streams, scope string, action acts.Action) error {
	c, err := p.begin(s, scope, &action)
	if err != nil {
		return err
	}
	w, err := p.write(ctx, c, &action)
	if err != nil {
		return err
	}
	return p.tell(s, c, action, w)
}

// begin checks what a person has typed, and completes the action.
func (p *person) begin(s cli.Streams, scope string, action *acts.Action) (c config.Config, err error) {
	if action.Kind != acts.Confirm {
		if action.Scope, err = acts.ParseScope(scope); err != nil {
			return c, cli.Usage(fmt.Errorf("%q: %w", scope, err))
		}
	}
	if err := checkPerson(p.By, p.Reason); err != nil {
		return c, err
	}
	if c, err = p.load(s); err != nil {
		return c, err
	}
	if _, known := c.Merchants[action.Scope.Name]; action.Scope.Kind == acts.Merchant && !known {
		text := fmt.Sprintf("%s has no merchant %s", p.File, action.Scope.Name)
		if meant := similar.Nearest(action.Scope.Name, slices.Sorted(maps.Keys(c.Merchants))); meant != "" {
			text += ": did you mean " + meant + "?"
		}
		fmt.Fprintln(s.Err, "warning: "+cli.OneLine(text)+" It is written all the same.")
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	action.Time = time.Now()
	action.ID, action.By, action.Reason = acts.NewID(action.Time, random), p.By, p.Reason
	return c, nil
}

// write has the action acknowledged.
func (p *person) write(ctx context.Context, c config.Config, a *acts.Action) (written, error) {
	ctx, cancel := context.WithTimeout(ctx, actFor)
	defer cancel()
	offset, err := app.Act(ctx, c, options(), *a)
	switch {
	case errors.Is(err, app.ErrSetup):
		return written{}, cli.Setup(err)
	case err != nil:
		return written{}, fmt.Errorf("%w; nobody knows whether it is written: say it again, twice does no harm", err)
	}
	a.Offset = offset
	w := written{
		ID: a.ID, Kind: a.Kind, Lifts: a.Lifts, As: a.As, Force: a.Force, Action: a.Of, By: a.By, Reason: a.Reason, Time: a.Time.UTC(),
		Topic: c.Kafka.Topics.Actions, Offset: offset, Signed: !c.Actions.Key.IsEmpty(),
	}
	if a.Kind != acts.Confirm {
		w.Scope = a.Scope.String()
	}
	if a.Lasts > 0 {
		deadline := w.Time.Add(a.Lasts)
		w.Deadline = &deadline
	}
	return w, nil
}

// checkPerson refuses an action that doesn't say by whom it is, and why.
func checkPerson(by, reason string) error {
	switch {
	case strings.TrimSpace(by) == "" || utf8.RuneCountInString(by) > acts.LongestBy:
		return cli.Usage(fmt.Errorf("--by must name a person, in %d characters at most", acts.LongestBy))
	case strings.TrimSpace(reason) == "" || utf8.RuneCountInString(reason) > acts.LongestReason:
		return cli.Usage(fmt.Errorf("--reason must say why, in %d characters at most", acts.LongestReason))
	}
	return nil
}

// written is what stands in the topic, for machines.
type written struct {
	ID       string     `json:"id"`
	Kind     acts.Kind  `json:"kind"`
	Scope    string     `json:"scope,omitempty"`
	Lifts    []string   `json:"lifts,omitempty"`
	As       acts.As    `json:"as,omitempty"`
	Force    bool       `json:"force,omitempty"`
	Action   string     `json:"action,omitempty"`
	By       string     `json:"by"`
	Reason   string     `json:"reason"`
	Time     time.Time  `json:"time"`
	Deadline *time.Time `json:"deadline,omitempty"`
	Topic    string     `json:"topic"`
	Offset   int64      `json:"offset"`
	Signed   bool       `json:"signed"`

	Result   acts.Result `json:"result,omitempty"` // of what has an outcome: done, refused, expired, none
	Outcomes []outcome   `json:"outcomes,omitempty"`
}

func (p *person) tell(s cli.Streams, c config.Config, a acts.Action, w written) error {
	if p.JSON {
		return json.NewEncoder(s.Out).Encode(w)
	}
	t := newTable(s.Out)
	w.rows(t)
	switch a.Kind {
	case acts.Pause:
		t.row("holds", fmt.Sprintf("no send of it begins later than %v from now; /readyz of each instance lists it", c.Actions.Staleness))
	case acts.Resume:
		t.row("goes on", "as soon as an instance has read it; disburser act list says what still stands")
	default:
	}
	return t.flush()
}

func (w written) rows(t table) {
	signed := "unsigned"
	if w.Signed {
		signed = "signed"
	}
	says := joined(string(w.Kind), w.Scope, w.Action)
	if w.As != "" {
		says += " as " + string(w.As)
	}
	if w.Force {
		says += ", by force"
	}
	t.row("action", w.ID)
	t.row("says", says)
	t.row("lifts", strings.Join(w.Lifts, ", "))
	t.row("by", w.By)
	t.row("reason", w.Reason)
	t.row("written", fmt.Sprintf("%s, offset %d, %s", w.Topic, w.Offset, signed))
}
