package reconcile

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"disburser/message"
	"disburser/payout/money"
)

// kind is which part of the input a record is of.
type kind byte

const (
	anOrder kind = 'o'
	aResult kind = 'r'
	aLine   kind = 's'
)

// record is any part of the input, as text: fields separated by NUL, tradeNo first. No field has a NUL. So the
// order of the texts is that of the tradeNos, and within one of them of the content.
type record struct {
	kind    kind
	tradeNo string
	order   Order
	result  Result
	line    Line
}

var errRecord = errors.New("reconcile: a temporary file doesn't have what was written to it: is the disk full?")

func encode(parts ...string) []byte {
	size := len(parts)
	for _, part := range parts {
		size += len(part)
	}
	text := make([]byte, 0, size)
	for i, part := range parts {
		if i > 0 {
			text = append(text, 0)
		}
		text = append(text, strings.ReplaceAll(part, "\x00", "?")...)
	}
	return text
}

func (o Order) encode() []byte {
	due := ""
	if !o.NotBefore.IsZero() {
		due = strconv.FormatInt(o.NotBefore.UnixNano(), 10)
	}
	return encode(o.TradeNo, string(anOrder), o.Amount.Canonical(), o.Currency, due)
}

func (r Result) encode() []byte {
	return encode(r.TradeNo, string(aResult), r.EventID, string(r.Type), r.Amount.Canonical(), r.Currency, r.PaidAmount)
}

func (l Line) encode() []byte {
	return encode(l.TradeNo, string(aLine), string(l.State), l.Amount.Canonical(), l.Currency)
}

// decode reads what encode has written.
func decode(text []byte) (r record, err error) {
	fields := strings.Split(string(text), "\x00")
	if len(fields) < 5 || len(fields[1]) != 1 {
		return r, errRecord
	}
	r = record{kind: kind(fields[1][0]), tradeNo: fields[0]}
	amount := func(text string) (a money.Amount) {
		if text != "" {
			var e error
			a, e = money.Read(text)
			err = errors.Join(err, e)
		}
		return a
	}
	switch {
	case r.kind == anOrder && len(fields) == 5:
		r.order = Order{TradeNo: r.tradeNo, Amount: amount(fields[2]), Currency: fields[3]}
		if fields[4] != "" {
			n, e := strconv.ParseInt(fields[4], 10, 64)
			r.order.NotBefore, err = time.Unix(0, n).UTC(), errors.Join(err, e)
		}
	case r.kind == aResult && len(fields) == 7:
		r.result = Result{
			TradeNo: r.tradeNo, EventID: fields[2], Type: message.EventType(fields[3]), Amount: amount(fields[4]), Currency: fields[5], PaidAmount: fields[6],
		}
	case r.kind == aLine && len(fields) == 5 && len(fields[2]) == 1 && stateNames[State(fields[2][0])] != "":
		r.line = Line{TradeNo: r.tradeNo, State: State(fields[2][0]), Amount: amount(fields[3]), Currency: fields[4]}
	default:
		return r, errRecord
	}
	if err != nil {
		return r, errRecord
	}
	return r, nil
}
