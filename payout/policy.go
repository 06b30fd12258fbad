package payout

import (
	"math"
	"time"
)

// notSentPause is how long a payout waits after a send that provably did not
// leave. The breaker decides about a provider that can't be reached; this only
// keeps a single payout from spinning before it opens.
const notSentPause = time.Second

// Choice is what an operator chose where the provider's word is missing.
type Choice string

// The choices.
const (
	Hold     Choice = "hold"     // ask a person
	Fail     Choice = "fail"     // unknown_status: an unknown code is a failure
	Announce Choice = "announce" // contradiction: announce it, and say what contradicts the payout
	Resend   Choice = "resend"   // no_record.then: the same tradeNo may be sent again
)

// Poll says when to ask.
type Poll struct {
	First  time.Duration // from the send to the first ask
	Factor float64       // growth from one ask to the next
	Max    time.Duration // the longest pause, and that of held payouts
	GiveUp time.Duration // since the first send; then it is held
	Learn  bool          // within these bounds, as settle times suggest
}

// Policy is what of a merchant's settings the table needs.
type Policy struct {
	// Account is the one that this instance sends to and asks.
	Account Account

	Poll     Poll
	NoRecord struct {
		Answers int           // so many NoRecord answers are evidence
		Every   time.Duration // if they are at least so far apart
		Then    Choice        // Hold or Resend
	}
	UnknownStatus Choice // Hold or Fail
	Contradiction Choice // Announce or Hold

	// Refusing says that the provider refuses the merchant's sends, one after the other, and
	// that they rest for it.
	Refusing bool

	// Learned says when to ask by experience, nil for the plain schedule.
	Learned Learned

	// Doubt is how much earlier than now the answer may have been true: it belongs to some
	// moment of its call, and the journal's clock is known to within the lease's. What counts
	// only after a time must have waited for that long too.
	Doubt time.Duration

	// Jitter in [0, 1) spreads the asks of payouts that were sent together; it is
	// drawn by the caller, so that the table stays a function.
	Jitter float64
}

// Learned is what experience says about the pauses between two asks; see package polling.
type Learned interface {
	// After is the pause in seconds before the next ask about a payout that was sent so long
	// ago; false where hardly any payout becomes so old.
	After(since time.Duration) (seconds float64, known bool)
}

// jitterShare is how far an ask may come early: a tenth spreads a burst without
// making the interval mean something else.
const jitterShare = 0.1

// interval is the pause before the next ask, grown by factor from first to max.
func (policy Policy) interval(asked int) time.Duration { return policy.grown(float64(asked)) }

func (policy Policy) grown(asked float64) time.Duration {
	grown := float64(policy.Poll.First) * math.Pow(policy.Poll.Factor, asked)
	if !(grown <= float64(policy.Poll.Max)) { // also where Pow overflowed
		grown = float64(policy.Poll.Max)
	}
	return time.Duration(grown * (1 - jitterShare*policy.Jitter))
}

func (p Payout) askNext(now time.Time, policy Policy) Payout {
	p.Step = StepAsk
	p.Due = now.Add(policy.Pause(p.TradeNo, now.Sub(p.LastSentAt), p.AskRound))
	if p.State == StateHeld {
		p.Due = now.Add(policy.Poll.Max)
	}
	return p
}

// askAt sets the next ask, askBy brings it forward; an announcement is left alone.
func (p Payout) askAt(t time.Time) Payout {
	if p.Step == StepAsk {
		p.Due = t
	}
	return p
}

func (p Payout) askBy(t time.Time) Payout {
	if p.Step == StepAsk && p.Due.After(t) {
		p.Due = t
	}
	return p
}

func (p Payout) gaveUp(now time.Time, policy Policy) bool {
	return !p.FirstSentAt.IsZero() && now.Sub(p.FirstSentAt) >= policy.Poll.GiveUp+policy.Doubt
}

// noRecordFrom is the moment from which a NoRecord counts: every after the last
// counted one, and for the first every after the last byte of the send can have
// left (its HTTP deadline; after a takeover the lease's end).
func (p Payout) noRecordFrom(policy Policy) time.Time {
	if p.NoRecords > 0 && p.NoRecordOf == policy.Account && !p.NoRecordAt.Before(p.SendBy) {
		return p.NoRecordAt.Add(policy.NoRecord.Every)
	}
	return p.SendBy.Add(policy.NoRecord.Every)
}

// NoRecordMayCount tells whether a NoRecord found now would count at all, so that
// the worker knows whether it is worth looking for evidence.
func (p Payout) NoRecordMayCount(now time.Time, policy Policy) bool {
	if p.SendBy.IsZero() { // nobody knows until when it may have been sent
		return false
	}
	return !now.Add(-policy.Doubt).Before(p.noRecordFrom(policy))
}

// Served is the latest moment at which the provider answered another payout of
// the same merchant with outer code 0000.
//
// Corroborated tells whether served is evidence enough that a NoRecord about p is
// about p and not a refusal of the whole merchant (8000 also means a wrong
// signature): since p's previous counted NoRecord, and at most max(10 min,
// 2 × every) ago.
func (p Payout) Corroborated(served, now time.Time, policy Policy) bool {
	reach := max(10*time.Minute, 2*policy.NoRecord.Every)
	return !served.IsZero() && now.Sub(served) <= reach && served.After(p.NoRecordAt)
}

func (p Payout) countNoRecord(now time.Time, policy Policy) (Payout, bool) {
	// What was counted before the last send could have left is void, and so is what another
	// account has said: those of two accounts prove nothing together.
	if p.NoRecordAt.Before(p.SendBy) || p.NoRecordOf != policy.Account {
		p.NoRecords, p.NoRecordAt = 0, time.Time{}
	}
	if p.NoRecordMayCount(now, policy) {
		p.NoRecords++
		p.NoRecordAt, p.NoRecordOf = now, policy.Account
	}
	return p, p.NoRecords >= policy.NoRecord.Answers
}
