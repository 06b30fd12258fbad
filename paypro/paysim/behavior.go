package paysim

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Behavior is how a merchant's calls are treated. Fractions are from 0 to 1. The zero Behavior
// is a perfect provider: it answers at once, and every payout is paid before the first query.
//
// The tags belong to a command line: the name of a flag, and its help text.
type Behavior struct {
	// The time from acceptance to the outcome: log-uniform, or uniform if SettleMin is 0.
	SettleMin time.Duration `name:"settle-min" placeholder:"TIME" group:"times" help:"Shortest time from acceptance to the outcome."`
	SettleMax time.Duration `name:"settle-max" placeholder:"TIME" group:"times" help:"Longest time from acceptance to the outcome."`

	// The time before an answer: uniform; LatencyMax 0 = exactly Latency. The call is executed before
	// the wait.
	Latency    time.Duration `name:"latency" placeholder:"TIME" group:"times" help:"Shortest time before an answer."`
	LatencyMax time.Duration `name:"latency-max" placeholder:"TIME" group:"times" help:"Longest time before an answer; 0 = exactly --latency."`

	// Fates: fractions of tradeNos, the same for every attempt. The remaining ones are paid.
	// Unknown has a second draw: whether money leaves. Limited is from page mexico/errorcode (older).
	// SettleAtOnce has a draw of its own: the placement's answer tells the outcome.
	Failed       float64 `name:"failed" placeholder:"FRACTION" group:"fates" help:"TradeNos that settle as 00029."`
	Partial      float64 `name:"partial" placeholder:"FRACTION" group:"fates" help:"TradeNos that settle as 0001: half is paid."`
	Limited      float64 `name:"limited" placeholder:"FRACTION" group:"fates" help:"TradeNos that settle as 0100019: the payee's daily limit."`
	Unknown      float64 `name:"unknown" placeholder:"FRACTION" group:"fates" help:"TradeNos that settle as 00032, paid or not."`
	Refused      float64 `name:"refused" placeholder:"FRACTION" group:"fates" help:"TradeNos refused with outer 8000: no order exists."`
	FailedAtOnce float64 `name:"failed-at-once" placeholder:"FRACTION" group:"fates" help:"TradeNos answered 00029 at placement, no order kept."`
	Vanished     float64 `name:"vanished" placeholder:"FRACTION" group:"fates" help:"TradeNos answered 0015 at placement, then lost and never executed."`
	SettleAtOnce float64 `name:"settle-at-once" placeholder:"FRACTION" group:"fates" help:"TradeNos whose placement is answered with the outcome."`

	// Faults of a placement: fractions of calls, drawn for each attempt. A call has one fault at most.
	EarlyError float64 `name:"early-error" placeholder:"FRACTION" group:"placements" help:"Placements answered HTTP 500 before acceptance: no order exists."`
	LateError  float64 `name:"late-error" placeholder:"FRACTION" group:"placements" help:"Placements answered HTTP 500 after acceptance: the order exists."`
	LostReply  float64 `name:"lost-reply" placeholder:"FRACTION" group:"placements" help:"Placements accepted, then the connection is cut."`
	Outer5000  float64 `name:"outer-5000" placeholder:"FRACTION" group:"placements" help:"Placements answered outer 5000, accepted or not."`
	Garbled    float64 `name:"garbled" placeholder:"FRACTION" group:"placements" help:"Placements accepted, answered HTTP 200 with half a body."`
	Hang       float64 `name:"hang" placeholder:"FRACTION" group:"placements" help:"Placements accepted, answered after --hang-for."`

	// HangFor ends a hang with the normal answer; 0 = a hang lasts until the client leaves.
	HangFor time.Duration `name:"hang-for" placeholder:"TIME" group:"times" help:"How long a hang lasts; 0 = until the client leaves."`

	// Faults of a query.
	QueryLost    float64 `name:"query-lost" placeholder:"FRACTION" group:"queries" help:"Queries cut."`
	QueryError   float64 `name:"query-error" placeholder:"FRACTION" group:"queries" help:"Queries answered HTTP 500."`
	Query5000    float64 `name:"query-5000" placeholder:"FRACTION" group:"queries" help:"Queries answered outer 5000."`
	QueryGarbled float64 `name:"query-garbled" placeholder:"FRACTION" group:"queries" help:"Queries answered with half a body."`
	QueryHang    float64 `name:"query-hang" placeholder:"FRACTION" group:"queries" help:"Queries answered after --hang-for."`

	// TooFastAbove is the limit of calls of one operation within a second; 0 = none. A call above
	// it is answered "too fast" and not executed. The answer is HTTP 429, or HTTP 200 with
	// TooFastCode as its outer code. It carries RetryAfter in whole seconds.
	TooFastAbove int           `name:"too-fast-above" placeholder:"CALLS" group:"rate" help:"Calls of an operation within a second above which they are answered as too fast; 0 = never."`
	TooFastCode  string        `name:"too-fast-code" placeholder:"CODE" group:"rate" help:"Outer code of such an answer; none = HTTP 429."`
	RetryAfter   time.Duration `name:"retry-after" placeholder:"TIME" group:"rate" help:"Retry-After of such an answer, in whole seconds."`

	NoRecordLag  time.Duration `name:"no-record-lag" placeholder:"TIME" group:"times" help:"For so long after acceptance a query finds no such order."`
	PartialFirst float64       `name:"partial-first" placeholder:"FRACTION" group:"fates" help:"Paid tradeNos whose first answer after the settlement says 0001."`
}

// setting is one setting of a Behavior: its name in JSON and a pointer to its value. The value
// is a float64 (a fraction), a time.Duration, an int or a string.
type setting struct {
	name  string
	value any
}

// settings lists all settings, for JSON and validation. The name of SettleMin is settleMin.
func (b *Behavior) settings() []setting {
	v := reflect.ValueOf(b).Elem()
	all := make([]setting, v.NumField())
	for i := range all {
		name := v.Type().Field(i).Name
		all[i] = setting{strings.ToLower(name[:1]) + name[1:], v.Field(i).Addr().Interface()}
	}
	return all
}

// Validate reports every invalid setting in one error.
func (b Behavior) Validate() error {
	var problems []error
	for _, k := range b.settings() {
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

// validateTogether checks rules between settings.
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

// MarshalJSON writes every setting, durations as text such as "2s".
func (b Behavior) MarshalJSON() ([]byte, error) {
	out := make(map[string]any)
	for _, k := range b.settings() {
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

// UnmarshalJSON sets the settings that are named and leaves the others alone. An unknown name
// is an error: a misspelled fault would never happen, and nobody would notice.
func (b *Behavior) UnmarshalJSON(data []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for _, k := range b.settings() {
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

// set reads the value of one setting.
func (k setting) set(raw json.RawMessage) error {
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
