package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// actFor is how long Kafka may take to acknowledge an action.
const actFor = 30 * time.Second

// act writes actions. Each kind is a command of its own.
type act struct {
	Pause  actPause  `cmd:"" name:"pause" help:"Nothing in a scope is sent until it is resumed. Asks and results go on."`
	Resume actResume `cmd:"" name:"resume" help:"Lifts pauses of exactly this scope."`
}

// person is what every action needs of the person who says it.
type person struct {
	configuration
	Scope  string `arg:"" name:"scope" help:"fleet, merchant:NAME, batch:ID or payout:TRADENO."`
	By     string `name:"by" required:"" placeholder:"NAME" help:"Who says it. It stands in the topic and in the log for ever."`
	Reason string `name:"reason" required:"" placeholder:"TEXT" help:"Why, in 500 characters at most. It is shown as it is: never name a payee in it."`
	JSON   bool   `name:"json" help:"Prints one JSON value instead of a table."`
}

type actPause struct{ person }

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
	return p.say(ctx, s, acts.Action{Kind: acts.Pause})
}

type actResume struct {
	person
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
	return r.say(ctx, s, acts.Action{Kind: acts.Resume, Lifts: r.Lifts})
}

// say has an action written, and prints what was written and what follows.
func (p *person) say(ctx context.Context, s cli.Streams, action acts.Action) error {
	scope, err := acts.ParseScope(p.Scope)
	switch {
	case err != nil:
		return cli.Usage(fmt.Errorf("%q: %w", p.Scope, err))
	case strings.TrimSpace(p.By) == "" || utf8.RuneCountInString(p.By) > acts.LongestBy:
		return cli.Usage(fmt.Errorf("--by must name a person, in %d characters at most", acts.LongestBy))
	case strings.TrimSpace(p.Reason) == "" || utf8.RuneCountInString(p.Reason) > acts.LongestReason:
		return cli.Usage(fmt.Errorf("--reason must say why, in %d characters at most", acts.LongestReason))
	}
	c, err := p.load(s)
	if err != nil {
		return err
	}
	if _, known := c.Merchants[scope.Name]; scope.Kind == acts.Merchant && !known {
		fmt.Fprintf(s.Err, "warning: %s has no merchant %s; it is written all the same\n", p.File, scope.Name)
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	now := time.Now()
	action.ID, action.Scope, action.By, action.Reason, action.Time = acts.NewID(now, random), scope, p.By, p.Reason, now
	ctx, cancel := context.WithTimeout(ctx, actFor)
	defer cancel()
	offset, err := app.Act(ctx, c, options(), action)
	switch {
	case errors.Is(err, app.ErrSetup):
		return cli.Setup(err)
	case err != nil:
		return fmt.Errorf("%w; nobody knows whether it is written: say it again, twice does no harm", err)
	}
	return p.tell(s, c, action, offset)
}

// written is what stands in the topic, for machines.
type written struct {
	ID     string    `json:"id"`
	Kind   acts.Kind `json:"kind"`
	Scope  string    `json:"scope"`
	Lifts  []string  `json:"lifts,omitempty"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Time   time.Time `json:"time"`
	Topic  string    `json:"topic"`
	Offset int64     `json:"offset"`
	Signed bool      `json:"signed"`
}

func (p *person) tell(s cli.Streams, c config.Config, a acts.Action, offset int64) error {
	w := written{a.ID, a.Kind, a.Scope.String(), a.Lifts, a.By, a.Reason, a.Time.UTC(), c.Kafka.Topics.Actions, offset, !c.Actions.Key.IsEmpty()}
	if p.JSON {
		return json.NewEncoder(s.Out).Encode(w)
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, value) }
	row("action", w.ID)
	row("says", string(w.Kind)+" "+w.Scope)
	if len(w.Lifts) > 0 {
		row("lifts", strings.Join(w.Lifts, ", "))
	}
	row("by", w.By)
	row("reason", w.Reason)
	signed := "unsigned"
	if w.Signed {
		signed = "signed"
	}
	row("written", fmt.Sprintf("%s, offset %d, %s", w.Topic, w.Offset, signed))
	if a.Kind == acts.Pause {
		row("holds", fmt.Sprintf("no send of it begins later than %v from now; /readyz of each instance lists it", c.Actions.Staleness))
	} else {
		row("goes on", "as soon as an instance has read it; /readyz of each instance lists what still stands")
	}
	return table.Flush()
}
