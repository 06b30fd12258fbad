package paysim

import (
	"maps"
	"math/big"
	"strings"
	"sync"
	"time"
)

// account is one merchant at the provider. One mutex per merchant is enough: it is held for
// microseconds, and nothing waits while it is held.
type account struct {
	Merchant
	profile              *profile
	routes               map[string]op // full paths
	signIn               string
	minAmount, maxAmount *big.Rat // nil = no limit
	repeat               Repeat
	random               random

	mu       sync.Mutex // protects everything below
	behavior Behavior
	outage   Outage
	orders   map[string]*order // by tradeNo, also tradeNos that were only asked about
	requests map[string]int
	arrivals [ops][]time.Time
	admitted [ops][]time.Time // calls of the last second, used for "too fast"
}

func newAccount(cfg Config, m Merchant) *account {
	a := &account{
		Merchant: m,
		profile:  countries[m.Country],
		repeat:   cfg.Repeat,
		random:   newRandom(cfg.Seed, m.MerchantNo),
		behavior: cfg.Behavior,
		orders:   make(map[string]*order),
		requests: make(map[string]int),
	}
	if m.Behavior != nil {
		a.behavior = *m.Behavior
	}
	a.minAmount, a.maxAmount = m.limits(a.profile)
	a.routes = m.routes(a.profile)
	a.signIn = m.SignIn
	if a.signIn == "" {
		a.signIn = a.profile.signIn
	}
	return a
}

// routes returns the operation of each full path of the merchant.
func (m Merchant) routes(p *profile) map[string]op {
	routes := make(map[string]op)
	configured := [ops]string{m.Paths.Payout, m.Paths.Query, m.Paths.Balance}
	for o := range ops {
		paths := p.calls[o].paths
		if configured[o] != "" {
			paths = []string{configured[o]}
		}
		for _, path := range paths {
			routes[m.BasePath+path] = o
		}
	}
	return routes
}

// order is an Entry with what the simulator needs besides.
type order struct {
	Entry
	fate           fate // of the latest placement
	settledAnswers int  // queries answered after the settlement
}

// order returns the order of a tradeNo, and makes it if it is new. The caller holds mu.
func (a *account) order(tradeNo string) *order {
	o := a.orders[tradeNo]
	if o == nil {
		tradeNo = strings.Clone(tradeNo)
		o = &order{Entry: Entry{MerchantNo: a.MerchantNo, Country: a.Country, TradeNo: tradeNo}}
		a.orders[tradeNo] = o
	}
	return o
}

// receive records a placement call, and whether its content differs from the one before. The
// content that was executed first stays.
func (o *order) receive(p params, now time.Time) {
	amount, payee := p.value("amount"), p.payee()
	o.Placements++
	o.LastAt = now
	if o.Placements > 1 && (amount != o.Amount || !maps.Equal(payee, o.Payee)) {
		o.Changed++
	}
	if len(o.Executions) == 0 {
		o.Amount, o.Payee, o.Remark, o.NotifyURL = amount, payee, p.value("remark"), p.value("notifyUrl")
	}
}

// payee returns the fields that are not common to all countries.
func (p params) payee() map[string]string {
	out := make(map[string]string, len(p))
	for name := range p {
		switch name {
		case "tradeNo", "amount", "timestamp", "notifyUrl", "remark", "sign":
		default:
			out[name] = p.value(name)
		}
	}
	return out
}

// execute creates an order at the provider. Its outcome and all its times are fixed here.
func (a *account) execute(o *order, amount string, now time.Time) *Execution {
	b, tradeNo, n := &a.behavior, o.TradeNo, len(o.Executions)+1
	x := Execution{At: now, Amount: amount, PlatformTradeNo: a.platformNumber(tradeNo, n)}
	x.Status, x.PaidAmount = a.finalStatus(o, amount)
	x.SettledAt = now
	if x.atOnce = a.random.draw(drawAtOnce, tradeNo, 0) < b.SettleAtOnce; !x.atOnce {
		x.SettledAt = now.Add(settleDelay(a.random.draw(drawSettle, tradeNo, n), b.SettleMin, b.SettleMax))
	}
	x.visibleAt = now.Add(b.NoRecordLag)
	o.Executions = append(o.Executions, x)
	return &o.Executions[n-1]
}

// finalStatus is the final status of an execution, and the amount that is paid by then.
func (a *account) finalStatus(o *order, amount string) (status, paid string) {
	switch o.fate {
	case fateFailed:
		return statusFailed, "0"
	case fateLimited:
		return statusLimited, "0"
	case fatePartial:
		return statusPartial, half(amount)
	case fateUnknown:
		if a.random.draw(drawExecuted, o.TradeNo, 0) < 0.5 {
			return statusUnknown, "0"
		}
		return statusUnknown, amount
	}
	return statusPaid, amount
}

// platformNumber has 16 characters, as in the samples. It is a hash, so a repeated run gives
// the same numbers.
func (a *account) platformNumber(tradeNo string, execution int) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	h := a.random.hash(drawNumber, tradeNo, execution)
	var out [16]byte
	for i := range out {
		if i == 12 { // a 64-bit hash gives 12 digits of base 36: take a second one
			h = a.random.hash(drawNumber, tradeNo, -execution)
		}
		out[i], h = letters[h%36], h/36
	}
	return string(out[:])
}

// half returns half of an amount. It rounds up the last digit.
func half(amount string) string {
	whole, fraction, pointed := strings.Cut(amount, ".")
	n, _ := new(big.Int).SetString(whole+fraction, 10)
	text := n.Rsh(n.Add(n, big.NewInt(1)), 1).String()
	if !pointed {
		return text
	}
	if short := len(fraction) + 1 - len(text); short > 0 {
		text = strings.Repeat("0", short) + text
	}
	at := len(text) - len(fraction)
	return text[:at] + "." + text[at:]
}

// latestVisible returns the latest execution that a query finds at a moment, nil if there is
// none.
func (o *order) latestVisible(now time.Time) *Execution {
	for i := len(o.Executions) - 1; i >= 0; i-- {
		if !o.Executions[i].visibleAt.After(now) {
			return &o.Executions[i]
		}
	}
	return nil
}

// settled tells whether the outcome is visible at a moment.
func (x *Execution) settled(now time.Time) bool { return !x.SettledAt.After(now) }

// entry copies the Entry at a moment. Executions are only appended, so the copy may share them.
func (o *order) entry(now time.Time) Entry {
	e := o.Entry
	n := len(e.Executions)
	e.Executions = e.Executions[:n:n]
	e.Outcome = o.outcome(now)
	return e
}

// outcome is Entry.Outcome at a moment.
func (o *order) outcome(now time.Time) string {
	if n := len(o.Executions); n > 0 {
		if last := &o.Executions[n-1]; last.settled(now) {
			return outcomes[last.Status]
		}
		return ""
	}
	switch {
	case o.fate == fateFailedAtOnce:
		return "failed"
	case o.fate == fateVanished:
		return "vanished"
	case o.Refusals > 0:
		return "refused"
	}
	return ""
}
