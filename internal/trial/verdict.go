package trial

import (
	"fmt"
	"maps"
	"slices"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
	"disburser/paypro/paysim"
)

// Report is the verdict.
type Report struct {
	Rows          map[string]map[message.EventType]int // by merchant and final outcome
	HeldOf        map[string]int                       // by merchant: visibly held, without a final event
	Held          int                                  // the same of all
	Open          []string                             // tradeNos of which nothing was announced
	Repeats       int                                  // events that came more than once, under the same id
	Letters       int
	Codes         map[message.Code]int // dead letters by code
	LetterRepeats int                  // dead letters that came more than once, with the same origin
	Problems      []string             // what else must not be
}

// Good tells whether every command has exactly one final result that the ledger agrees
// with, every dead letter is there, and nothing was paid twice.
func (r Report) Good() bool { return len(r.Problems) == 0 && len(r.Open) == 0 }

// Judge compares what was ordered, what was announced and what the simulator did.
// merchantNos names the simulator's account of each merchant.
func (w *Watcher) Judge(expected Expected, ledger paysim.Ledger, merchantNos map[string]string) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{
		Rows: map[string]map[message.EventType]int{}, HeldOf: map[string]int{},
		Letters: len(w.letters), LetterRepeats: w.repeats, Codes: map[message.Code]int{},
	}
	for _, tradeNo := range slices.Sorted(maps.Keys(expected.TradeNos)) {
		r.payout(expected.Commands[tradeNo], w.results[tradeNo], ledger, merchantNos)
	}
	r.strangers(expected, w.results, ledger)
	for _, l := range w.letters {
		r.Codes[l.Code]++
	}
	r.letters(expected)
	return r
}

// payout judges one payout by what was announced of it.
func (r *Report) payout(c payout.Command, seen []Seen, ledger paysim.Ledger, merchantNos map[string]string) {
	finals := finalsOf(seen)
	r.Repeats += len(seen) - distinct(seen)
	switch {
	case len(seen) == 0:
		r.Open = append(r.Open, c.TradeNo)
		return
	case len(finals) == 0:
		r.Held++
		r.HeldOf[c.Merchant]++
		r.problem("%s: held, no final result: %s", c.TradeNo, seen[len(seen)-1].Event.Reason)
		return
	case len(finals) > 1:
		r.problem("%s: %d different final results", c.TradeNo, len(finals))
	}
	e := finals[0].Event
	if r.Rows[e.Merchant] == nil {
		r.Rows[e.Merchant] = map[message.EventType]int{}
	}
	r.Rows[e.Merchant][e.Type]++
	r.against(e, ledger.Entry(merchantNos[e.Merchant], c.TradeNo))
	if e.Type != message.EventRejected && !same(e.Amount, c.Amount.String()) {
		r.problem("%s: ordered were %s, the result is about %s", c.TradeNo, c.Amount, e.Amount)
	}
}

// against compares a final event with the provider's books.
func (r *Report) against(e message.Event, entry paysim.Entry) {
	due := 0
	if e.Type == message.EventPaid || e.Type == message.EventPartial {
		due = 1
	}
	if entry.Paid() != due {
		r.problem("%s: the result says %s, the provider paid %d times", e.TradeNo, e.Type, entry.Paid())
		return
	}
	switch e.Type {
	case message.EventPaid, message.EventPartial:
		r.sum(e, entry)
	case message.EventFailed:
		if n := len(entry.Executions); n > 0 && entry.Outcome == "" {
			r.problem("%s: the result says %s, the provider has not decided yet", e.TradeNo, e.Type)
		}
	case message.EventRejected:
		if entry.Placements > 0 {
			r.problem("%s: rejected, but it was sent", e.TradeNo)
		}
	case message.EventHeld: // not final
	}
}

// sum compares the outcome and the money of a payout that was paid once.
func (r *Report) sum(e message.Event, entry paysim.Entry) {
	if "payout."+entry.Outcome != string(e.Type) {
		r.problem("%s: the result says %s, the provider's outcome is %q", e.TradeNo, e.Type, entry.Outcome)
	}
	for _, x := range entry.Executions {
		if x.Pays() && !same(x.PaidAmount, e.PaidAmount) {
			r.problem("%s: the result says that %q was paid, the provider paid %s", e.TradeNo, e.PaidAmount, x.PaidAmount)
		}
	}
}

// strangers finds what nobody ordered, and what was paid more than once.
func (r *Report) strangers(expected Expected, results map[string][]Seen, ledger paysim.Ledger) {
	for _, tradeNo := range slices.Sorted(maps.Keys(results)) {
		if _, ordered := expected.TradeNos[tradeNo]; !ordered {
			r.problem("%s: a result, but nobody ordered it", tradeNo)
		}
	}
	for _, e := range ledger.Entries {
		if _, ordered := expected.TradeNos[e.TradeNo]; !ordered {
			r.problem("%s: at the provider, but nobody ordered it", e.TradeNo)
		}
		if e.Paid() > 1 {
			r.problem("%s: PAID %d TIMES", e.TradeNo, e.Paid())
		}
		if e.Changed > 0 {
			r.problem("%s: sent again with other content", e.TradeNo)
		}
	}
}

func (r *Report) letters(expected Expected) {
	codes := maps.Clone(expected.Codes)
	maps.Copy(codes, r.Codes) // for the names of both
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if have, due := r.Codes[code], expected.Codes[code]; have != due {
			r.problem("%d dead letters %s, %d are due", have, code, due)
		}
	}
}

// same compares amounts by value.
func same(a, b string) bool {
	x, errX := money.Parse(a)
	y, errY := money.Parse(b)
	return errX == nil && errY == nil && x.Compare(y) == 0
}

func distinct(seen []Seen) int {
	ids := map[string]bool{}
	for _, s := range seen {
		ids[s.ID] = true
	}
	return len(ids)
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
