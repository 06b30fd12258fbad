package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// show tells all that is known of a payout.
type show struct{ ofPayout }

func (*show) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl show 20261125-000001", Does: "its state, its history with the places in Kafka, and what happens next"},
		{Line: "payctl show 20261125-000001 --json", Does: "one JSON value; exit status 1 if the books don't know it"},
	}
}

// Run tells it.
func (w *show) Run(ctx context.Context, s cli.Streams) error {
	return tellOne(ctx, s, w.office, escaped("/payouts/", w.TradeNo), func(d api.PayoutDetail) error { return tellPayout(s, d) })
}

func tellPayout(s cli.Streams, d api.PayoutDetail) error {
	t := newTable(s.Out)
	t.say("payout", d.TradeNo)
	t.say("state", d.State)
	t.say("why", d.Why)
	t.say("merchant", d.Merchant)
	t.say("batch", d.BatchID)
	t.say("amount", d.Amount, d.Currency)
	t.say("paid", d.PaidAmount)
	for _, name := range slices.Sorted(maps.Keys(d.Payee)) {
		t.say("payee."+name, d.Payee[name])
	}
	t.say("reason", d.Reason)
	t.say("ended by", d.By)
	t.say("confirmed by", d.ConfirmedBy)
	t.say("contradiction", d.Contradiction)
	t.say("provider says", d.Status, d.StatusText)
	t.say("its number", d.PlatformTradeNo)
	t.say("not before", d.NotBefore)
	t.say("expires", d.ExpiresAt)
	if d.Duplicates > 0 {
		t.say("came again", fmt.Sprint(d.Duplicates))
	}
	for _, stop := range d.Stops {
		t.say("stopped", string(stop.Kind), stop.Scope, "by", stop.By+":", stop.Reason)
	}
	if d.Next != nil {
		t.say("next", d.Next.At, d.Next.Text)
	}
	for _, m := range d.History {
		t.say("history", m.Time, m.Text, fmt.Sprintf("(%s/%d, offset %d)", m.Topic, m.Partition, m.Offset))
	}
	return t.flush()
}

// why says one sentence.
type why struct{ ofPayout }

func (*why) Examples() []cli.Example {
	return []cli.Example{{Line: "payctl why 20261125-000001", Does: "where the money is, what proves it, what happens next"}}
}

// Run says it.
func (w *why) Run(ctx context.Context, s cli.Streams) error {
	return tellOne(ctx, s, w.office, escaped("/why/", w.TradeNo), func(answer api.Why) error {
		fmt.Fprintln(s.Out, cli.OneLine(answer.Why))
		return nil
	})
}

// held lists what waits for a person.
type held struct {
	office
	Merchant string `name:"merchant" placeholder:"NAME" help:"Only those of this merchant."`
}

func (*held) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl held", Does: "all payouts that wait for a person, the oldest first, with the reason"},
		{Line: "payctl held --merchant eg-main --json", Does: "one JSON value a line"},
	}
}

// Run lists them.
func (h *held) Run(ctx context.Context, s cli.Streams) error {
	query := url.Values{"state": {"held"}}
	if h.Merchant != "" {
		query.Set("merchant", h.Merchant)
	}
	_, err := h.list(ctx, s, query)
	return err
}

// list prints payouts, and answers how many.
func (o office) list(ctx context.Context, s cli.Streams, query url.Values) (n int, err error) {
	c, err := o.client()
	if err != nil {
		return 0, err
	}
	header := []string{"TRADENO", "STATE", "AMOUNT", "MERCHANT", "BATCH", "SINCE", "PAYEE", "REASON"}
	return tellEach(s, o, header, c.Each(ctx, query), func(p api.Payout) []string {
		return []string{p.TradeNo, p.State, p.Amount + " " + p.Currency, p.Merchant, p.BatchID, p.ChangedAt, masked(p.Payee), p.Reason}
	})
}

func masked(payee map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(payee)) {
		all = append(all, payee[name])
	}
	return strings.Join(all, " ")
}

// find looks for the payouts of a payee.
type find struct {
	office
	Payee string `name:"payee" required:"" placeholder:"VALUE" help:"A whole value of a payee's field, such as an account or a name; - reads it from stdin, so that no list of processes shows it."`
}

// Help says how it is found.
func (*find) Help() string {
	return "The books hold no payee in clear. The value is compared by a keyed hash, so it must be whole; capitals and white space make no difference."
}

func (*find) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl find --payee 01123456789", Does: "every payout to this account; exit status 1 if there is none"},
		{Line: "payctl find --payee - --json", Does: "reads the value from stdin"},
	}
}

// Run looks for them.
func (f *find) Run(ctx context.Context, s cli.Streams) error {
	value := f.Payee
	if value == "-" {
		var err error
		if value, err = readLine(ctx); err != nil {
			return err
		}
	}
	if strings.TrimSpace(value) == "" {
		return cli.Usage(errors.New("--payee must have a value"))
	}
	n, err := f.list(ctx, s, url.Values{"payee": {strings.TrimSpace(value)}})
	if err == nil && n == 0 {
		return errors.New("the books know no payout to this payee")
	}
	return err
}

// actions lists what people said.
type actions struct {
	office
	Last    int  `name:"last" default:"50" help:"So many at most, the latest first; 1000 is the most."`
	Waiting bool `name:"waiting" help:"Of the last 1000 only those that wait for a second person."`
}

func (*actions) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl actions --last 10", Does: "who, what, why, and what came of it"},
		{Line: "payctl actions --waiting --json", Does: "what a second person may confirm, one JSON value a line: payctl confirm --from takes it"},
	}
}

// Run lists them.
func (a *actions) Run(ctx context.Context, s cli.Streams) error {
	if a.Last < 1 || a.Last > 1000 {
		return cli.Usage(errors.New("--last must be from 1 to 1000"))
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	limit := a.Last
	if a.Waiting {
		limit = 1000
	}
	all, err := api.Get[api.Actions](ctx, c, "/actions", url.Values{"limit": {fmt.Sprint(limit)}})
	if err != nil {
		return marked(err)
	}
	if a.Waiting {
		all.Actions = slices.DeleteFunc(all.Actions, func(one api.Action) bool { return one.Status != waitsForPerson })
	}
	header := []string{"TIME", "ID", "WHAT", "BY", "CONFIRMED", "STATE", "REASON", "OUTCOME"}
	_, err = tellEach(s, a.office, header, listed(all.Actions), func(one api.Action) []string {
		what := []string{string(one.Kind), one.Scope, one.Of, one.As}
		if one.Force {
			what = append(what, "by force")
		}
		return []string{one.Time, one.ID, strings.Join(what, " "), one.By, one.ConfirmedBy, one.Status, one.Reason, outcome(one)}
	})
	return err
}

func outcome(a api.Action) string {
	texts := []string{}
	if a.Detail != "" {
		texts = append(texts, a.Detail)
	}
	for _, o := range a.Outcomes {
		text := o.Result
		if o.Certain != nil && !*o.Certain {
			text += ", and it may have happened"
		}
		if o.Detail != "" {
			text += ": " + o.Detail
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}
