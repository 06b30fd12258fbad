package rehearsal

import (
	"fmt"
	"time"

	"disburser/paypro/paysim"
)

// Day is what is assumed of the provider.
type Day string

// The days.
const (
	Calm Day = "calm" // it answers and pays
	Bad  Day = "bad"  // it is slow, loses answers, and is down for a while
)

// Of a bad day.
const (
	downAfter = 2 * time.Minute
	downFor   = 3 * time.Minute
)

// behavior is how each merchant is treated. These figures are ours: no page says how long the provider takes, or how
// often it fails.
func (d Day) behavior() paysim.Behavior {
	if d == Bad {
		return paysim.Behavior{
			Latency: 200 * time.Millisecond, LatencyMax: 3 * time.Second, SettleMin: 5 * time.Second, SettleMax: 30 * time.Minute,
			Failed: 0.03, Partial: 0.005, Unknown: 0.002,
			LostReply: 0.01, EarlyError: 0.02, LateError: 0.01, Outer5000: 0.01, Garbled: 0.002, Hang: 0.005, HangFor: 30 * time.Second,
			QueryLost: 0.02, QueryError: 0.02, Query5000: 0.01,
		}
	}
	return paysim.Behavior{
		Latency: 80 * time.Millisecond, LatencyMax: 300 * time.Millisecond, SettleMin: time.Second, SettleMax: time.Minute,
		Failed: 0.005, Partial: 0.001,
	}
}

// assumed says what the report stands on.
func (p Plan) assumed() []string {
	b := p.Day.behavior()
	all := []string{
		"all payouts are ordered at the same moment, and nothing else is open",
		fmt.Sprintf("instances of the service: %d", p.Instances),
		fmt.Sprintf("the provider answers within %v to %v, and settles a payout %v to %v after it took it", b.Latency, b.LatencyMax, b.SettleMin, b.SettleMax),
		fmt.Sprintf("of 1,000 payouts %g fail, %g are paid in part, %g end in a status that nobody knows", b.Failed*1000, b.Partial*1000, b.Unknown*1000),
	}
	if p.Day == Bad {
		all = append(all,
			fmt.Sprintf("of 1,000 sends %g get no usable answer: errors, lost and broken answers, calls that hang", 1000*(b.LostReply+b.EarlyError+b.LateError+b.Outer5000+b.Garbled+b.Hang)),
			fmt.Sprintf("of 1,000 asks %g get no usable answer", 1000*(b.QueryLost+b.QueryError+b.Query5000)),
			fmt.Sprintf("%v after the orders the provider is down for %v", downAfter, downFor))
	}
	return append(all,
		"the provider bears the rates of the configuration, and has the balance for all payouts",
		"Kafka, Redis and the network take no time")
}
