package message

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"disburser/payout"
)

// EventType is the ce_type of a result event (README, Messages).
type EventType string

// The types. All but EventHeld are final.
const (
	EventPaid     EventType = "payout.paid"
	EventPartial  EventType = "payout.partial"
	EventFailed   EventType = "payout.failed"
	EventRejected EventType = "payout.rejected"
	EventHeld     EventType = "payout.held"
)

// EventTypes lists them all.
var EventTypes = []EventType{EventPaid, EventPartial, EventFailed, EventRejected, EventHeld}

// eventOf says what is announced of a state; states that are not in it are silent.
var eventOf = map[payout.State]EventType{
	payout.StatePaid: EventPaid, payout.StatePartial: EventPartial, payout.StateFailed: EventFailed,
	payout.StateRejected: EventRejected, payout.StateHeld: EventHeld,
}

// FinalOf is the state that an event announces as final; false for holds.
func FinalOf(t EventType) (payout.State, bool) {
	for state, kind := range eventOf {
		if kind == t && state.Final() {
			return state, true
		}
	}
	return 0, false
}

// Event is the value of a result event. Its JSON is fixed: others build on it (README,
// Messages).
type Event struct {
	EventID         string    `json:"eventId"`
	Type            EventType `json:"type"`
	TradeNo         string    `json:"tradeNo"`
	Merchant        string    `json:"merchant"`
	Country         string    `json:"country"`
	BatchID         string    `json:"batchId"`
	BatchSize       int       `json:"batchSize,omitempty"`
	Amount          string    `json:"amount"`
	Currency        string    `json:"currency"`
	Status          string    `json:"status"`
	StatusText      string    `json:"statusText"`
	PlatformTradeNo string    `json:"platformTradeNo"`
	PaidAmount      string    `json:"paidAmount"`
	SuccessTime     string    `json:"successTime,omitempty"` // of a time that is not known there is no field
	Remark          string    `json:"remark"`
	Reason          string    `json:"reason"`
	Contradiction   string    `json:"contradiction,omitempty"`
	By              string    `json:"by,omitempty"`          // the person who ended it, "" if nobody did
	ConfirmedBy     string    `json:"confirmedBy,omitempty"` // the second person, where two were needed
	Sends           int       `json:"sends"`
	Asks            int       `json:"asks"`
	ReceivedAt      string    `json:"receivedAt,omitempty"`
	SentAt          string    `json:"sentAt,omitempty"`
	SettledAt       string    `json:"settledAt,omitempty"`

	Fingerprint payout.Fingerprint `json:"-"` // travels as a header, for a rebuild to recognise a conflict
	Trace       payout.Trace       `json:"-"` // travels as headers
	Time        time.Time          `json:"-"` // ce_time
}

// EventOf is the event that a payout's state calls for; false where its state
// is silent. The same payout in the same state always gives the same event.
func EventOf(p payout.Payout) (Event, bool) {
	kind, speaks := eventOf[p.State]
	if !speaks {
		return Event{}, false
	}
	at := p.SettledAt
	if p.State == payout.StateHeld {
		at = p.HeldAt
	}
	if at.IsZero() { // held by the insert itself
		at = p.ReceivedAt
	}
	return Event{
		EventID: eventID(p, kind), Type: kind, TradeNo: p.TradeNo, Merchant: p.Merchant, Country: p.Country,
		BatchID: p.BatchID, BatchSize: p.BatchSize, Amount: p.Amount.String(), Currency: p.Currency,
		Status: p.Status, StatusText: p.StatusText, PlatformTradeNo: p.PlatformTradeNo,
		PaidAmount: p.PaidAmount, SuccessTime: p.SuccessTime, Remark: p.Remark, Reason: p.Reason, Contradiction: p.Contradicted(),
		By: p.By, ConfirmedBy: p.ConfirmedBy,
		Sends: p.Sends, Asks: p.Asks,
		ReceivedAt: stamp(p.ReceivedAt), SentAt: stamp(p.FirstSentAt), SettledAt: stamp(p.SettledAt),
		Fingerprint: p.Fingerprint, Trace: p.Trace, Time: at,
	}, true
}

// eventID is derived from the payout alone, so that every repeat of an event
// carries it, whichever instance announces and whatever was lost in between. Only
// holds can happen more than once; they are told apart by their time.
func eventID(p payout.Payout, kind EventType) string {
	text := string(kind) + "\x00" + p.TradeNo + "\x00" + string(p.Fingerprint)
	if kind == EventHeld {
		text += "\x00" + strconv.FormatInt(p.HeldAt.UnixMilli(), 10)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// stamp writes a time as results carry it: UTC, milliseconds; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
