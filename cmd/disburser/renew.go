package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// renewFor is how long reading the decisions and writing may take.
const renewFor = 15 * time.Minute

// actRenew begins another generation of the topic of the actions.
type actRenew struct {
	configuration
	By     string `name:"by" required:"" placeholder:"NAME" help:"Who says it. It stands in the topic and in the log for ever."`
	Reason string `name:"reason" required:"" placeholder:"TEXT" help:"Why, in 500 characters at most. It is shown as it is."`
	JSON   bool   `name:"json" help:"Prints one JSON value instead of a table."`
}

// Help says when it is needed and what it does.
func (*actRenew) Help() string {
	return "The latest action is on record outside of its topic. If the topic lacks it (made anew, cut, another one), nothing is sent: what people paused " +
		"would go on. First try to bring the old topic back. If it is lost, create it with one partition, then run this once. It reads payout.decisions, and " +
		"writes again the pauses and cancelled batches that were in force, under their ids. If not all of them are known, it pauses the fleet first, and says so. " +
		"Its last record lets the instances go on. One-shot actions that had no outcome yet must be said again."
}

func (*actRenew) Examples() []cli.Example {
	return []cli.Example{
		{Line: `disburser act renew --by alice --reason "the topic was deleted" --config disburser.yaml`, Does: "after payout.actions was made anew"},
	}
}

// Run renews the topic, and prints what was found and written.
func (r *actRenew) Run(ctx context.Context, s cli.Streams) error {
	if err := checkPerson(r.By, r.Reason); err != nil {
		return err
	}
	c, err := r.load(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, renewFor)
	defer cancel()
	done, err := app.Renew(ctx, c, options(), r.By, r.Reason)
	if errors.Is(err, app.ErrSetup) {
		return cli.Setup(err)
	}
	if err != nil {
		return err
	}
	return r.tell(s, done)
}

// renewed is what was done, for machines.
type renewed struct {
	Generation int64       `json:"generation"`
	Offset     int64       `json:"offset"`
	OnRecord   *acts.Place `json:"onRecord"` // null: nothing was
	Again      []acts.Kept `json:"again"`
	Left       int         `json:"left"`  // was in force, and isn't known
	Whole      bool        `json:"whole"` // all that was in force is written again
	Pause      string      `json:"pause,omitempty"`
}

func (r *actRenew) tell(s cli.Streams, done app.Renewal) error {
	found := done.OnRecord
	if r.JSON {
		w := renewed{Generation: done.Generation, Offset: done.Offset, Again: found.InForce, Left: found.Left, Whole: found.Whole()}
		if found.Latest.Any() {
			w.OnRecord = &found.Latest
		}
		if done.Pause != nil {
			w.Pause = done.Pause.ID
		}
		return json.NewEncoder(s.Out).Encode(w)
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, value) }
	if found.Latest.Any() {
		row("on record", found.Latest.String())
	} else {
		row("on record", "nothing: nobody knows what was in force")
	}
	for _, k := range found.InForce {
		row("again", fmt.Sprintf("%s %s by %s: %s (action %s, since %s)", k.Kind, k.Scope, k.By, k.Reason, k.ID, k.Since.Format(time.RFC3339)))
	}
	if found.Left > 0 {
		row("not known", fmt.Sprintf("%d more were in force, of batches or payouts", found.Left))
	}
	if done.Pause != nil {
		row("paused", fmt.Sprintf("the fleet, by action %s: not all is known that was in force. Pause again what must stay paused, then resume the fleet", done.Pause.ID))
	}
	row("written", fmt.Sprintf("generation %d of the topic begins at offset %d: instances go on by it", done.Generation, done.Offset))
	return table.Flush()
}
