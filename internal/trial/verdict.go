package trial

import (
	"fmt"
	"maps"
	"slices"

	"disburser/payout"
	"disburser/paypro/paysim"
)

// Expected is what must come of commands.
type Expected struct {
	TradeNos map[string]string // every payout that was ordered, and its merchant as ordered
	Letters  int               // dead letters
}

// Expect reads the commands as the contract does.
func Expect(lines []string) Expected {
	e := Expected{TradeNos: map[string]string{}}
	first := map[string]payout.Fingerprint{}
	for _, line := range lines {
		orders, err := payout.Decode([]byte(line))
		if err != nil {
			e.Letters++
			continue
		}
		for _, o := range orders {
			content := o.Command.Fingerprint()
			switch before, known := first[o.Command.TradeNo]; {
			case o.Unreadable != nil, known && before != content:
				e.Letters++
			case !known:
				first[o.Command.TradeNo] = content
				e.TradeNos[o.Command.TradeNo] = o.Command.Merchant
			}
		}
	}
	return e
}

// Report is the verdict.
type Report struct {
	Rows     map[string]map[payout.EventType]int // by merchant and final outcome
	Held     int                                 // payouts without a final event that are visibly held
	Repeats  int                                 // events that came more than once, under the same id
	Letters  int
	Problems []string // what must not be; none means that all is well
}

// Good tells whether every command has exactly one final result that the ledger agrees
// with, and nothing was paid twice.
func (r Report) Good() bool { return len(r.Problems) == 0 }

// Judge compares what was ordered, what was announced and what the simulator did.
// merchantNos names the simulator's account of each merchant.
func (w *Watcher) Judge(expected Expected, ledger paysim.Ledger, merchantNos map[string]string) Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{Rows: map[string]map[payout.EventType]int{}, Letters: len(w.letters)}
	for _, tradeNo := range slices.Sorted(maps.Keys(expected.TradeNos)) {
		w.judgeOne(&r, tradeNo, ledger, merchantNos)
	}
	for tradeNo := range w.results {
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
	}
	if len(w.letters) < expected.Letters {
		r.problem("%d dead letters, %d are due", len(w.letters), expected.Letters)
	}
	return r
}

func (w *Watcher) judgeOne(r *Report, tradeNo string, ledger paysim.Ledger, merchantNos map[string]string) {
	seen := w.results[tradeNo]
	finals := finalsOf(seen)
	r.Repeats += len(seen) - distinct(seen)
	if len(finals) == 0 {
		if len(seen) > 0 {
			r.Held++
		}
		r.problem("%s: no final result (%d events)", tradeNo, len(seen))
		return
	}
	if len(finals) > 1 {
		r.problem("%s: %d different final results", tradeNo, len(finals))
	}
	e := finals[0].Event
	if r.Rows[e.Merchant] == nil {
		r.Rows[e.Merchant] = map[payout.EventType]int{}
	}
	r.Rows[e.Merchant][e.Type]++
	due := 0
	if e.Type == payout.EventPaid || e.Type == payout.EventPartial {
		due = 1
	}
	entry := ledger.Entry(merchantNos[e.Merchant], tradeNo)
	if entry.Paid() != due {
		r.problem("%s: the result says %s, the provider paid %d times", tradeNo, e.Type, entry.Paid())
	}
	if e.Type == payout.EventRejected && entry.Placements > 0 {
		r.problem("%s: rejected, but it was sent", tradeNo)
	}
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
