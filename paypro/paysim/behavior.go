package paysim

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Behavior is how a merchant's calls are treated. Fractions are between 0 and 1.
// The zero Behavior is a perfect provider: it answers at once, and every payout is
// paid by the time of the first query.
type Behavior struct {
	// From acceptance to the final outcome: log-uniform, or uniform when SettleMin is 0.
	SettleMin, SettleMax time.Duration
	// Before any answer, uniform; the work is done before the wait. LatencyMax 0 = exactly Latency.
	Latency, LatencyMax time.Duration

	// Fates: fractions of tradeNos, the same for every attempt. What is left is paid.
	Failed       float64 // settles as 00029
	Partial      float64 // settles as 0001 and pays half
	Limited      float64 // settles as 0100019, page mexico/errorcode (older): the payee's daily limit
	Unknown      float64 // settles as 00032; whether money left is a further draw
	Refused      float64 // outer 8000 at placement, no order exists
	FailedAtOnce float64 // placement answered 00029, no order is kept
	Vanished     float64 // placement answered 0015, but the order is lost and never executed
	SettleAtOnce float64 // drawn apart: settled at acceptance, and the placement's answer says so

	// Faults of a placement: fractions of calls, drawn per attempt, at most one each.
	EarlyError float64 // HTTP 500 before acceptance: no order exists
	LateError  float64 // HTTP 500 after acceptance: the order exists
	LostReply  float64 // accepted, then the connection is cut
	Outer5000  float64 // outer code 5000; accepted or not by a further draw
	Garbled    float64 // accepted, HTTP 200 with half of a JSON body
	Hang       float64 // accepted, answered after HangFor

	// HangFor ends a hang with the normal answer; 0 = only the client's leaving ends it.
	HangFor time.Duration

	// Faults of a query.
	QueryLost, QueryError, Query5000, QueryGarbled, QueryHang float64

	// Above so many calls of an operation within a second, calls are answered "too fast"
	// and nothing is done; 0 = never. The answer is HTTP 429, or with TooFastCode HTTP 200
	// and that outer code. RetryAfter, in whole seconds, goes with it.
	TooFastAbove int
	TooFastCode  string
	RetryAfter   time.Duration

	NoRecordLag  time.Duration // for so long after acceptance a query says "no such order"
	PartialFirst float64       // of tradeNos that are paid: the first answer after the settlement says 0001
}

// knob is one setting, its name and what it does: a *float64 (a fraction), a
// *time.Duration, an *int or a *string.
type knob struct {
	name, help string
	value      any
}

// knobs lists every setting once, for flags, JSON and validation alike.
func (b *Behavior) knobs() []knob {
	return []knob{
		{"settleMin", "shortest time from acceptance to the outcome", &b.SettleMin},
		{"settleMax", "longest time from acceptance to the outcome", &b.SettleMax},
		{"latency", "shortest time before an answer", &b.Latency},
		{"latencyMax", "longest time before an answer", &b.LatencyMax},
		{"failed", "tradeNos that settle as 00029", &b.Failed},
		{"partial", "tradeNos that settle as 0001", &b.Partial},
		{"limited", "tradeNos that settle as 0100019", &b.Limited},
		{"unknown", "tradeNos that settle as 00032", &b.Unknown},
		{"refused", "tradeNos refused with outer 8000", &b.Refused},
		{"failedAtOnce", "tradeNos answered 00029 at placement, no order kept", &b.FailedAtOnce},
		{"vanished", "tradeNos answered 0015 at placement, then lost", &b.Vanished},
		{"settleAtOnce", "tradeNos whose placement is answered with the outcome", &b.SettleAtOnce},
		{"earlyError", "placements answered HTTP 500 before acceptance", &b.EarlyError},
		{"lateError", "placements answered HTTP 500 after acceptance", &b.LateError},
		{"lostReply", "placements accepted, then cut", &b.LostReply},
		{"outer5000", "placements answered outer 5000, accepted or not", &b.Outer5000},
		{"garbled", "placements accepted, answered with half a body", &b.Garbled},
		{"hang", "placements accepted, answered after hang-for", &b.Hang},
		{"hangFor", "how long a hang lasts; 0 = until the client leaves", &b.HangFor},
		{"queryLost", "queries cut", &b.QueryLost},
		{"queryError", "queries answered HTTP 500", &b.QueryError},
		{"query5000", "queries answered outer 5000", &b.Query5000},
		{"queryGarbled", "queries answered with half a body", &b.QueryGarbled},
		{"queryHang", "queries answered after hang-for", &b.QueryHang},
		{"tooFastAbove", "calls of an operation within a second above which they are answered \"too fast\"; 0 = never", &b.TooFastAbove},
		{"tooFastCode", "outer code of such an answer; none = HTTP 429", &b.TooFastCode},
		{"retryAfter", "Retry-After of such an answer", &b.RetryAfter},
		{"noRecordLag", "time after acceptance in which a query finds nothing", &b.NoRecordLag},
		{"partialFirst", "paid tradeNos whose first settled answer says 0001", &b.PartialFirst},
	}
}

