package message

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"disburser/payout"
	"disburser/payout/money"
)

// Limits of one message. What is above is a dead letter.
const (
	MaxValueBytes = 1 << 20 // 1 MiB
	MaxBulk       = 10_000  // payouts in one bulk
)

// Limits of one command. What is above is rejected. The provider names none of them: they are
// generous for people, and so small that a million open payouts fit the journal.
const (
	MaxTradeNo     = 64    // characters
	MaxName        = 64    // characters of a merchant, a currency, or a payee field's name
	MaxRemark      = 1_000 // characters
	MaxBatchID     = 200   // characters
	MaxBatchSize   = 1_000_000_000
	MaxPayeeFields = 40
	MaxPayeeField  = 256 // characters of one payee field, known to the country or not: it is stored, and may be published again
)

// Code says why a message, or an element of a bulk, is a dead letter. It is the
// header error_code.
type Code string

// The codes of dead letters.
const (
	Malformed Code = "malformed" // nothing in it can be announced: no readable payout, no valid tradeNo
	TooLarge  Code = "too_large" // above MaxValueBytes or MaxBulk
	Conflict  Code = "conflict"  // a known tradeNo with other content
)

// Unreadable is the error of a message or an element that ends as a dead letter.
type Unreadable struct {
	Code   Code
	Reason string // one line for a person, free of people's data
}

// Error is the reason.
func (u *Unreadable) Error() string { return u.Reason }

func malformed(format string, args ...any) *Unreadable {
	return &Unreadable{Malformed, fmt.Sprintf(format, args...)}
}

// Order is one payout as a message ordered it.
type Order struct {
	Command payout.Command
	Index   int    // its place in a bulk, -1 for a single payout
	Invalid string // why it must be rejected, "" if it may go on; free of people's data

	Problems []Problem // the same, field by field

	// Unreadable is set where not even a tradeNo could be read; then nothing else is.
	Unreadable *Unreadable
}

// Decode reads the value of a Kafka message: one payout, or a bulk of them. An
// error is always an *Unreadable and means that the whole message is a dead letter.
// It knows nothing of merchants: that one is configured, its currency and its
// payee fields are checked by whoever knows.
func Decode(value []byte) ([]Order, error) {
	if len(value) > MaxValueBytes {
		return nil, &Unreadable{TooLarge, fmt.Sprintf("the value has %d bytes, the limit is %d", len(value), MaxValueBytes)}
	}
	if len(value) == 0 {
		return nil, malformed("the value is empty")
	}
	root, err := parseJSON(value)
	if err != nil {
		return nil, malformed("the value %v", err)
	}
	if root.kind != '{' {
		return nil, malformed("the value is not a JSON object")
	}
	if root.field("payouts") != nil {
		return decodeBulk(root)
	}
	order := decodePayout(root, nil, -1)
	if order.Unreadable != nil {
		return nil, order.Unreadable
	}
	return []Order{order}, nil
}

func decodeBulk(root *node) ([]Order, error) {
	elements := root.fields["payouts"]
	switch {
	case root.field("tradeNo") != nil:
		return nil, malformed("the message has a tradeNo and payouts: it is neither one payout nor a bulk")
	case elements.kind != '[':
		return nil, malformed("payouts is not an array")
	case len(elements.items) == 0:
		return nil, malformed("payouts is empty")
	case len(elements.items) > MaxBulk:
		return nil, &Unreadable{TooLarge, fmt.Sprintf("the bulk has %d payouts, the limit is %d", len(elements.items), MaxBulk)}
	}
	if name, repeated := root.repeatedOutside("payouts"); repeated {
		return nil, malformed("the name %s stands twice", printable(name))
	}
	orders := make([]Order, len(elements.items))
	for i, element := range elements.items {
		orders[i] = decodePayout(element, root, i)
	}
	return orders, nil
}

// repeatedOutside finds a name that stands twice anywhere but inside the value of except. A bad
// element of a bulk must not make the others dead letters too.
func (n *node) repeatedOutside(except string) (string, bool) {
	if n.own {
		return n.twice, true
	}
	for name, child := range n.fields {
		if name != except && child.repeat {
			return child.twice, true
		}
	}
	return "", false
}

// decodePayout reads one payout; common holds what a bulk says once for all.
func decodePayout(n, common *node, index int) Order {
	refuse := func(format string, args ...any) Order {
		return Order{Index: index, Unreadable: malformed(format, args...)}
	}
	if n.kind != '{' {
		return refuse("the payout is not a JSON object")
	}
	if n.repeat {
		return refuse("the name %s stands twice", printable(n.twice))
	}
	tradeNo := n.field("tradeNo")
	if tradeNo == nil || tradeNo.kind != 's' || !ValidTradeNo(tradeNo.text) {
		return refuse("there is no valid tradeNo (1 to 64 of A-Z a-z 0-9 _ -)")
	}
	r := reader{own: n, common: common}
	c := payout.Command{
		TradeNo:   tradeNo.text,
		Merchant:  r.text("merchant", MaxName),
		Amount:    r.amount(),
		Currency:  r.text("currency", MaxName),
		Payee:     r.payee(),
		Remark:    r.text("remark", MaxRemark),
		BatchID:   r.text("batchId", MaxBatchID),
		BatchSize: r.count("batchSize"),
		NotBefore: r.time("notBefore"),
		ExpiresAt: r.time("expiresAt"),
	}
	if !c.NotBefore.IsZero() && !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(c.NotBefore) {
		r.wrong("expiresAt", "must be after notBefore")
	}
	return Order{Command: c, Index: index, Invalid: Reason(r.problems), Problems: r.problems}
}

