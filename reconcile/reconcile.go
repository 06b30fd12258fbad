// Package reconcile promises to find where commands, results and the provider's statement don't agree. It names
// the class of each mismatch, and finds the same for any order of its input. Amounts are exact.
//
// The input may be larger than the memory: it is sorted by tradeNo in portions, which go into temporary files.
// These hold tradeNos, amounts and states, and no payee.
package reconcile

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

// Class is a kind of mismatch.
type Class string

// The classes.
const (
	Missing       Class = "missing"         // it was ordered, and its final result or its line of the statement is missing
	Unknown       Class = "unknown"         // nobody ordered it
	Duplicate     Class = "duplicate"       // it was paid more than once, or has two final results
	Amount        Class = "amount"          // another amount or currency than ordered
	PaidButFailed Class = "paid_but_failed" // the result says paid, the statement says failed or returned
	FailedButPaid Class = "failed_but_paid" // the result says failed or rejected, the statement says paid
	NotDueYet     Class = "not_due_yet"     // it may not be sent before a later time: no mismatch
)

// Finding is what doesn't agree about a payout.
type Finding struct {
	Class   Class  `json:"class"`
	TradeNo string `json:"tradeNo"` // "": the statement has none
	Detail  string `json:"detail"`  // for a person
}

// Order is a payout as a command ordered it. The same tradeNo may come more than once.
type Order struct {
	TradeNo   string
	Amount    money.Amount
	Currency  string // "" where the command names none: then no currency is compared
	NotBefore time.Time
}

// OrderOf is the order of a command.
func OrderOf(c payout.Command) Order { return Order{c.TradeNo, c.Amount, c.Currency, c.NotBefore} }

// Result is what an event says of a payout. The same event may come more than once.
type Result struct {
	TradeNo    string
	EventID    string
	Type       message.EventType
	Amount     money.Amount // as it was ordered
	Currency   string
	PaidAmount string // "" or a text that isn't read as an amount: not known
}

// ResultOf is the result of an event. An error says that its amount can't be read.
func ResultOf(e message.Event) (Result, error) {
	r := Result{TradeNo: e.TradeNo, EventID: e.EventID, Type: e.Type, Currency: e.Currency, PaidAmount: e.PaidAmount}
	if e.Amount == "" { // of a payout whose command isn't known
		return r, nil
	}
	var err error
	if r.Amount, err = money.Read(e.Amount); err != nil {
		return r, fmt.Errorf("reconcile: the result of %s: its amount %w", e.TradeNo, err)
	}
	return r, nil
}

// State is what a line of a statement says.
type State byte

// The states of lines.
const (
	Paid     State = 'p'
	Failed   State = 'f'
	Returned State = 'r' // money of an earlier payment came back
	Credit   State = 'c' // other money that came in: it counts as returned if it has the tradeNo of an order
	Pending  State = 'w' // it says nothing yet
)

// Line is one line of a statement.
type Line struct {
	TradeNo  string // "" where the line names no valid one
	Amount   money.Amount
	Currency string // "": not said
	State    State
}

// Payout is what was ordered and what was announced under one tradeNo, for who reads both from one place.
type Payout struct {
	Orders  []Order
	Results []Result
}

// Input is what is compared. Each part may come in any order, and is read once. What is nil has nothing.
type Input struct {
	Orders  iter.Seq2[Order, error]
	Results iter.Seq2[Result, error]
	Payouts iter.Seq2[Payout, error]
	Lines   iter.Seq2[Line, error] // nil: there is no statement
}

// Options say how it is compared.
type Options struct {
	Now    time.Time // what isn't due until then may lack everything
	Dir    string    // for temporary files; "" is the system's own
	Memory int       // bytes for sorting; 0 stands for 64 MiB
}

// Report is what was found.
type Report struct {
	Matched  int       `json:"matched"`  // tradeNos about which everything agrees
	Findings []Finding `json:"findings"` // in order of tradeNo, class and detail
}

// Agrees tells that nothing was found but what isn't due yet.
func (r Report) Agrees() bool {
	for _, f := range r.Findings {
		if f.Class != NotDueYet {
			return false
		}
	}
	return true
}

// Run compares everything and answers the report. An error means that some input can't be read, or that
// temporary files can't be written.
func Run(in Input, o Options) (Report, error) {
	report := Report{Findings: []Finding{}}
	matched, err := Each(in, o, func(f Finding) error {
		report.Findings = append(report.Findings, f)
		return nil
	})
	report.Matched = matched
	return report, err
}

// Each is Run for reports that don't fit into memory: each finding is handed out in its order.
func Each(in Input, o Options, found func(Finding) error) (matched int, err error) {
	s := newSorter(o.Dir, o.Memory)
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.addAll(in); err != nil {
		return 0, err
	}
	g := group{statement: in.Lines != nil, now: o.Now}
	judge := func() error {
		findings := g.findings()
		if len(findings) == 0 && g.counts() {
			matched++
		}
		for _, f := range findings {
			if err := found(f); err != nil {
				return err
			}
		}
		return nil
	}
	first := true
	for record, err := range s.sorted() {
		if err != nil {
			return 0, err
		}
		r, err := decode(record)
		if err != nil {
			return 0, err
		}
		if !first && r.tradeNo != g.tradeNo {
			if err := judge(); err != nil {
				return 0, err
			}
			g.reset()
		}
		first = false
		g.add(r)
	}
	if first {
		return 0, nil
	}
	return matched, judge()
}
