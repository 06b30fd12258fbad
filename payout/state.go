package payout

import (
	"fmt"
	"time"

	"disburser/payout/finding"
)

// table says which rule follows a finding: by state, by whose answer it is, and by kind. What
// is not in it can't happen: After answers an error and leaves the payout as it was.
//
// The answer to a send never makes a payout paid, partial or failed. The outcome is asked for
// at the query endpoint first (protocol O1).
var table = map[State]map[Phase]map[finding.Kind]rule{
	StateSending: {
		OwnSend: {
			finding.Accepted:       acknowledged,
			finding.SettledPaid:    acknowledged,
			finding.SettledPartial: acknowledged,
			finding.SettledFailed:  acknowledged, // noted in LastSend: absence then proves the failure
			finding.SettledOther:   acknowledged, // proves nothing: it may have been executed
			finding.Refused:        askAfterSend, // noted in LastSend, like SettledFailed
			finding.NotSent:        backToReceived,
			finding.Stopped:        backToReceived,
			finding.Unclear:        askAfterSend,
		},
		Ask: {
			finding.Processing:    nowProcessing,
			finding.Paid:          settle(StatePaid),
			finding.Partial:       partialSeen,
			finding.Failed:        settle(StateFailed),
			finding.NoRecord:      noRecordWhileSending,
			finding.UnknownStatus: unknownStatus,
			finding.Unclear:       askLater,
		},
	},
	StateProcessing: {
		Ask: {
			finding.Processing:    nowProcessing,
			finding.Paid:          settle(StatePaid),
			finding.Partial:       partialSeen,
			finding.Failed:        settle(StateFailed),
			finding.NoRecord:      noRecordWhileProcessing,
			finding.UnknownStatus: unknownStatus,
			finding.Unclear:       askLater,
		},
	},
	StateHeld: {
		Ask: {
			finding.Processing:    stillHeld,
			finding.Paid:          settle(StatePaid),
			finding.Partial:       partialSeen,
			finding.Failed:        settle(StateFailed),
			finding.NoRecord:      noRecordWhileHeld,
			finding.UnknownStatus: unknownStatus,
			finding.Unclear:       askLater,
		},
	},
}

// Phase says what was answered: the worker's own send, or an ask.
type Phase byte

// The phases.
const (
	OwnSend Phase = 's'
	Ask     Phase = 'a'
)

// rule answers what a payout is after a finding, with its next step and when that is due.
type rule func(p Payout, f finding.Finding, now time.Time, policy Policy) Payout

// After is what an answer of the provider makes of the payout. Nothing else lets an answer
// change one.
func (p Payout) After(phase Phase, f finding.Finding, now time.Time, policy Policy) (Payout, error) {
	r := table[p.State][phase][f.Kind]
	if r == nil {
		return p, fmt.Errorf("payout %s: a payout that is %v can't find %v: left as it is", p.TradeNo, p.State, f.Kind)
	}
	return r(p.noted(phase, f, now), f, now, policy), nil
}

// noted is the payout with what is noted of every answer, whichever rule follows.
func (p Payout) noted(phase Phase, f finding.Finding, now time.Time) Payout {
	if phase == OwnSend {
		p.LastSend, p.Answered = f.Kind, true
		if p.FirstSentAt.IsZero() {
			p.FirstSentAt = p.LastSentAt
		}
	} else {
		p.Asks++
		p.AskRound++
		if p.State == StateSending && !p.Answered { // taken over
			p.AnswerLost = true
		}
		if p.FirstSentAt.IsZero() { // its sender died before it could note that
			p.FirstSentAt = p.LastSentAt
		}
	}
	if f.Shows() { // from here on absence proves nothing
		p.Shown = true
		p.NoRecords, p.NoRecordAt = 0, time.Time{}
	}
	if phase == Ask && f.Kind == finding.Processing {
		p.PendingAt = now
	}
	if f.Kind == finding.Unclear { // it may be about another order: its words are not kept
		return p
	}
	if f.Status != "" {
		p.Status, p.StatusText = f.Status, f.StatusText
	}
	if f.PlatformTradeNo != "" {
		p.PlatformTradeNo = f.PlatformTradeNo
	}
	return p
}

// The rules, in the order of the table. unknownStatus stands in unknown.go.

// acknowledged is for a send that the provider took. Whatever the answer says of an end, the
// payout is asked about next.
func acknowledged(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	p.State = StateProcessing
	return p.askNext(now, policy)
}

