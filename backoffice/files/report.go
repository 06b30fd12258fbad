// Package files promises to find everything that is wrong with a file of payouts before any of it is sent.
// Each problem has its line, its column and what to write instead. The rules are the service's own. Nothing
// is guessed and nothing is corrected in silence.
//
// Problems and proposals never have a payee's value: they show the rule, or what to do. They may show the
// value of an amount, a time, or a merchant's name that is probably meant.
//
// A file is a table (see package rows), or one command as JSON on each line. It is read once, line by line.
// What is remembered of a line is its tradeNo, its fingerprint and its problems.
package files

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"

	"disburser/payout"
	"disburser/payout/money"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line     int    `json:"line"`     // the first is 1, in a table that of its header
	Column   string `json:"column"`   // as the header has it; of JSON the name of the field; "" for the whole line
	Problem  string `json:"problem"`  // what is wrong
	Proposal string `json:"proposal"` // what to write instead
}

// Total counts the good payouts of a merchant in one currency.
type Total struct {
	Merchant string `json:"merchant"`
	Currency string `json:"currency"`
	Count    int    `json:"count"`
	Sum      string `json:"sum"` // a decimal number
}

// Report says what stands in a file.
type Report struct {
	Lines    int       `json:"lines"`    // lines with payouts, without the header
	Problems []Problem `json:"problems"` // in order of their lines, 100,000 at most

	More   int     `json:"more,omitempty"` // problems that aren't listed
	Totals []Total `json:"totals"`         // in order of merchant and currency
	Digest string  `json:"digest"`         // of the good payouts: SHA-256 over "tradeNo SP fingerprint LF", sorted by tradeNo

	Table bool `json:"-"` // whether the file is a table, and not JSON lines
}

// payouts remembers of a whole file what one line can't tell.
type payouts struct {
	seen   map[string]seen
	totals map[totalKey]*total
}

type totalKey struct{ merchant, currency string }

type total struct {
	count int
	sum   money.Sum
}

// seen is the first payout of a tradeNo.
type seen struct {
	line        int32
	good        bool
	fingerprint [payout.FingerprintLen]byte // no text of its own: there may be a million
}

func newPayouts() *payouts {
	return &payouts{seen: map[string]seen{}, totals: map[totalKey]*total{}}
}

// add counts a payout.
func (all *payouts) add(p payout.Payout, line int, good bool) {
	all.seen[p.TradeNo] = seen{int32(line), good, [payout.FingerprintLen]byte([]byte(p.Fingerprint))}
	if !good {
		return
	}
	key := totalKey{p.Merchant, p.Currency}
	t := all.totals[key]
	if t == nil {
		t = &total{}
		all.totals[key] = t
	}
	t.count++
	t.sum.Add(p.Amount)
}

// sums are the totals in their order.
func (all *payouts) sums() []Total {
	list := make([]Total, 0, len(all.totals))
	for key, t := range all.totals {
		list = append(list, Total{key.merchant, key.currency, t.count, t.sum.String()})
	}
	slices.SortFunc(list, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Currency, b.Currency))
	})
	return list
}

// digest is what a batch of these payouts is recognised by, under whatever name and in whatever order.
func (all *payouts) digest() string {
	h := sha256.New()
	for _, tradeNo := range slices.Sorted(maps.Keys(all.seen)) {
		if s := all.seen[tradeNo]; s.good {
			_, _ = io.WriteString(h, tradeNo+" "+string(s.fingerprint[:])+"\n") // a hash takes everything
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
