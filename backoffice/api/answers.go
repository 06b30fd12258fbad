// Package api promises the shapes of the back office's answers, to the server that gives them and to the programs that ask.
// Their JSON names are stable.
package api

import (
	"disburser/backoffice/books"
	"disburser/payout/acts"
)

// Payout is a payout in a list.
type Payout struct {
	TradeNo      string            `json:"tradeNo"`
	State        string            `json:"state" enum:"received,sending,processing,held,paid,partial,failed,rejected"`
	Merchant     string            `json:"merchant"`
	BatchID      string            `json:"batchId"`
	Amount       string            `json:"amount" doc:"as ordered; empty where it isn't known"`
	Currency     string            `json:"currency"`
	PaidAmount   string            `json:"paidAmount" doc:"what the provider says was paid, of paid and partial"`
	Reason       string            `json:"reason" doc:"why it is held, rejected or failed"`
	Undetermined bool              `json:"undetermined,omitempty" doc:"two contents came, and nobody has told yet which one counts"`
	Payee        map[string]string `json:"payee,omitempty" doc:"masked"`
	ReceivedAt   string            `json:"receivedAt,omitempty"`
	ChangedAt    string            `json:"changedAt,omitempty"`
	SettledAt    string            `json:"settledAt,omitempty"`
}

// Payouts is a page of payouts.
type Payouts struct {
	Payouts []Payout `json:"payouts"`
	Next    string   `json:"next,omitempty" doc:"the cursor of the next page; missing on the last one"`
}

// PayoutDetail is all that is known of a payout.
type PayoutDetail struct {
	Payout
	Why             string   `json:"why" doc:"one sentence: where the money is, what proves it, what happens next"`
	Status          string   `json:"status,omitempty" doc:"the provider's last code"`
	StatusText      string   `json:"statusText,omitempty"`
	PlatformTradeNo string   `json:"platformTradeNo,omitempty"`
	Contradiction   string   `json:"contradiction,omitempty"`
	By              string   `json:"by,omitempty" doc:"the person who ended it"`
	ConfirmedBy     string   `json:"confirmedBy,omitempty"`
	Sends           int      `json:"sends"`
	Asks            int      `json:"asks"`
	Duplicates      int      `json:"duplicates" doc:"commands that came again with the same content"`
	NotBefore       string   `json:"notBefore,omitempty"`
	ExpiresAt       string   `json:"expiresAt,omitempty"`
	History         []Moment `json:"history"`
	Stops           []Action `json:"stops,omitempty" doc:"what people have said that stops it"`
	Next            *Next    `json:"next,omitempty" doc:"what happens next, by a disburser's word; missing where none is asked or none answers"`
}

// Moment is one thing that happened, and where it stands in Kafka.
type Moment struct {
	Time      string `json:"time"`
	Event     string `json:"event"`
	Text      string `json:"text"`
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Next is the next step.
type Next struct {
	Step string `json:"step"`
	At   string `json:"at,omitempty"`
	Text string `json:"text"`
}

// Why is one sentence about a payout.
type Why struct {
	TradeNo string `json:"tradeNo"`
	State   string `json:"state"`
	Why     string `json:"why"`
}

// Batch is what is known of a batch.
type Batch struct {
	books.BatchValue
	Closed      bool           `json:"closed"`
	Digest      string         `json:"digest,omitempty" doc:"once it is closed: SHA-256 over 'tradeNo SP fingerprint LF' of what ended and was not rejected, sorted; it may come a second later"`
	DeadLetters map[string]int `json:"deadLetters" doc:"by error_code"`
	Pauses      []Action       `json:"pauses" doc:"what people have said that stops it"`
}

// Batches is a page of batches, the latest first.
type Batches struct {
	Batches []Batch `json:"batches"`
	Next    string  `json:"next,omitempty"`
}

// Overview is the whole at a glance.
type Overview struct {
	Time       string                   `json:"time"`
	States     map[string]int           `json:"states"`
	Amounts    map[string]books.Amounts `json:"amounts" doc:"by currency"`
	Merchants  map[string]Merchant      `json:"merchants"`
	LastMinute Rates                    `json:"lastMinute"`
	Pauses     []Action                 `json:"pauses"`
	Oldest     *Oldest                  `json:"oldestOpen,omitempty"`
	Held       int                      `json:"held"`
	Books      []Lag                    `json:"books"`
}

// Merchant is the same of one merchant.
type Merchant struct {
	States  map[string]int           `json:"states"`
	Amounts map[string]books.Amounts `json:"amounts"`
}

// Rates are of the last minute.
type Rates struct {
	Received int `json:"received"`
	Settled  int `json:"settled"`
}

// Oldest is the payout that is open for longest.
type Oldest struct {
	TradeNo    string `json:"tradeNo"`
	ReceivedAt string `json:"receivedAt"`
}

// Lag is how far a partition was read.
type Lag struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Lag       int64  `json:"lag" doc:"records that the books don't know yet; -1: nobody knows"`
	Trouble   string `json:"trouble,omitempty"`
}

// Action is what a person said, and what came of it.
type Action struct {
	ID          string    `json:"id"`
	Kind        acts.Kind `json:"kind"`
	Scope       string    `json:"scope,omitempty"`
	As          string    `json:"as,omitempty"`
	Force       bool      `json:"force,omitempty"`
	Lifts       []string  `json:"lifts,omitempty"`
	Of          string    `json:"action,omitempty" doc:"of a confirm: the action's id"`
	By          string    `json:"by"`
	Reason      string    `json:"reason"`
	Time        string    `json:"time"`
	ConfirmedBy string    `json:"confirmedBy,omitempty"`
	Status      string    `json:"status" enum:"in force,lifted,waits for a person,waits,obeyed,done,refused,expired,ignored" doc:"what has become of it"`
	Detail      string    `json:"detail,omitempty"`
	Outcomes    []Outcome `json:"outcomes,omitempty" doc:"of a confirm: those of the action that it confirms"`
	Deadline    string    `json:"deadline,omitempty" doc:"until when it may be carried out"`
	Needs       int       `json:"needs,omitempty" doc:"how many people it needs, if more than one"`
	WaitFor     string    `json:"waitFor,omitempty" doc:"how long its outcome may take from when it was said, such as 1m30s"`
	Warnings    []string  `json:"warnings,omitempty" doc:"only in the answer to POST: what it names and nobody knows, so that it is probably mistyped"`
}

// Outcome is what came of an action: for a payout, or in a shard.
type Outcome struct {
	Result   string         `json:"result"`
	TradeNo  string         `json:"tradeNo,omitempty"`
	Shard    *int           `json:"shard,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Certain  *bool          `json:"certain,omitempty" doc:"false: the journal was lost meanwhile, and it may have happened"`
	Evidence *acts.Evidence `json:"evidence,omitempty"`
	Time     string         `json:"time"`
}

// Actions are the latest actions, the latest first.
type Actions struct {
	Actions []Action `json:"actions"`
}

// Problem is an error (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	Faults []Fault `json:"errors,omitempty" doc:"everything that is wrong with what was sent"`
}
