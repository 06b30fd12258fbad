package finding

import (
	"cmp"
	"time"

	"disburser/payout/money"
)

// Kind is the verdict in a finding: what one answer (or the lack of one) of the
// provider tells about a payout. Everything doubtful is Unclear.
type Kind uint8

// The kinds, of a send, of an ask, or of both. Their numbers stand in the journal.
const (
	// Unclear: timeouts, resets, 5xx, outer 5000, unreadable or contradictory
	// answers, an unexpected HTTP status. It never moves money by itself.
	Unclear Kind = iota

	Accepted       // send: outer 0000, data.status 0015
	SettledPaid    // send: outer 0000, data.status 0000
	SettledPartial // send: outer 0000, data.status 0001
	SettledFailed  // send: outer 0000, data.status 00029, 0029 or 0100019
	Refused        // send: outer 8000, the provider says that the request failed
	NotSent        // send: proven, no byte of the request left this process

	Processing    // ask: data.status 0015
	Paid          // ask: data.status 0000
	Partial       // ask: data.status 0001
	Failed        // ask: data.status 00029, 0029 or 0100019
	NoRecord      // ask: HTTP 200, readable, outer code in no_record.codes, no data.status
	UnknownStatus // ask: outer 0000 with any other data.status, 00032 too

	SettledOther // send: outer 0000 with any other data.status, 00032 too
	Stopped      // send: a person's action forbids it; proven, no byte of the request left
)

var kindNames = [...]string{
	Unclear: "unclear", Accepted: "accepted", SettledPaid: "settled_paid", SettledPartial: "settled_partial",
	SettledFailed: "settled_failed", Refused: "refused", NotSent: "not_sent", Processing: "processing",
	Paid: "paid", Partial: "partial", Failed: "failed", NoRecord: "no_record", UnknownStatus: "unknown_status",
	SettledOther: "settled_other", Stopped: "stopped",
}

// String is the kind's name as metrics and logs carry it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// SendKinds and AskKinds list what a send and an ask can find. Tests walk the whole table by
// them, and metrics show a zero before the first failure.
var (
	SendKinds = []Kind{Accepted, SettledPaid, SettledPartial, SettledFailed, SettledOther, Refused, NotSent, Stopped, Unclear}
	AskKinds  = []Kind{Processing, Paid, Partial, Failed, NoRecord, UnknownStatus, Unclear}
)

// Shows tells that the provider has, or had, an order.
func (f Finding) Shows() bool {
	switch f.Kind {
	case Processing, Paid, Partial, Failed, UnknownStatus:
		return true
	default: // what a send was answered is no evidence by itself, and NoRecord is the opposite
		return f.Order
	}
}

// Wordless is the finding without the provider's own words. It is for a payout whose payee isn't
// known (Payout.Orphan): nothing tells which of the words are people's data.
func (f Finding) Wordless() Finding {
	f.StatusText, f.PlatformTradeNo = "", ""
	if f.Kind == UnknownStatus {
		f.Status, f.StatusKey = "***", cmp.Or(f.StatusKey, f.Status) // the key is compared and never shown
	}
	if f.SucceededAt.IsZero() {
		f.SuccessTime = ""
	}
	return f
}

// Finding is what one call to the provider found about one payout.
type Finding struct {
	Kind Kind

	// Served tells that the provider answered this merchant with outer code 0000, so it doesn't
	// refuse the merchant as a whole. (A wrong signature gets outer 8000, like many others.) A
	// NoRecord of another payout needs this evidence.
	Served bool

	// Order tells that an Unclear answer speaks of an order, though it decides nothing. That
	// there is no order is no longer believed.
	Order bool

	// Nameless tells of an Unclear answer that it would be clear if it named its tradeNo.
	Nameless bool

	// What the provider wrote, as it wrote it; empty where it said nothing.
	Status          string // data.status, or the outer code where there is no data.status
	StatusText      string // data.desc, data.message or msg
	PlatformTradeNo string // the provider's own number
	AmountUnread    bool   // the answer has an amount, but not one that can be read exactly
	PaidAmount      string // the amount in a query's answer; only meaningful with a final status
	SuccessTime     string // yyyy-MM-dd HH:mm:ss, the provider's local time

	// Payee data in these texts is replaced by ***. What they decide is therefore told apart:
	StatusKey   string      // tells one status from another where Status is hidden
	Share       money.Share // how the paid amount compares with the ordered one
	SucceededAt time.Time   // the success time, read as if it were UTC; zero: there is none

	// HTTPStatus is 0 where no answer came.
	HTTPStatus int

	// TooFast tells that the provider says it is called too often: HTTP 429, or a code
	// that the operator has named so. It says nothing about the payout (Kind is Unclear).
	// RetryAfter is the pause that such an answer, or an HTTP 503, asked for; 0 if none.
	TooFast    bool
	RetryAfter time.Duration

	// Detail says for a person why the kind is what it is ("timeout after 10s
	// waiting for the answer"). It never carries people's data or a secret.
	Detail string
}
