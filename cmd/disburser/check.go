package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"disburser/internal/app"
	"disburser/internal/cli"
)

// connectFor is how long check --connect may take: every server answers or is a problem.
const connectFor = time.Minute

// check validates the configuration.
type check struct {
	configuration
	Connect bool `name:"connect" help:"Also tries Kafka, Redis and a signed query for each merchant, for a minute at most. No payout is sent."`
}

func (*check) Examples() []cli.Example {
	return []cli.Example{
		{Line: "disburser check --config disburser.yaml", Does: "connects to nothing; every mistake with its line"},
		{Line: "PAYPRO_EG_SECRET=… disburser check --config disburser.yaml --connect", Does: "before the first start, and after a change"},
	}
}

func (k *check) Run(ctx context.Context, s cli.Streams) error {
	c, err := k.load(s)
	if err != nil {
		return err
	}
	if !k.Connect {
		fmt.Fprintln(s.Out, "the configuration is good; nothing was connected to")
		return nil
	}
	a, err := app.New(c, options())
	if err != nil {
		return marked(err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	return tell(ctx, a, s)
}

// tell prints what answered and what didn't.
func tell(ctx context.Context, a *app.App, s cli.Streams) error {
	well, problems := a.Probe(ctx)
	for _, sentence := range well {
		fmt.Fprintln(s.Out, sentence)
	}
	status := cli.Done
	for _, problem := range problems {
		fmt.Fprintln(s.Err, problem)
		if status = max(status, cli.Failed); errors.Is(problem, app.ErrSetup) {
			status = cli.Wrong
		}
	}
	if status != cli.Done {
		return cli.Told(status)
	}
	return nil
}
