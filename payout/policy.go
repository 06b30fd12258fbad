package payout

import (
	"math"
	"time"
)

// notSentPause is how long a payout waits after a send that certainly didn't leave. Until the
// breaker opens, it keeps one payout from being tried without a pause.
const notSentPause = time.Second

// Choice is what an operator chose for answers that leave the outcome open.
type Choice string

// The choices.
const (
	Hold     Choice = "hold"     // ask a person
	Fail     Choice = "fail"     // unknown_status: an unknown code is a failure
	Announce Choice = "announce" // contradiction: announce it, and say what contradicts the payout
	Resend   Choice = "resend"   // no_record.then: the same tradeNo may be sent again
)

// Poll says when a payout is asked about.
type Poll struct {
	First  time.Duration // from the send to the first ask
	Factor float64       // growth from one ask to the next
	Max    time.Duration // the longest pause, and that of held payouts
	GiveUp time.Duration // since the first send; then it is held
	Learn  bool          // within these bounds, as settle times suggest
}

// Policy is what the table needs to know beside the payout and the finding: a merchant's
// settings, and what the caller knows of the moment.
type Policy struct {
	// Account is the one to which this instance sends, and which it asks.
	Account Account

	Poll     Poll
	NoRecord struct {
		Answers int           // so many NoRecord answers are evidence
		Every   time.Duration // if they are at least so far apart
		Then    Choice        // Hold or Resend
	}
	UnknownStatus Choice // Hold or Fail
	Contradiction Choice // Announce or Hold

	// Refusing says that the provider refuses every send of the merchant, so that they rest.
	Refusing bool

	// Learned says when to ask by experience (package polling), nil for the plain schedule.
	Learned interface {
		// After is the pause in seconds before the next ask about a payout that was sent so long
		// ago. It is false where hardly any payout becomes so old.
		After(since time.Duration) (seconds float64, known bool)
	}

	// ClockUncertainty is how much earlier than now the answer may have been true. It was true at
	// some moment of its call, and the journal's clock is known to within a call's time. What
	// counts only after some time waits for that much longer.
	ClockUncertainty time.Duration

	// Jitter in [0, 1) spreads the asks of payouts that were sent together. The caller draws it,
	// so that the table stays a pure function.
	Jitter float64
}

// jitterShare is by how much of its pause an ask may come early. A tenth spreads a burst, and
// the pause stays close to what was configured.
const jitterShare = 0.1

// interval is the pause before the next ask: poll.first, times poll.factor for each ask before
// it, poll.max at most.
func (policy Policy) interval(asked int) time.Duration { return policy.grown(float64(asked)) }

func (policy Policy) grown(asked float64) time.Duration {
	grown := float64(policy.Poll.First) * math.Pow(policy.Poll.Factor, asked)
	if !(grown <= float64(policy.Poll.Max)) { // also where Pow overflowed
		grown = float64(policy.Poll.Max)
	}
	return time.Duration(grown * (1 - jitterShare*policy.Jitter))
}

// heldPause is how long a held payout waits for its next ask: poll.max, or less where an absence counts sooner.
func (policy Policy) heldPause() time.Duration {
	if policy.NoRecord.Every > 0 {
		return min(policy.Poll.Max, policy.NoRecord.Every)
	}
	return policy.Poll.Max
}

// askNext sets the next ask: heldPause from now for a held payout, else as Pause says.
func (p Payout) askNext(now time.Time, policy Policy) Payout {
	p.Step = StepAsk
	p.Due = now.Add(policy.Pause(p.TradeNo, now.Sub(p.LastSentAt), p.AskRound))
	if p.State == StateHeld {
		p.Due = now.Add(policy.heldPause())
	}
	return p
}

// askAt sets the time of the next ask, askBy brings it forward. Another step is left alone.
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

// gaveUp tells that it is older than poll.give_up since its first send.
func (p Payout) gaveUp(now time.Time, policy Policy) bool {
	return !p.FirstSentAt.IsZero() && now.Sub(p.FirstSentAt) >= policy.Poll.GiveUp+policy.ClockUncertainty
}

// noRecordFrom is the moment from which the next NoRecord counts: no_record.every after the last
// one that counted. The first one counts that long after SendBy, when the last byte of the send
// can have left. SendBy is its write deadline, or after a takeover the end of its lease.
func (p Payout) noRecordFrom(policy Policy) time.Time {
	if p.NoRecords > 0 && p.NoRecordOf == policy.Account && !p.NoRecordAt.Before(p.SendBy) {
		return p.NoRecordAt.Add(policy.NoRecord.Every)
	}
	return p.SendBy.Add(policy.NoRecord.Every)
}

// NoRecordMayCount tells whether a NoRecord found now would count. The worker looks for evidence
// only if it would.
func (p Payout) NoRecordMayCount(now time.Time, policy Policy) bool {
	if p.SendBy.IsZero() { // nobody knows until when it may have been sent
		return false
	}
	return !now.Add(-policy.ClockUncertainty).Before(p.noRecordFrom(policy))
}

// Corroborated tells whether a NoRecord is believed to be about p alone. It might be a refusal
// of the whole merchant: code 8000 also means a wrong signature.
//
// served is when the provider last answered another payout of the merchant with outer code
// 0000. That must be after p's last NoRecord that counted, so that no answer vouches for two. And it
// must be recent: twice no_record.every, at least 10 minutes, because others may be asked rarely.
func (p Payout) Corroborated(served, now time.Time, policy Policy) bool {
	reach := max(10*time.Minute, 2*policy.NoRecord.Every)
	return !served.IsZero() && now.Sub(served) <= reach && served.After(p.NoRecordAt)
}

// countNoRecord counts a NoRecord if it counts now, and tells whether there are enough.
func (p Payout) countNoRecord(now time.Time, policy Policy) (Payout, bool) {
	// Those before SendBy are void: the last send may have left after them. So are another
	// account's: those of two accounts prove nothing together.
	if p.NoRecordAt.Before(p.SendBy) || p.NoRecordOf != policy.Account {
		p.NoRecords, p.NoRecordAt = 0, time.Time{}
	}
	if p.NoRecordMayCount(now, policy) {
		p.NoRecords++
		p.NoRecordAt, p.NoRecordOf = now, policy.Account
	}
	return p, p.NoRecords >= policy.NoRecord.Answers
}