// ValidTradeNo tells whether a text can name a payout: 1 to MaxTradeNo of A–Z a–z 0–9 _ -. What
// is no tradeNo can't be announced either, so it becomes a dead letter.
func ValidTradeNo(text string) bool {
	if len(text) == 0 || len(text) > MaxTradeNo {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// reader takes a payout's fields, its own before the common ones, and collects
// what is wrong with them.
type reader struct {
	own, common *node
	problems    []Problem
}

func (r *reader) wrong(field, problem string) {
	r.problems = append(r.problems, Problem{field, problem})
}

// find prefers the payout's own field.
func (r *reader) find(name string) *node {
	if f := r.own.field(name); f != nil {
		return f
	}
	return r.common.field(name)
}

func (r *reader) text(name string, limit int) string {
	f := r.find(name)
	switch {
	case f == nil:
		return ""
	case f.kind != 's':
		r.wrong(name, "must be text")
	case utf8.RuneCountInString(f.text) > limit:
		r.wrong(name, fmt.Sprintf("is longer than %d characters", limit))
	case hasControl(f.text):
		r.wrong(name, "has a control character")
	default:
		return f.text
	}
	return ""
}

func (r *reader) amount() money.Amount {
	f := r.own.field("amount")
	switch {
	case f == nil:
		r.wrong("amount", "is missing")
		return money.Amount{}
	case f.kind != 's' && f.kind != 'n':
		r.wrong("amount", "must be text or a number")
		return money.Amount{}
	}
	a, err := money.Parse(f.text)
	if err != nil {
		r.wrong("amount", err.Error())
	}
	return a
}

func (r *reader) payee() payout.Payee {
	f := r.own.field("payee")
	switch {
	case f == nil:
		r.wrong("payee", "is missing")
		return payout.Payee{}
	case f.kind != '{':
		r.wrong("payee", "must be an object")
		return payout.Payee{}
	case len(f.fields) > MaxPayeeFields:
		r.wrong("payee", fmt.Sprintf("has more than %d fields", MaxPayeeFields))
		return payout.Payee{}
	}
	fields := make(map[string]string, len(f.fields))
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		value := f.fields[name]
		if len(name) > MaxName {
			r.wrong("payee", fmt.Sprintf("has a field whose name is longer than %d characters", MaxName))
		}
		switch {
		case value.kind == '0':
		case value.kind != 's':
			r.wrong("payee."+printable(name), "must be text")
		case hasControl(value.text):
			r.wrong("payee."+printable(name), "has a control character or half of one")
		case utf8.RuneCountInString(value.text) > MaxPayeeField:
			r.wrong("payee."+printable(name), fmt.Sprintf("must not be longer than %d characters", MaxPayeeField))
			fields[name] = value.text // it was taken before there was this rule: the fingerprint must stay
		default:
			fields[name] = value.text
		}
	}
	return payout.NewPayee(fields)
}

func (r *reader) count(name string) int {
	f := r.find(name)
	if f == nil {
		return 0
	}
	n, err := strconv.Atoi(f.text)
	if f.kind != 'n' || err != nil || n < 1 || n > MaxBatchSize {
		r.wrong(name, fmt.Sprintf("must be a whole number from 1 to %d", MaxBatchSize))
		return 0
	}
	return n
}

func (r *reader) time(name string) time.Time {
	f := r.find(name)
	if f == nil {
		return time.Time{}
	}
	if f.kind != 's' {
		r.wrong(name, errNoTime.Error())
		return time.Time{}
	}
	t, err := ParseTime(f.text)
	if err != nil {
		r.wrong(name, err.Error())
		return time.Time{}
	}
	if t.Year() < 2000 || t.Year() > 2199 { // the journal keeps 13 digits of milliseconds
		r.wrong(name, "must lie between the years 2000 and 2199")
		return time.Time{}
	}
	return t
}

// hasControl finds what has no place in one line of text: control characters, line and paragraph
// separators, and U+FFFD. That last one stands where half a character came in.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool {
		return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c == unicode.ReplacementChar
	})
}

// printable makes a name from outside fit for one line of a log or a header. Somebody could have put a
// value, and so people's data, in the place of a name.
func printable(name string) string {
	letter := name != "" && (name[0] >= 'A' && name[0] <= 'Z' || name[0] >= 'a' && name[0] <= 'z')
	digits := strings.Count(strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return '0'
		}
		return c
	}, name), "0")
	if letter && digits <= 2 && ValidTradeNo(name) && len(name) <= 32 {
		return name
	}
	return "(unprintable)"
}
