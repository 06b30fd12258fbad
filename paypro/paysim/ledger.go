package paysim

import (
	"cmp"
	"slices"
	"time"
)

// Ledger is the provider's own account of what happened: the truth that results are
// compared with.
type Ledger struct {
	Entries  []Entry        `json:"entries"`  // of every tradeNo placed with a good sign, sorted by merchantNo and tradeNo
	Requests map[string]int `json:"requests"` // calls by operation and answer, such as "payout accepted"
}

// Entry is everything about one tradeNo of one merchant.
type Entry struct {
	MerchantNo string            `json:"merchantNo"`
	Country    string            `json:"country"`
	TradeNo    string            `json:"tradeNo"`
	Amount     string            `json:"amount"` // as first executed; before that, as last received
	Payee      map[string]string `json:"payee"`  // likewise the country's fields; shared, read only
	Remark     string            `json:"remark"`
	NotifyURL  string            `json:"notifyUrl"`
	Executions []Execution       `json:"executions"`
	Placements int               `json:"placements"` // placement calls received for it
	Changed    int               `json:"changed"`    // of these, with another amount or payee than before
	Refusals   int               `json:"refusals"`   // of these, answered outer 8000
	Queries    int               `json:"queries"`
	Outcome    string            `json:"outcome"` // of the latest execution: paid, partial, failed, unknown, "" = pending; without one: refused, failed, vanished, "" = never accepted
}

// Execution is one acceptance: an order that exists at the provider. Two of them
// for one tradeNo are money spent twice.
type Execution struct {
	At              time.Time `json:"at"`
	Amount          string    `json:"amount"`
	Status          string    `json:"status"`     // the final one, fixed at acceptance
	PaidAmount      string    `json:"paidAmount"` // what leaves or will leave the account; "0" = nothing
	SettledAt       time.Time `json:"settledAt"`  // from then on a query tells
	PlatformTradeNo string    `json:"platformTradeNo"`

	visibleAt time.Time // from then on a query finds it
	atOnce    bool      // the placement's answer says the outcome already
}

// Pays tells whether money leaves for this execution, now or later.
func (x Execution) Pays() bool { return x.PaidAmount != "0" }

// Paid is how often money left or will leave for this tradeNo.
func (e Entry) Paid() int {
	n := 0
	for _, x := range e.Executions {
		if x.Pays() {
			n++
		}
	}
	return n
}

// Entry finds a tradeNo; a zero Entry means that it was never placed.
func (l Ledger) Entry(merchantNo, tradeNo string) Entry {
	i, found := slices.BinarySearchFunc(l.Entries, Entry{MerchantNo: merchantNo, TradeNo: tradeNo}, compareEntries)
	if !found {
		return Entry{}
	}
	return l.Entries[i]
}

// Executed is how often money left or will leave for a tradeNo: anything above 1 is
// the disaster. Failed executions don't count; len(Entry.Executions) has them too.
func (l Ledger) Executed(merchantNo, tradeNo string) int { return l.Entry(merchantNo, tradeNo).Paid() }

// PaidTwice are the entries for which money left more than once.
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

// Ledger returns a copy as of now, one consistent moment per merchant.
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

// Entry is one tradeNo as of now, without copying the ledger; a zero Entry means that
// it was never placed.
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

// Busiest is the largest number of times within any window of that length, the
// window's end excluded.
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
