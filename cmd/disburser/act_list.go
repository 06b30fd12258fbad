package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

type actConfirm struct {
	person
	ID   string         `arg:"" name:"id" help:"The id of the action that waits for a second person."`
	Wait *time.Duration `name:"wait" placeholder:"90s" help:"How long to wait for the outcome of that action; 0s doesn't wait. Without it until its deadline plus disburse.lease."`
}

// Help says who may confirm.
func (*actConfirm) Help() string {
	return "Nobody confirms their own action. disburser act list says what waits, who said it and why. It then waits for the outcome of the action."
}

func (*actConfirm) Examples() []cli.Example {
	return []cli.Example{{Line: `disburser act confirm 01KAX3V0G5T2M4R8W6Y7ZPQNCE --by bob --reason "I have seen the statement" --config disburser.yaml`, Does: "bob agrees with what alice has said"}}
}

// Run writes a confirmation, and waits for the outcome of what it confirms.
func (k *actConfirm) Run(ctx context.Context, s cli.Streams) error {
	a := acts.Action{Kind: acts.Confirm, Of: k.ID}
	c, err := k.begin(s, "", &a)
	if err != nil {
		return err
	}
	said, err := app.NewSaid(c, options())
	if err != nil {
		return marked(err)
	}
	defer said.Close()
	within, cancel := context.WithTimeout(ctx, actFor)
	defer cancel()
	view, err := said.InForce(within)
	if err != nil {
		return fmt.Errorf("read what waits in %s: %w", c.Kafka.Topics.Actions, err)
	}
	at := slices.IndexFunc(view.OneShots(), func(o acts.OneShot) bool { return o.ID == k.ID })
	if slices.ContainsFunc(view.Waiting(), func(a acts.Action) bool { return a.ID == k.ID && a.By == k.By }) {
		return errors.New("nobody confirms their own action: another person must")
	}
	w, err := k.write(ctx, c, &a)
	if err != nil || at < 0 { // a resume has no outcome
		if err == nil {
			err = k.tell(s, c, a, w)
		}
		return err
	}
	of := view.OneShots()[at]
	a.Scope = of.Scope
	wait := of.Lasts + c.Disburse.Lease
	if k.Wait != nil {
		wait = *k.Wait
	}
	return k.await(ctx, s, c, a, w, wait)
}

type actList struct {
	configuration
	Last int  `name:"last" default:"20" help:"How many of the latest actions to list."`
	JSON bool `name:"json" help:"Prints one JSON value instead of a table."`
}

func (*actList) Examples() []cli.Example {
	return []cli.Example{
		{Line: "disburser act list --config disburser.yaml", Does: "what is in force, what waits, the last 20 actions"},
		{Line: "disburser act list --last 200 --config disburser.yaml --json", Does: "more of them, for a program"},
	}
}

// standing is an action that is in force, or that waits.
type standing struct {
	ID     string    `json:"id"`
	Kind   acts.Kind `json:"kind"`
	Scope  string    `json:"scope"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Time   time.Time `json:"time"`
	Waits  string    `json:"waits,omitempty"` // for what
}

// listed is an action with its outcomes.
type listed struct {
	standing
	Action   string    `json:"action,omitempty"`
	As       acts.As   `json:"as,omitempty"`
	Force    bool      `json:"force,omitempty"`
	Outcomes []outcome `json:"outcomes,omitempty"`
}

// Run lists them.
func (l *actList) Run(ctx context.Context, s cli.Streams) error {
	if l.Last < 0 {
		return cli.Usage(errors.New("--last must be 0 or more"))
	}
	c, err := l.load(s)
	if err != nil {
		return err
	}
	said, err := app.NewSaid(c, options())
	if err != nil {
		return marked(err)
	}
	defer said.Close()
	ctx, cancel := context.WithTimeout(ctx, actFor)
	defer cancel()
	view, err := said.InForce(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.Kafka.Topics.Actions, err)
	}
	latest, outcomes, err := said.Latest(ctx, view.Next(), l.Last)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.Kafka.Topics.Actions, err)
	}
	answer := struct {
		InForce []standing `json:"inForce"`
		Pending []standing `json:"pending"`
		Latest  []listed   `json:"latest"`
	}{[]standing{}, []standing{}, []listed{}}
	for _, a := range view.All() {
		answer.InForce = append(answer.InForce, standing{ID: a.ID, Kind: a.Kind, Scope: a.Scope.String(), By: a.By, Reason: a.Reason, Time: a.Since.UTC()})
	}
	for _, o := range view.OneShots() {
		waits := "an instance"
		if !o.Complete {
			waits = "another person"
		}
		answer.Pending = append(answer.Pending, standing{o.ID, o.Kind, o.Scope.String(), o.By, o.Reason, o.Read.UTC(), waits})
	}
	for _, r := range view.Waiting() {
		if r.Kind == acts.Resume {
			answer.Pending = append(answer.Pending, standing{r.ID, r.Kind, r.Scope.String(), r.By, r.Reason, r.Read.UTC(), "another person"})
		}
	}
	for _, a := range latest {
		row := listed{standing: standing{ID: a.ID, Kind: a.Kind, By: a.By, Reason: a.Reason, Time: a.Read.UTC()}, Action: a.Of, As: a.As, Force: a.Force}
		if a.Kind != acts.Confirm {
			row.Scope = a.Scope.String()
		}
		for _, e := range outcomes[a.ID] {
			row.Outcomes = append(row.Outcomes, outcomeOf(e))
		}
		answer.Latest = append(answer.Latest, row)
	}
	if l.JSON {
		return json.NewEncoder(s.Out).Encode(answer)
	}
	t := newTable(s.Out)
	for _, a := range answer.InForce {
		t.row("in force", a.line())
	}
	for _, a := range answer.Pending {
		t.row("waits", a.line(), "(for "+a.Waits+")")
	}
	for _, a := range answer.Latest {
		t.row("said", a.line())
		for _, o := range a.Outcomes {
			t.row("outcome", a.ID, string(o.Result), o.text())
		}
	}
	return t.flush()
}

func (a standing) line() string {
	return fmt.Sprintf("%s  %s  %s  by %s: %s", a.Time.Format(time.RFC3339), a.ID, joined(string(a.Kind), a.Scope), a.By, a.Reason)
}