// askAfterSend is for a send that was refused, or whose answer is unclear: it may have been
// executed all the same.
func askAfterSend(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	return p.askNext(now, policy)
}

// backToReceived is for the proof that no byte of the request left. The send did not happen,
// so it doesn't count.
func backToReceived(p Payout, _ finding.Finding, now time.Time, _ Policy) Payout {
	p.State, p.Step, p.Due = StateReceived, StepSend, now.Add(notSentPause)
	p.Sends = max(0, p.Sends-1)
	if p.Sends == 0 {
		p.FirstSentAt, p.Account = time.Time{}, ""
	}
	p.LastSend, p.Answered = finding.Unclear, false
	return p
}

// nowProcessing is for an ask that finds it processing. An unknown status before that is no
// evidence any more.
func nowProcessing(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.State, p.Unknown = StateProcessing, ""
	return askLater(p, f, now, policy)
}

// settle ends a payout by the provider's word, as to. An outcome that contradicts the payout is
// held instead where the operator chose that.
func settle(to State) rule {
	return func(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
		says := p.contradiction(to, f)
		if says != "" && policy.Contradiction == Hold {
			return p.holdContradiction(to, says, now, policy)
		}
		p.Reason, p.Contradiction = "", says
		if to == StateFailed { // the amount and success time of a failure mean nothing (paypro-api.md §4.3)
			p.Reason = "the provider says that it failed"
		} else {
			p.PaidAmount, p.SuccessTime = f.PaidAmount, f.SuccessTime
			if f.AmountUnread { // the result has no paidAmount: it says why
				p.Reason = "the amount in the provider's answer can't be read exactly"
			}
		}
		return p.end(to, now)
	}
}

// holdContradiction holds a payout because its outcome contradicts it. A person is told once:
// the same answer again tells them nothing new.
func (p Payout) holdContradiction(to State, says string, now time.Time, policy Policy) Payout {
	told := p.State == StateHeld && p.Contradiction != ""
	p.Contradiction, p.Unknown = says, ""
	if told {
		return p.askNext(now, policy)
	}
	return p.hold(fmt.Sprintf("the provider says %v, and that contradicts the payout (%s): it may speak of another order with this tradeNo", to, says), now)
}

// partialSeen believes "partial" only when asks find it twice, no_record.every apart. The
// provider's pages disagree whether a payout can be partial at all (paypro-api.md §5.2).
func partialSeen(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.Unknown = "" // an unknown status before it is no evidence any more
	switch {
	case p.PartialAt.IsZero():
		p.PartialAt = now
	case now.Sub(p.PartialAt) >= policy.NoRecord.Every+policy.ClockUncertainty:
		return settle(StatePartial)(p, f, now, policy)
	}
	p = askLater(p, f, now, policy)
	return p.askAt(p.PartialAt.Add(policy.NoRecord.Every))
}

// noRecordWhileSending counts the answers that the provider has no record of a payout that may
// have been sent. Once there are enough, the operator's choice decides, or a person.
func noRecordWhileSending(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p, enough := p.countNoRecord(now, policy)
	switch {
	case !enough:
		p = askLater(p, f, now, policy)
		return p.askBy(p.noRecordFrom(policy))
	case p.accountDoubt(policy) != "":
		return p.hold(p.accountDoubt(policy), now)
	case p.Shown:
		return p.hold(fmt.Sprintf("the provider has shown it and then said %d times that it has no record of it", p.NoRecords), now)
	case p.Sends-p.Disproved == 1 && p.LastSend == finding.Refused && !p.Unacknowledged:
		if policy.Refusing && p.resends(now, policy) && !p.Expired(now) {
			return p.probeAgain(now)
		}
		p.Absent = true
		p.Reason = "the provider refused it and has no record of it"
		return p.end(StateFailed, now)
	case p.resends(now, policy):
		return p.sendAgain(now)
	}
	return p.hold(fmt.Sprintf("it may have been sent, but the provider said %d times that it has no record of it", p.NoRecords), now)
}

// askLater leaves the state and asks again later. Once poll.give_up has passed since the
// first send, the payout is held instead, so that a person is told.
func askLater(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	if p.State != StateHeld && p.gaveUp(now, policy) {
		return p.hold(fmt.Sprintf("no outcome within %v since it was first sent", policy.Poll.GiveUp), now)
	}
	return p.askNext(now, policy)
}