// Validate reports every setting that makes no sense.
func (b Behavior) Validate() error {
	var problems []error
	for _, k := range b.knobs() {
		switch v := k.value.(type) {
		case *float64:
			if !(*v >= 0 && *v <= 1) { // also catches NaN
				problems = append(problems, fmt.Errorf("paysim: %s must be between 0 and 1", k.name))
			}
		case *time.Duration:
			if *v < 0 {
				problems = append(problems, fmt.Errorf("paysim: %s must not be negative", k.name))
			}
		case *int:
			if *v < 0 {
				problems = append(problems, fmt.Errorf("paysim: %s must not be negative", k.name))
			}
		}
	}
	return errors.Join(append(problems, b.validateTogether()...)...)
}

func (b Behavior) validateTogether() (problems []error) {
	for what, sum := range map[string]float64{
		"fates":            b.Failed + b.Partial + b.Limited + b.Unknown + b.Refused + b.FailedAtOnce + b.Vanished,
		"placement faults": b.EarlyError + b.LateError + b.LostReply + b.Outer5000 + b.Garbled + b.Hang,
		"query faults":     b.QueryLost + b.QueryError + b.Query5000 + b.QueryGarbled + b.QueryHang,
	} {
		if sum > 1+1e-9 {
			problems = append(problems, fmt.Errorf("paysim: the %s add up to %g, which is more than 1", what, sum))
		}
	}
	if b.SettleMax != 0 && b.SettleMax < b.SettleMin || b.LatencyMax != 0 && b.LatencyMax < b.Latency {
		problems = append(problems, errors.New("paysim: settleMax and latencyMax must not be below settleMin and latency"))
	}
	return problems
}

// BindFlags adds one flag per setting (settleMin becomes --settle-min).
func (b *Behavior) BindFlags(fs *flag.FlagSet) {
	for _, k := range b.knobs() {
		switch v := k.value.(type) {
		case *float64:
			fs.Float64Var(v, kebab(k.name), *v, "`fraction` of "+k.help)
		case *time.Duration:
			fs.DurationVar(v, kebab(k.name), *v, k.help)
		case *int:
			fs.IntVar(v, kebab(k.name), *v, k.help)
		case *string:
			fs.StringVar(v, kebab(k.name), *v, k.help)
		}
	}
}

func kebab(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) || r == '5' && i > 0 { // outer5000 reads better as outer-5000
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// MarshalJSON writes every setting, durations as text such as "2s".
func (b Behavior) MarshalJSON() ([]byte, error) {
	out := make(map[string]any)
	for _, k := range b.knobs() {
		switch v := k.value.(type) {
		case *float64:
			out[k.name] = *v
		case *time.Duration:
			out[k.name] = v.String()
		case *int:
			out[k.name] = *v
		case *string:
			out[k.name] = *v
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON sets the settings that are named and leaves the others alone; an
// unknown name is an error, because a misspelt fault would silently never happen.
func (b *Behavior) UnmarshalJSON(data []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for _, k := range b.knobs() {
		raw, ok := given[k.name]
		if !ok {
			continue
		}
		if err := k.set(raw); err != nil {
			return fmt.Errorf("behavior: %s: %w", k.name, err)
		}
		delete(given, k.name)
	}
	for name := range given {
		return fmt.Errorf("behavior: there is no setting %q", name)
	}
	return nil
}

func (k knob) set(raw json.RawMessage) error {
	d, ok := k.value.(*time.Duration)
	if !ok {
		return json.Unmarshal(raw, k.value)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errors.New(`must be a duration such as "2s"`)
	}
	parsed, err := time.ParseDuration(text)
	*d = parsed
	return err
}
