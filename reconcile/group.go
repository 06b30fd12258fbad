package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

// group is all that is known of one tradeNo.
type group struct {
	tradeNo   string
	orders    []Order
	finals    []Result // different ones
	held      []Result
	lines     []Line
	statement bool
	now       time.Time
}

func (g *group) reset() {
	*g = group{orders: g.orders[:0], finals: g.finals[:0], held: g.held[:0], lines: g.lines[:0], statement: g.statement, now: g.now}
}

// add adds a record of the group's tradeNo.
func (g *group) add(r record) {
	g.tradeNo = r.tradeNo
	switch r.kind {
	case anOrder:
		g.orders = append(g.orders, r.order)
	case aLine:
		g.lines = append(g.lines, r.line)
	case aResult:
		to := &g.held
		if _, final := message.FinalOf(r.result.Type); final {
			to = &g.finals
		}
		if !slices.ContainsFunc(*to, func(known Result) bool { return known.EventID == r.result.EventID && known.Type == r.result.Type }) {
			*to = append(*to, r.result)
		}
	}
}

// counts tells that something was ordered, announced or paid: money that came in by itself doesn't count.
func (g *group) counts() bool {
	return g.tradeNo != "" && (len(g.orders) > 0 || len(g.finals)+len(g.held) > 0 || slices.ContainsFunc(g.lines, func(l Line) bool { return l.State != Credit }))
}

// findings are what doesn't agree, in order of class and detail.
func (g *group) findings() []Finding {
	var found []Finding
	add := func(class Class, format string, args ...any) {
		found = append(found, Finding{class, g.tradeNo, fmt.Sprintf(format, args...)})
	}
	known := len(g.orders) > 0
	switch {
	case g.tradeNo == "":
		for _, l := range g.lines {
			if l.State == Paid {
				add(Unknown, "the statement has a payment of %s without a valid tradeNo", l.money())
			}
		}
	case !known && g.counts():
		add(Unknown, "no command has ordered it: %s", g.whatThereIs())
	case known:
		g.compareResults(add)
		if g.statement {
			g.compareStatement(add)
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Detail, b.Detail)) })
	return slices.Compact(found)
}

// adder notes a finding.
type adder func(class Class, format string, args ...any)

// compareResults compares the orders with the results.
func (g *group) compareResults(add adder) {
	switch {
	case len(g.finals) > 1:
		add(Duplicate, "it has %d different final results: %s", len(g.finals), g.whatResults())
	case len(g.finals) == 0 && g.early() && g.net() <= 0 && len(g.held) == 0:
		add(NotDueYet, "it is not sent before %s", g.due().Format(time.RFC3339))
		return
	case len(g.finals) == 0 && len(g.held) > 0:
		add(Missing, "it is held and has no final result%s", g.whatLines())
	case len(g.finals) == 0:
		add(Missing, "it has no final result%s", g.whatLines())
	}
	for _, r := range g.finals {
		if r.Amount.IsZero() { // the journal that announced it knew no command
			continue
		}
		if !slices.ContainsFunc(g.orders, func(o Order) bool { return o.Amount.Compare(r.Amount) == 0 && sameCurrency(o.Currency, r.Currency) }) {
			add(Amount, "ordered is %s, the result is about %s", g.whatOrders(), text(r.Amount, r.Currency))
		}
		paid, err := money.Read(r.PaidAmount)
		if r.Type == message.EventPaid && err == nil && paid.Compare(r.Amount) != 0 {
			add(Amount, "ordered is %s, the result says that %s was paid", g.whatOrders(), text(paid, r.Currency))
		}
	}
}

// compareStatement compares the statement with the results, and where there are none with the orders.
func (g *group) compareStatement(add adder) {
	net := g.net()
	if net > 1 {
		add(Duplicate, "the statement has it paid %d times: %s", net, g.whatPaid())
	}
	state := payout.StateSending
	if len(g.finals) > 0 {
		state, _ = message.FinalOf(g.finals[0].Type)
	}
	switch {
	case len(g.finals) > 1: // the result is not known
	case state == payout.StatePaid || state == payout.StatePartial:
		switch {
		case net >= 1:
		case g.has(Failed) || g.has(Returned) || g.has(Credit):
			add(PaidButFailed, "the result says %s, the statement says %s", g.finals[0].Type, g.whatStates())
		default:
			add(Missing, "the result says %s, the statement has no payment%s", g.finals[0].Type, g.whatLines())
		}
	case state.Final() && net >= 1:
		add(FailedButPaid, "the result says %s, the statement has it paid: %s", g.finals[0].Type, g.whatPaid())
	}
	if net == 1 {
		g.compareAmount(add)
	}
}

// compareAmount compares what was paid with what the result says, or else with what was ordered.
func (g *group) compareAmount(add adder) {
	for _, r := range g.finals {
		if _, err := money.Read(r.PaidAmount); r.Type == message.EventPartial && err != nil { // nobody knows which part
			return
		}
	}
	var paid []Line
	for _, l := range g.lines {
		if l.State == Paid {
			paid = append(paid, l)
		}
	}
	for _, want := range g.expected() {
		if slices.ContainsFunc(paid, func(l Line) bool {
			return l.Amount.Compare(want.Amount) == 0 && sameCurrency(l.Currency, want.Currency)
		}) {
			return
		}
	}
	add(Amount, "ordered is %s, the statement has it paid with %s", g.whatOrders(), g.whatPaid())
}

// expected are the amounts that may have been paid.
func (g *group) expected() (all []Order) {
	for _, r := range g.finals {
		if paid, err := money.Read(r.PaidAmount); err == nil && r.Type == message.EventPartial {
			all = append(all, Order{Amount: paid, Currency: r.Currency})
		} else if !r.Amount.IsZero() {
			all = append(all, Order{Amount: r.Amount, Currency: r.Currency})
		}
	}
	if len(all) == 0 {
		return g.orders
	}
	return all
}

// net is how often the statement has it paid, less what came back.
func (g *group) net() (n int) {
	for _, l := range g.lines {
		switch l.State {
		case Paid:
			n++
		case Returned, Credit:
			n--
		case Failed, Pending:
		}
	}
	return n
}

func (g *group) has(s State) bool {
	return slices.ContainsFunc(g.lines, func(l Line) bool { return l.State == s })
}

// due is when it may be sent, the earliest if commands say different times.
func (g *group) due() time.Time {
	return slices.MinFunc(g.orders, func(a, b Order) int { return a.NotBefore.Compare(b.NotBefore) }).NotBefore
}

func (g *group) early() bool { return g.due().After(g.now) }

// sameCurrency compares currencies; one that isn't said is any.
func sameCurrency(a, b string) bool { return a == "" || b == "" || strings.EqualFold(a, b) }