// noRecordWhileProcessing counts them of a payout that the provider had acknowledged. Such a
// payout is never sent again.
func noRecordWhileProcessing(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p, enough := p.countNoRecord(now, policy)
	switch {
	case !enough:
		p = askLater(p, f, now, policy)
		return p.askBy(p.noRecordFrom(policy))
	case p.accountDoubt(policy) != "":
		return p.hold(p.accountDoubt(policy), now)
	case p.Sends-p.Disproved == 1 && p.LastSend == finding.SettledFailed && !p.Shown && !p.Unacknowledged:
		p.Absent = true
		p.Reason = "the provider answered the send with a failure and has no record of it"
		return p.end(StateFailed, now)
	}
	return p.hold(fmt.Sprintf("the provider had acknowledged it and then said %d times that it has no record of it", p.NoRecords), now)
}

// stillHeld is nowProcessing for a held payout: it stays with its person.
func stillHeld(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.Unknown = ""
	return askLater(p, f, now, policy)
}

// noRecordWhileHeld counts them too: they are what a person's word needs as evidence (protocol A7).
func noRecordWhileHeld(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p, _ = p.countNoRecord(now, policy)
	return askLater(p, f, now, policy)
}

// The methods below change a payout without an answer of the provider; see awaiting.go too.

// NotSendable is what becomes of a received payout that the journal doesn't hand out to be
// sent. It is held if an earlier send may have gone to another account than the given one.
// Else it expires, if it has to. If neither, it waits to be sent again: the instance that
// left it has another account.
func (p Payout) NotSendable(now time.Time, account Account) (Payout, error) {
	switch {
	case p.State == StateReceived && p.MaybeAtAnotherAccount(account):
		if p.Account == "" {
			return p.hold(atUnknownAccount, now), nil
		}
		return p.hold(atAnotherAccount, now), nil
	case p.State == StateReceived && p.Sends > 0 && !p.Expired(now):
		p.Step, p.Due = StepSend, now.Add(notSentPause)
		return p, nil
	}
	return p.expire(now)
}

// expire is for a received payout whose expiresAt has come. It is rejected if it was never
// sent. It is failed if each of its sends was refused and is proved absent. Else it is held.
func (p Payout) expire(now time.Time) (Payout, error) {
	switch {
	case p.State != StateReceived:
		return p, fmt.Errorf("payout %s: a payout that is %v can't expire: left as it is", p.TradeNo, p.State)
	case !p.Expired(now):
		return p, fmt.Errorf("payout %s: it expires at %v, not now: left as it is", p.TradeNo, p.ExpiresAt)
	case p.Sends == 0 && !p.Unacknowledged:
		return p.reject("expiresAt passed before it was sent", now), nil
	case p.allRefused() && !p.Unacknowledged:
		p.Absent = true
		p.Reason = "the provider refused it and has no record of it, and then expiresAt passed"
		return p.end(StateFailed, now), nil
	}
	return p.hold(p.whyNotExpired(), now), nil
}

// GiveBack makes a leased payout received again that was certainly not sent. Its decision was
// unacknowledged, or the last check refused the call.
func (p Payout) GiveBack(now time.Time, unacknowledged bool) (Payout, error) {
	if p.State != StateSending || p.Sends < 1 || p.LastSend != finding.Unclear || p.AskRound > 0 {
		return p, fmt.Errorf("payout %s: a payout that is %v, sent %d times, answered %v and asked about %d times can't be given back: left as it is",
			p.TradeNo, p.State, p.Sends, p.LastSend, p.AskRound)
	}
	p = backToReceived(p, finding.Finding{}, now, Policy{})
	p.Due = now
	p.Unacknowledged = p.Unacknowledged || unacknowledged
	return p, nil
}

// Announced is for a payout whose event Kafka has acknowledged. A held payout is asked about
// again. A final payout stays as it is: the caller has the journal forget it.
func (p Payout) Announced(now time.Time, policy Policy) Payout {
	if p.State == StateHeld {
		p.Step, p.Due = StepAsk, now.Add(policy.heldPause())
	}
	return p
}

// reject, hold and end have the payout announced next.

func (p Payout) reject(reason string, now time.Time) Payout {
	p.Reason = reason
	return p.end(StateRejected, now)
}

func (p Payout) hold(reason string, now time.Time) Payout {
	p.State, p.Step, p.Due = StateHeld, StepAnnounce, now
	p.Reason, p.HeldAt = reason, now
	return p
}

func (p Payout) end(final State, now time.Time) Payout {
	p.State, p.Step, p.Due = final, StepAnnounce, now
	p.SettledAt = now
	return p
}
