package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
	"unicode/utf8"

	"disburser/backoffice/api"
	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/internal/rules"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// directFor is how long Kafka may take to acknowledge a pause.
const directFor = 30 * time.Second

// noReason is the reason of a pause whose writer had no time for one.
const noReason = "written by payctl pause --direct, without a reason"

type pauseCommand struct {
	speaker
	Reason string `name:"reason" placeholder:"TEXT" help:"Why, in 500 characters at most. It is shown as it is and kept for ever: never name a payee in it. With --direct it may be left out."`
	Scope  string `arg:"" name:"scope" help:"fleet, merchant:NAME, batch:ID or payout:TRADENO. Nobody need know what it names."`
	Direct string `name:"direct" placeholder:"BROKERS" help:"Writes the action to these Kafka brokers itself, for the hour in which the back office is down. Signed if ACTIONS_KEY is set. Where Kafka wants TLS or a login, give --config."`
	Config string `name:"config" placeholder:"FILE" help:"Writes the action itself too, with the sections kafka and actions of this file: the configuration of the service or of the back office. No other section is read, and no variable of it. --direct goes before its brokers."`
	Topic  string `name:"topic" placeholder:"NAME" help:"With --direct: the topic of the actions, if it isn't that of --config or payout.actions."`
	By     string `name:"by" placeholder:"NAME" help:"With --direct: who says it; without it the user of this machine. Else the back office knows it by the token."`
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
		{Line: `payctl pause fleet --direct kafka-1:9092,kafka-2:9092 --reason "wrong file"`, Does: "stops all sends without a back office"},
		{Line: "payctl pause fleet --config disburser.yaml", Does: "the same in the worst hour: brokers, TLS, login and key are those of the service"},
	}
}

// Run says it.
func (p *pauseCommand) Run(ctx context.Context, s cli.Streams) error {
	w := api.Word{Kind: string(acts.Pause), Scope: p.Scope, Reason: p.Reason}
	switch {
	case p.Direct != "" || p.Config != "":
		return p.direct(ctx, s, w)
	case p.Reason == "":
		return cli.Usage(errors.New("missing flags: --reason=TEXT"))
	case p.By != "":
		return cli.Usage(errors.New("--by is for --direct and --config only: the back office knows who you are"))
	}
	return p.say(ctx, s, w)
}

// userHere is the name of this machine's user, "" if it has none.
func userHere() string {
	who, err := user.Current()
	if err != nil {
		return ""
	}
	return who.Username
}

// kafka says where the action is written to, and what signs it.
func (p *pauseCommand) kafka() (config.Config, error) {
	c := config.Default()
	if p.Config != "" {
		var err error
		if c, err = config.LoadForActions(p.Config, config.Rules{}); err != nil {
			return c, err
		}
	} else {
		c.Actions.Key = secrets.New(os.Getenv("ACTIONS_KEY"))
	}
	if p.Direct != "" {
		c.Kafka.Brokers = strings.Split(p.Direct, ",")
	}
	c.Kafka.Topics.Actions = first(p.Topic, c.Kafka.Topics.Actions)
	return c, nil
}

// warnings tells of a merchant that the file of --config hasn't. A file whose merchants can't be read stops no pause.
func (p *pauseCommand) warnings(a acts.Action) []string {
	if p.Config == "" || a.Scope.Kind != acts.Merchant {
		return nil
	}
	known, err := rules.Load(p.Config)
	if err != nil {
		return nil
	}
	return listOf(known.Unknown(a.Scope.Name))
}

// direct writes the action without a back office.
func (p *pauseCommand) direct(ctx context.Context, s cli.Streams, w api.Word) error {
	w.Reason = first(w.Reason, noReason)
	if err := readable(w); err != nil {
		return err
	}
	if p.By == "" {
		p.By = userHere()
	}
	if strings.TrimSpace(p.By) == "" || utf8.RuneCountInString(p.By) > acts.LongestBy {
		return cli.Usage(fmt.Errorf("--direct and --config need --by NAME, of %d characters at most", acts.LongestBy))
	}
	a, _ := w.Read(time.Now())
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	a.Time, a.By = time.Now(), p.By
	a.ID = acts.NewID(a.Time, random)
	c, err := p.kafka()
	if err != nil {
		return cli.Setup(err)
	}
	warned := p.warnings(a)
	sayWarnings(s, warned)
	ctx, cancel := context.WithTimeout(ctx, directFor)
	defer cancel()
	offset, err := app.Act(ctx, c, app.Options{}, a)
	switch {
	case errors.Is(err, app.ErrSetup):
		return cli.Setup(err)
	case err != nil:
		return fmt.Errorf("%w; nobody knows whether it is written: say it again, twice does no harm", err)
	}
	one := api.Action{ID: a.ID, Kind: a.Kind, Scope: a.Scope.String(), By: a.By, Reason: a.Reason, Time: a.Time.UTC().Format(time.RFC3339Nano), Status: "in force", Warnings: warned}
	if p.JSON {
		return printed(s.Out, one)
	}
	t := newTable(s.Out)
	t.say("action", one.ID)
	t.say("says", saysOf(one))
	t.say("by", one.By)
	t.say("reason", one.Reason)
	t.say("written", fmt.Sprintf("%s, offset %d, %s", c.Kafka.Topics.Actions, offset, map[bool]string{true: "signed", false: "unsigned"}[!c.Actions.Key.IsEmpty()]))
	return t.flush()
}
