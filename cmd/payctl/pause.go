package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"disburser/backoffice/api"
	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// directFor is how long Kafka may take to acknowledge a pause.
const directFor = 30 * time.Second

type pauseCommand struct {
	speaker
	Scope  string `arg:"" name:"scope" help:"fleet, merchant:NAME, batch:ID or payout:TRADENO. Nobody need know what it names."`
	Direct string `name:"direct" placeholder:"BROKERS" help:"Writes the action to these Kafka brokers itself, for the hour in which the back office is down. Signed if ACTIONS_KEY is set. Where Kafka wants TLS or a login, use disburser act pause."`
	Topic  string `name:"topic" placeholder:"NAME" default:"payout.actions" help:"With --direct: the topic of the actions."`
	By     string `name:"by" placeholder:"NAME" help:"With --direct: who says it. Else the back office knows it by the token."`
}

// Help says what a pause does.
func (*pauseCommand) Help() string {
	return "Nothing in the scope is sent until it is resumed. Asks and results go on. " +
		"A pause holds actions.staleness after it is acknowledged, on every instance, also through a restart or a lost Redis."
}

func (*pauseCommand) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl pause fleet --reason "wrong file"`, Does: "stops all sends, now"},
		{Line: `payctl pause batch:2026-11-payroll --reason "wrong amounts" --json`, Does: "stops one payroll"},
		{Line: `payctl pause fleet --direct kafka-1:9092,kafka-2:9092 --by alice --reason "wrong file"`, Does: "stops all sends without a back office"},
	}
}

// Run says it.
func (p *pauseCommand) Run(ctx context.Context, s cli.Streams) error {
	w := api.Word{Kind: string(acts.Pause), Scope: p.Scope}
	switch {
	case p.Direct != "":
		return p.direct(ctx, s, w)
	case p.By != "":
		return cli.Usage(errors.New("--by is for --direct only: the back office knows who you are"))
	}
	return p.say(ctx, s, w)
}

// direct writes the action without a back office.
func (p *pauseCommand) direct(ctx context.Context, s cli.Streams, w api.Word) error {
	w.Reason = p.Reason
	if err := readable(w); err != nil {
		return err
	}
	if strings.TrimSpace(p.By) == "" || utf8.RuneCountInString(p.By) > acts.LongestBy {
		return cli.Usage(fmt.Errorf("--direct needs --by NAME, of %d characters at most", acts.LongestBy))
	}
	a, _ := w.Read(time.Now())
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	a.Time, a.By = time.Now(), p.By
	a.ID = acts.NewID(a.Time, random)
	c := config.Default()
	c.Kafka.Brokers, c.Kafka.Topics.Actions = strings.Split(p.Direct, ","), p.Topic
	c.Actions.Key = secrets.New(os.Getenv("ACTIONS_KEY"))
	ctx, cancel := context.WithTimeout(ctx, directFor)
	defer cancel()
	offset, err := app.Act(ctx, c, app.Options{}, a)
	switch {
	case errors.Is(err, app.ErrSetup):
		return cli.Setup(err)
	case err != nil:
		return fmt.Errorf("%w; nobody knows whether it is written: say it again, twice does no harm", err)
	}
	one := api.Action{ID: a.ID, Kind: a.Kind, Scope: a.Scope.String(), By: a.By, Reason: a.Reason, Time: a.Time.UTC().Format(time.RFC3339Nano), Status: "in force"}
	if p.JSON {
		return printed(s.Out, one)
	}
	t := newTable(s.Out)
	t.say("action", one.ID)
	t.say("says", saysOf(one))
	t.say("by", one.By)
	t.say("reason", one.Reason)
	t.say("written", fmt.Sprintf("%s, offset %d, %s", p.Topic, offset, map[bool]string{true: "signed with ACTIONS_KEY", false: "unsigned"}[!c.Actions.Key.IsEmpty()]))
	return t.flush()
}
