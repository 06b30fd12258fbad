package message

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"disburser/payout"
)

// The headers of a result event that a reader may look for: the CloudEvents attributes in binary
// mode, and the fingerprint of the payout's command.
const (
	EventIDHeader     = "ce_id" // the same for every repeat of an event
	EventTimeHeader   = "ce_time"
	FingerprintHeader = "fingerprint" // a message without it is no result of a disburser
)

// EncodeEvent writes a result event as a CloudEvent 1.0 in binary mode, keyed by tradeNo.
func EncodeEvent(e Event) (Message, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return Message{}, fmt.Errorf("encode the result of %s: %w", e.TradeNo, err)
	}
	headers := []Header{
		header("ce_specversion", "1.0"),
		header(EventIDHeader, e.EventID),
		header("ce_source", source(e.Merchant)),
		header("ce_type", string(e.Type)),
		header("ce_subject", e.TradeNo),
		header(EventTimeHeader, e.Time.UTC().Format(time.RFC3339Nano)),
		header("content-type", "application/json"),
		header(FingerprintHeader, string(e.Fingerprint)),
	}
	return Message{Key: []byte(e.TradeNo), Value: value, Headers: append(headers, traceHeaders(e.Trace)...)}, nil
}

// DecodeEvent reads a message of the results topic. An error means that it is no result: its
// value isn't JSON, or names no payout. Unknown fields and types are no error, for newer versions
// may write them. Fingerprint, Trace and Time come from the headers, and are empty where those
// are missing or can't be read.
//
// The same event may come more than once: drop repeats by EventID.
func DecodeEvent(m Message) (Event, error) {
	var e Event
	if err := json.Unmarshal(m.Value, &e); err != nil {
		return Event{}, fmt.Errorf("decode a result: %w", err)
	}
	if !ValidTradeNo(e.TradeNo) {
		return Event{}, fmt.Errorf("decode a result: it names no payout (tradeNo %s)", printable(e.TradeNo))
	}
	e.Fingerprint = payout.Fingerprint(m.Header(FingerprintHeader))
	e.Trace = DecodeTrace(m.Headers)
	if at, err := time.Parse(time.RFC3339Nano, m.Header(EventTimeHeader)); err == nil {
		e.Time = at.UTC()
	}
	return e, nil
}

// source is the URI reference of a merchant (ce_source). Its name may be anything that a command
// said: what has no place in a path is percent-encoded.
func source(merchant string) string {
	name := url.PathEscape(merchant)
	if name == "." || name == ".." { // who resolves a reference would take them for a folder
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	return "/disburser/" + name
}
