package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"disburser/internal/app"
	"disburser/internal/cli"
	"disburser/payout/inquiry"
)

// showFor is how long Redis and Kafka may take to answer.
const showFor = 15 * time.Second

// show tells what is known of a payout.
type show struct {
	configuration
	TradeNo string `arg:"" name:"tradeNo" help:"The payout."`
	JSON    bool   `name:"json" help:"Prints one JSON value instead of a table, with the names of GET /payouts/{tradeNo}."`
}

// Help says what is read, and what isn't shown.
func (*show) Help() string {
	return "It reads the journal in Redis and the topic of the actions, joins nothing and changes nothing. It says how far the payout is, what has become of it, " +
		"why it isn't sent now, and what happens next. The payee is masked. The breakers are each instance's own: GET /payouts/{tradeNo} of its admin HTTP knows them."
}

func (*show) Examples() []cli.Example {
	return []cli.Example{
		{Line: "disburser show 20261125-000001 --config disburser.yaml", Does: "a table; plain lines where the output is no terminal"},
		{Line: "disburser show 20261125-000001 --config disburser.yaml --json", Does: "one JSON value; exit status 1 if nobody knows the payout"},
	}
}

// Run looks a payout up. One that isn't known is exit status 1.
func (w *show) Run(ctx context.Context, s cli.Streams) error {
	c, err := w.load(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, showFor)
	defer cancel()
	answer, unread, err := app.Show(ctx, c, options(), w.TradeNo)
	switch {
	case errors.Is(err, app.ErrNoTradeNo):
		return cli.Usage(fmt.Errorf("%q: %w", w.TradeNo, err))
	case err != nil:
		return marked(err)
	}
	if unread != nil {
		fmt.Fprintf(s.Err, "warning: %s was not read to its end: %v\n", c.Kafka.Topics.Actions, unread)
	}
	if w.JSON {
		err = json.NewEncoder(s.Out).Encode(answer)
	} else {
		err = printAnswer(s, answer)
	}
	if err == nil && (answer.Missing() || answer.Undecided()) {
		return cli.Told(cli.Failed)
	}
	return err
}

// printAnswer prints one line for each thing that is known.
func printAnswer(s cli.Streams, a inquiry.Answer) error {
	t := newTable(s.Out)
	t.row("payout", a.TradeNo)
	t.row("state", a.State)
	t.row("doubt", a.Doubt)
	t.row("why", a.Why)
	if a.Next != nil {
		text := a.Next.Text
		if a.Next.At != nil {
			text = a.Next.At.String() + "  " + text
		}
		t.row("next", text)
	}
	t.row("merchant", a.Merchant)
	t.row("batch", a.BatchID)
	t.row("amount", joined(a.Amount, a.Currency))
	for _, name := range sortedNames(a.Payee) {
		t.row("payee."+name, a.Payee[name])
	}
	t.row("reason", a.Reason)
	t.row("ended by", a.By)
	t.row("confirmed by", a.ConfirmedBy)
	t.row("action", a.Action)
	t.row("contradiction", a.Contradiction)
	t.row("provider says", joined(a.Status, a.StatusText))
	t.row("its number", a.PlatformTradeNo)
	t.row("paid", a.PaidAmount)
	if a.Sends+a.Asks+a.NoRecords > 0 {
		t.row("counts", fmt.Sprintf("%d sends, %d asks, %d counted answers without a record", a.Sends, a.Asks, a.NoRecords))
	}
	for _, e := range a.History {
		text := e.Time.String() + "  " + e.Text
		if e.Number != nil && e.Offset != nil {
			text += fmt.Sprintf(" (%s/%d, offset %d)", e.Topic, *e.Number, *e.Offset)
		}
		t.row("history", text)
	}
	t.row("as of", a.AsOf.String())
	return t.flush()
}
