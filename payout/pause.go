package payout

import (
	"hash/fnv"
	"time"

	"disburser/payout/finding"
)

// exploringOneIn says that one of so many payouts is asked about without what was learned. Otherwise a
// provider that becomes faster would never be asked early enough to show it.
const exploringOneIn = 24

// Pause is how long to wait before a payout is asked about again. It depends on how long ago the
// payout was sent and how often it was asked about since. It goes by what was learned, if
// anything was. In any case it is no shorter than first and no longer than max.
func (policy Policy) Pause(tradeNo string, since time.Duration, asked int) time.Duration {
	if policy.Learned == nil {
		return policy.interval(asked)
	}
	if phase, explores := explores(tradeNo); explores {
		// Each such payout begins somewhere between two steps of the plain schedule. Otherwise all of them would
		// be asked about at the same ages, and nobody would ever know what settles between these.
		return policy.grown(float64(asked) + phase)
	}
	pause, ok := policy.Learned.After(since)
	if !ok { // hardly any payout becomes so old: as the plain schedule would at this age
		pause = max(since.Seconds()*(policy.Poll.Factor-1), policy.interval(asked).Seconds())
	}
	// The jitter is as large as the plain schedule's, to both sides of the learned age. It also
	// varies the ages that are learned from.
	pause *= 1 + jitterShare/2 - jitterShare*policy.Jitter
	return max(policy.Poll.First, min(time.Duration(pause*float64(time.Second)), policy.Poll.Max))
}

// explores tells which payouts are asked about without what was learned, and at which phase of the
// plain schedule they begin. It goes by the tradeNo, so that a payout explores from first to last ask.
func explores(tradeNo string) (phase float64, ok bool) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tradeNo))
	sum := h.Sum32() >> 8 // the low bits of neighbouring numbers take turns
	return float64(sum/exploringOneIn%256) / 256, sum%exploringOneIn == 0
}

// SettleObservation is what an answer tells about how long a payout takes to settle; ok is false
// where it tells nothing. The payout was still unsettled at the age unsettledAt. The answer came at
// the age answeredAt: by then the payout was settled, or still not.
func (p Payout) SettleObservation(f finding.Finding, now time.Time) (unsettledAt, answeredAt time.Duration, settled, ok bool) {
	settled = f.Kind == finding.Paid || f.Kind == finding.Failed
	asked := p.State == StateSending || p.State == StateProcessing
	if !settled && f.Kind != finding.Processing || !asked || p.Sends != 1 || p.LastSentAt.IsZero() || now.Before(p.LastSentAt) { // of two sends nobody knows which one it was
		return 0, 0, false, false
	}
	if p.PendingAt.After(p.LastSentAt) {
		unsettledAt = p.PendingAt.Sub(p.LastSentAt)
	}
	return unsettledAt, now.Sub(p.LastSentAt), settled, true
}
