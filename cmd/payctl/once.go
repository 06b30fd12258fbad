package main

import (
	"context"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// once is a word that is carried out once, and has an outcome.
type once struct {
	speaker
	because
	Deadline time.Duration `name:"deadline" placeholder:"1m" help:"For how long it may still be carried out, 24h at most. Without it a minute, where two people are needed 15 minutes."`
}

// oneOrMany says it about one scope, or about many payouts.
func (o *once) oneOrMany(ctx context.Context, s cli.Streams, m many, w api.Word) error {
	isMany, err := m.chosen(w.Scope)
	if err != nil {
		return err
	}
	if isMany {
		return o.doMany(ctx, s, m, w)
	}
	o.until(&w)
	w.Reason = o.Reason
	return o.say(ctx, s, w)
}

func (o *once) until(w *api.Word) {
	if o.Deadline != 0 {
		until := time.Now().Add(o.Deadline)
		w.Deadline = &until
	}
}

type cancel struct {
	once
	many
	Scope string `arg:"" optional:"" name:"scope" help:"batch:ID or payout:TRADENO."`
}

// Help says what a cancellation can't do.
func (*cancel) Help() string {
	return "What was never sent becomes payout.rejected. What may have been sent goes its way, and is counted. " +
		"A batch's cancellation stands for ever, also for what comes later."
}

func (*cancel) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl cancel batch:2026-11-payroll --reason "wrong amounts"`, Does: "rejects what was not sent yet, and counts the rest"},
		{Line: `payctl cancel payout:20261125-000001 --reason "left the company"`, Does: "rejects one payout, if it was never sent"},
	}
}

// Run says it.
func (k *cancel) Run(ctx context.Context, s cli.Streams) error {
	return k.oneOrMany(ctx, s, k.many, api.Word{Kind: string(acts.Cancel), Scope: k.Scope})
}

type ask struct {
	once
	many
	Scope string `arg:"" optional:"" name:"scope" help:"batch:ID or payout:TRADENO."`
}

func (*ask) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl ask payout:20261125-000001 --reason "the payee asks"`, Does: "asks the provider about one payout now, within query.rate"},
		{Line: `payctl ask batch:2026-11-payroll --deadline 10m --reason "before the bank closes"`, Does: "asks about all open payouts of a batch, for 10 minutes at most"},
	}
}

// Run says it.
func (k *ask) Run(ctx context.Context, s cli.Streams) error {
	return k.oneOrMany(ctx, s, k.many, api.Word{Kind: string(acts.Ask), Scope: k.Scope})
}

type resolve struct {
	once
	many
	TradeNo string `arg:"" optional:"" name:"tradeNo" help:"The held payout, as TRADENO or payout:TRADENO."`
	As      string `name:"as" required:"" enum:"paid,failed" placeholder:"paid|failed" help:"How it ended."`
	Force   bool   `name:"force" help:"Also where the provider doesn't answer, has an unknown status, or has shown the order once. It needs a second person."`
}

// Help says when a resolve is refused.
func (*resolve) Help() string {
	return "The payout must be held. The provider is asked once more, and what contradicts its answer is refused, by force too. " +
		"As failed it must have said often enough that it has no record of it. To pay again, resolve it as failed and order it under a new tradeNo."
}

func (*resolve) Examples() []cli.Example {
	return []cli.Example{
		{Line: `payctl resolve 20261125-000001 --as failed --reason "the provider wrote that it will never execute it, ticket 4711"`, Does: "ends it; a new order needs a new tradeNo"},
		{Line: `payctl resolve 20261125-000001 --as paid --force --reason "on the bank statement of 25 November"`, Does: "waits for another person's confirm"},
		{Line: `payctl resolve --where "merchant=eg-main,state=held,reason=no record" --as failed --reason "ticket 4711"`, Does: "shows the list with its sum, asks, and says it of each; killed, the same line goes on"},
		{Line: `payctl resolve --from list.txt --as failed --reason "ticket 4711" --yes`, Does: "of the tradeNos of a file, one a line"},
	}
}

// Run says it.
func (k *resolve) Run(ctx context.Context, s cli.Streams) error {
	w := api.Word{Kind: string(acts.Resolve), As: k.As, Force: k.Force}
	if k.TradeNo != "" {
		w.Scope = "payout:" + strings.TrimPrefix(k.TradeNo, "payout:")
	}
	return k.oneOrMany(ctx, s, k.many, w)
}
