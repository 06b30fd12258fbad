package paysim

import (
	"cmp"
	"slices"
	"time"
)

// Ledger is the provider's own record of what happened. Tests compare results with it.
type Ledger struct {
	Entries  []Entry        `json:"entries"`  // of every tradeNo placed with a good sign, ordered by merchantNo and tradeNo
	Requests map[string]int `json:"requests"` // calls by operation and answer, such as "payout accepted"
}

// Entry is everything about one tradeNo of one merchant.
type Entry struct {
	MerchantNo string            `json:"merchantNo"`
	Country    string            `json:"country"`
	TradeNo    string            `json:"tradeNo"`
	Amount     string            `json:"amount"` // as executed first; without an execution, as received last
	Payee      map[string]string `json:"payee"`  // likewise; do not change it, it is shared
	Remark     string            `json:"remark"`
	NotifyURL  string            `json:"notifyUrl"`
	Executions []Execution       `json:"executions"`
	Placements int               `json:"placements"` // placement calls received for it
	LastAt     time.Time         `json:"lastAt"`     // of the latest placement call
	Changed    int               `json:"changed"`    // of these, with another amount or payee than the one before
	Refusals   int               `json:"refusals"`   // of these, answered outer 8000
	Queries    int               `json:"queries"`
	Outcome    string            `json:"outcome"` // of the latest execution: paid, partial, failed, unknown, "" = pending; without one: refused, failed, vanished, "" = never accepted
}

// Execution is one acceptance: an order that exists at the provider. Two paid ones for one
// tradeNo are money lost.
type Execution struct {
	At              time.Time `json:"at"`
	Amount          string    `json:"amount"`
	Status          string    `json:"status"`     // the final one, fixed at acceptance
	PaidAmount      string    `json:"paidAmount"` // what leaves the account, now or later; "0" = nothing
	SettledAt       time.Time `json:"settledAt"`  // from then on a query tells the outcome
	PlatformTradeNo string    `json:"platformTradeNo"`

	visibleAt time.Time // from then on a query finds it
	atOnce    bool      // the placement's answer already tells the outcome
}

// Pays tells whether money leaves for this execution, now or later.
func (x Execution) Pays() bool { return x.PaidAmount != "0" }

// Paid is how often money leaves for this tradeNo, now or later.
func (e Entry) Paid() int {
	n := 0
	for _, x := range e.Executions {
		if x.Pays() {
			n++
		}
	}
	return n
}

// Entry returns the entry of a tradeNo. A zero Entry means that it was never placed.
func (l Ledger) Entry(merchantNo, tradeNo string) Entry {
	i, found := slices.BinarySearchFunc(l.Entries, Entry{MerchantNo: merchantNo, TradeNo: tradeNo}, compareEntries)
	if !found {
		return Entry{}
	}
	return l.Entries[i]
}

// Executed is how often money leaves for a tradeNo, now or later. More than 1 is a double
// payment. Failed executions don't count; Entry.Executions has them too.
func (l Ledger) Executed(merchantNo, tradeNo string) int { return l.Entry(merchantNo, tradeNo).Paid() }

// PaidTwice returns the entries for which money leaves more than once.
func (l Ledger) PaidTwice() (twice []Entry) {
	for _, e := range l.Entries {
		if e.Paid() > 1 {
			twice = append(twice, e)
		}
	}
	return twice
}

func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.MerchantNo, b.MerchantNo), cmp.Compare(a.TradeNo, b.TradeNo))
}

// Ledger copies the ledger as of now. Each merchant's part is consistent by itself.
func (s *Sim) Ledger() Ledger {
	l := Ledger{Entries: []Entry{}, Requests: make(map[string]int)}
	for _, a := range s.merchants {
		a.mu.Lock()
		now := time.Now()
		for _, o := range a.orders {
			if o.Placements > 0 {
				l.Entries = append(l.Entries, o.entry(now))
			}
		}
		for what, n := range a.requests {
			l.Requests[what] += n
		}
		a.mu.Unlock()
	}
	slices.SortFunc(l.Entries, compareEntries)
	return l
}

// Entry returns one entry as of now, without copying the ledger. A zero Entry means that it was
// never placed.
func (s *Sim) Entry(merchantNo, tradeNo string) Entry {
	a := s.merchants[merchantNo]
	if a == nil {
		return Entry{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if o := a.orders[tradeNo]; o != nil && o.Placements > 0 {
		return o.entry(time.Now())
	}
	return Entry{}
}

// Busiest is the largest number of times in any window of that length. The end of a window
// doesn't belong to it.
func Busiest(times []time.Time, window time.Duration) int {
	sorted := slices.SortedFunc(slices.Values(times), time.Time.Compare)
	most, first := 0, 0
	for i, t := range sorted {
		for t.Sub(sorted[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
