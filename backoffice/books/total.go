package books

import (
	"fmt"
	"math/big"
	"strings"

	"disburser/payout"
)

// Copies stands in the place of a state: it counts commands that came again with the same content.
const Copies payout.State = 'd'

// TotalKey is what totals are kept by.
type TotalKey struct {
	BatchID, Merchant, Currency string
	State                       payout.State
}

// Total counts the payouts of a key and sums up their amounts, in millionths. What is Without an amount is counted, and
// adds nothing: an amount that couldn't be read, or that has too many digits.
type Total struct {
	Count, Without int64
	Ordered, Paid  big.Int
}

// IsZero tells that there is nothing.
func (t *Total) IsZero() bool {
	return t.Count == 0 && t.Without == 0 && t.Ordered.Sign() == 0 && t.Paid.Sign() == 0
}

// Add adds another total.
func (t *Total) Add(o *Total) {
	t.Count += o.Count
	t.Without += o.Without
	t.Ordered.Add(&t.Ordered, &o.Ordered)
	t.Paid.Add(&t.Paid, &o.Paid)
}

// Totals are the totals of several keys.
type Totals map[TotalKey]*Total

func (t Totals) of(k TotalKey) *Total {
	of := t[k]
	if of == nil {
		of = new(Total)
		t[k] = of
	}
	return of
}

// count adds what a payout counts for, times sign. As each payout counts in one state only, what was ordered is always
// the sum of what is open and what ended.
func (t Totals) count(p *Payout, v View, sign int64) {
	if v.State == 0 {
		return
	}
	of := t.of(TotalKey{v.BatchID, v.Merchant, v.Currency, v.State})
	of.Count += sign
	if units, fits := Units(v.Amount); fits {
		of.Ordered.Add(&of.Ordered, big.NewInt(sign*units))
	} else {
		of.Without += sign
	}
	if units, fits := Units(v.Paid); fits {
		of.Paid.Add(&of.Paid, big.NewInt(sign*units))
	}
	if v.Order == nil {
		return
	}
	first := true // of all copies one is the payout itself
	for _, o := range p.Orders {
		copies := o.Copies
		if o.content() != v.Order.content() || copies == 0 {
			continue
		}
		if first {
			copies, first = copies-1, false
		}
		if copies > 0 {
			t.of(TotalKey{o.BatchID, v.Order.Merchant, v.Order.Currency, Copies}).Count += sign * int64(copies)
		}
	}
}

// Decimal writes millionths as an amount: "1500", "0.05".
func Decimal(units *big.Int) string {
	digits := new(big.Int).Abs(units).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	text := digits[:len(digits)-scale]
	if fraction := strings.TrimRight(digits[len(digits)-scale:], "0"); fraction != "" {
		text += "." + fraction
	}
	if units.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// ParseSum reads a sum of millionths as the tables hold it.
func ParseSum(text string) (sum big.Int, err error) {
	if _, ok := sum.SetString(text, 10); !ok {
		return sum, fmt.Errorf("books: %q is no sum of an amount: rebuild the books", text)
	}
	return sum, nil
}

// Count adds what a payout counts for.
func (t Totals) Count(p *Payout) { t.count(p, p.View(), 1) }

// Uncount takes away what a payout counts for.
func (t Totals) Uncount(p *Payout) { t.count(p, p.View(), -1) }
