package payout

import (
	"hash/fnv"
	"time"
)

const (
	// enough settlements to plan by; before, the plain schedule is kept.
	enough = 50

	// again is how many more are seen before the plan is made anew: a tenth of what is
	// remembered. It takes about a millisecond.
	again = 50

	// One payout in so many is asked about by the plain schedule, whatever was learned: a
	// provider that becomes faster would otherwise never be asked early enough to show it.
	explorers = 16
)

// Learner learns from how long payouts of a merchant took when to ask about the next
// ones. It isn't safe for concurrent use; its plans are.
type Learner struct {
	settling settling
	plan     *Plan
	at       int  // how many settlements the plan knows of
	by       Poll // the bounds that it was made for
}

// Saw counts a payout that settled between two ages since its send.
func (l *Learner) Saw(after, before time.Duration) { l.settling.add(after, before) }

// Plan is the present plan within an operator's bounds; nil while there is none.
func (l *Learner) Plan(poll Poll) *Plan {
	if !poll.Learn || l.settling.count < enough {
		return nil
	}
	if l.at == 0 || l.settling.count >= l.at+again || l.by != poll {
		l.plan = newPlan(poll, l.settling.estimate())
		l.at, l.by = l.settling.count, poll
	}
	return l.plan
}

// Pause is how long to wait before a payout that was sent so long ago, and asked about
// so many times since, is asked about again: by the plan if there is one, and in any case
// no shorter than first and no longer than max.
func (policy Policy) Pause(tradeNo string, since time.Duration, asked int) time.Duration {
	if policy.Plan == nil || explores(tradeNo) {
		return policy.interval(asked)
	}
	pause, ok := policy.Plan.pause(since)
	if !ok {
		return policy.interval(asked)
	}
	// The jitter is the plain schedule's, to both sides: the plan means its middle. It also
	// varies what is learned from.
	pause *= 1 + jitterShare/2 - jitterShare*policy.Jitter
	return max(policy.Poll.First, min(time.Duration(pause*float64(time.Second)), policy.Poll.Max))
}

// explores tells which payouts are asked about by the plain schedule: the same ones
// each time, so that what is learned of them is the whole schedule's.
func explores(tradeNo string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tradeNo))
	return h.Sum32()>>8%explorers == 0 // the low bits of neighbouring numbers take turns
}

// SettledBetween tells between which ages since its send a payout settled, if an ask that
// was answered so tells that at all.
func (p Payout) SettledBetween(f Finding, now time.Time) (after, before time.Duration, ok bool) {
	settled := f.Kind == Paid || f.Kind == Failed
	asked := p.State == StateSending || p.State == StateProcessing
	if !settled || !asked || p.Sends != 1 || p.LastSentAt.IsZero() || now.Before(p.LastSentAt) { // of two sends nobody knows which one it was
		return 0, 0, false
	}
	if p.PendingAt.After(p.LastSentAt) {
		after = p.PendingAt.Sub(p.LastSentAt)
	}
	return after, now.Sub(p.LastSentAt), true
}
