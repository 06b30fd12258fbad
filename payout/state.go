package payout

import (
	"fmt"
	"time"

	"disburser/payout/finding"
)

// Phase is whose answer a finding is: the worker's own send, or an ask.
type Phase byte

// The phases.
const (
	OwnSend Phase = 's'
	Ask     Phase = 'a'
)

// rule makes of a payout and a finding what it is afterwards, next step included.
type rule func(p Payout, f finding.Finding, now time.Time, policy Policy) Payout

// table is the whole of it: State × Phase × Kind. What is not in it can't happen;
// After answers it with an error and leaves the payout as it was.
//
// Only the query endpoint's word makes paid, partial or failed: whatever a send is
// answered, the outcome is asked for before it is published.
var table = map[State]map[Phase]map[finding.Kind]rule{
	StateSending: {
		OwnSend: {
			finding.Accepted:       acknowledged,
			finding.SettledPaid:    acknowledged,
			finding.SettledPartial: acknowledged,
			finding.SettledFailed:  acknowledged, // remembered in LastSend: absence then proves the failure
			finding.SettledOther:   acknowledged, // which proves nothing: it may have been executed
			finding.Refused:        askAfterSend, // remembered like SettledFailed
			finding.NotSent:        backToReceived,
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
			finding.NoRecord:      askLater,
			finding.UnknownStatus: unknownStatus,
			finding.Unclear:       askLater,
		},
	},
}

// After is the door through which every answer of the provider changes a payout.
func (p Payout) After(phase Phase, f finding.Finding, now time.Time, policy Policy) (Payout, error) {
	r := table[p.State][phase][f.Kind]
	if r == nil {
		return p, fmt.Errorf("payout %s: a payout that is %v can't find %v: left as it is", p.TradeNo, p.State, f.Kind)
	}
	return r(p.heard(phase, f, now), f, now, policy), nil
}

// heard notes what every answer leaves behind, whatever the rule makes of it.
func (p Payout) heard(phase Phase, f finding.Finding, now time.Time) Payout {
	if phase == OwnSend {
		p.LastSend = f.Kind
		if p.FirstSentAt.IsZero() {
			p.FirstSentAt = p.LastSentAt
		}
	} else {
		p.Asks++
		p.AskRound++
		if p.FirstSentAt.IsZero() { // taken over: the sender died before it could note it
			p.FirstSentAt = p.LastSentAt
		}
	}
	if f.Shows() { // from here on its absence is no proof of anything
		p.Shown = true
		p.NoRecords, p.NoRecordAt = 0, time.Time{}
	}
	if phase == Ask && f.Kind == finding.Processing {
		p.PendingAt = now
	}
	if f.Kind == finding.Unclear { // also an answer about somebody else: nothing of it is ours
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

// The rules.

func acknowledged(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	p.State = StateProcessing
	return p.askNext(now, policy)
}

func askAfterSend(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	return p.askNext(now, policy)
}

// backToReceived is for the proof that no byte of the request left: the send did
// not happen and does not count.
func backToReceived(p Payout, _ finding.Finding, now time.Time, _ Policy) Payout {
	p.State, p.Step, p.Due = StateReceived, StepSend, now.Add(notSentPause)
	p.Sends = max(0, p.Sends-1)
	if p.Sends == 0 {
		p.FirstSentAt, p.Account = time.Time{}, ""
	}
	p.LastSend = finding.Unclear
	return p
}

func nowProcessing(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.State, p.Unknown = StateProcessing, ""
	return askLater(p, f, now, policy)
}

// stillHeld: a person decides, but an unknown status before it is no evidence any more.
func stillHeld(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.Unknown = ""
	return askLater(p, f, now, policy)
}

// askLater stays where it is, but not for ever: what is older than give_up since
// its first send goes to a person.
func askLater(p Payout, _ finding.Finding, now time.Time, policy Policy) Payout {
	if p.State != StateHeld && p.gaveUp(now, policy) {
		return p.hold(fmt.Sprintf("no outcome within %v since it was first sent", policy.Poll.GiveUp), now)
	}
	return p.askNext(now, policy)
}

func settle(to State) rule {
	return func(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
		says := p.contradiction(to, f)
		if says != "" && policy.Contradiction == Hold {
			return p.holdContradiction(to, says, now, policy)
		}
		p.Reason, p.Contradiction = "", says
		if to == StateFailed { // which comes with an amount and a success time too (paypro-api.md §4.3)
			p.Reason = "the provider says that it failed"
		} else {
			p.PaidAmount, p.SuccessTime = f.PaidAmount, f.SuccessTime
			if f.AmountUnread { // an empty paidAmount must not pass for an answer without one
				p.Reason = "the amount in the provider's answer can't be read exactly"
			}
		}
		return p.end(to, now)
	}
}

// partialSeen believes 0001 only when it is seen twice, every apart: the pages
// disagree whether a payout can be partial at all (paypro-api.md §5.2).
func partialSeen(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p.Unknown = "" // an unknown status before it is no evidence any more
	switch {
	case p.PartialAt.IsZero():
		p.PartialAt = now
	case now.Sub(p.PartialAt) >= policy.NoRecord.Every+policy.Doubt:
		return settle(StatePartial)(p, f, now, policy)
	}
	p = askLater(p, f, now, policy)
	return p.askAt(p.PartialAt.Add(policy.NoRecord.Every))
}

// holdContradiction leaves an outcome that contradicts the payout to a person. Once they
// were told, the same answer tells nobody anything new.
func (p Payout) holdContradiction(to State, says string, now time.Time, policy Policy) Payout {
	told := p.State == StateHeld && p.Contradiction != ""
	p.Contradiction, p.Unknown = says, ""
	if told {
		return p.askNext(now, policy)
	}
	return p.hold(fmt.Sprintf("the provider says %v, and that contradicts the payout (%s): it may speak of another order with this tradeNo", to, says), now)
}

// noRecordWhileSending gathers the evidence that a payout that may have been sent
// does not exist at the provider.
func noRecordWhileSending(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p, enough := p.countNoRecord(now, policy)
	switch {
	case !enough:
		p = askLater(p, f, now, policy)
		return p.askBy(p.noRecordFrom(policy))
	case p.otherAccount(policy) != "":
		return p.hold(p.otherAccount(policy), now)
	case p.Shown:
		return p.hold(fmt.Sprintf("the provider has shown it and then said %d times that it has no record of it", p.NoRecords), now)
	case p.Sends-p.Disproved == 1 && p.LastSend == finding.Refused && !p.Unheard:
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

// noRecordWhileProcessing: the provider had it and lost it.
func noRecordWhileProcessing(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	p, enough := p.countNoRecord(now, policy)
	switch {
	case !enough:
		p = askLater(p, f, now, policy)
		return p.askBy(p.noRecordFrom(policy))
	case p.otherAccount(policy) != "":
		return p.hold(p.otherAccount(policy), now)
	case p.Sends-p.Disproved == 1 && p.LastSend == finding.SettledFailed && !p.Shown && !p.Unheard:
		p.Absent = true
		p.Reason = "the provider answered the send with a failure and has no record of it"
		return p.end(StateFailed, now)
	}
	return p.hold(fmt.Sprintf("the provider had acknowledged it and then said %d times that it has no record of it", p.NoRecords), now)
}

// What is not an answer of the provider changes a payout through these.

// NotSendable is for a received payout that the journal wouldn't hand out to be sent: held
// where an earlier send may have gone to another account than the given one, else expired.
// One that may be sent after all waits for that again: who left it has another account.
func (p Payout) NotSendable(now time.Time, account Account) (Payout, error) {
	switch {
	case p.State == StateReceived && p.SentElsewhere(account):
		if p.Account == "" {
			return p.hold(sentSomewhere, now), nil
		}
		return p.hold(sentElsewhere, now), nil
	case p.State == StateReceived && p.Sends > 0 && !p.Expired(now):
		p.Step, p.Due = StepSend, now.Add(notSentPause)
		return p, nil
	}
	return p.expire(now)
}

// Expire is for a received payout whose expiresAt has come: rejected if it was never sent,
// failed if each of its sends was refused and is proved absent, else held.
func (p Payout) expire(now time.Time) (Payout, error) {
	switch {
	case p.State != StateReceived:
		return p, fmt.Errorf("payout %s: a payout that is %v can't expire: left as it is", p.TradeNo, p.State)
	case !p.Expired(now):
		return p, fmt.Errorf("payout %s: it expires at %v, not now: left as it is", p.TradeNo, p.ExpiresAt)
	case p.Sends == 0 && !p.Unheard:
		return p.reject("expiresAt passed before it was sent", now), nil
	case p.allRefused() && !p.Unheard:
		p.Absent = true
		p.Reason = "the provider refused it and has no record of it, and then expiresAt passed"
		return p.end(StateFailed, now), nil
	}
	return p.hold(p.whyNotExpired(), now), nil
}

// GiveBack undoes a lease whose payout was certainly not sent: the decision was not
// acknowledged (unheard), or no token came in time.
func (p Payout) GiveBack(now time.Time, unheard bool) (Payout, error) {
	if p.State != StateSending || p.Sends < 1 || p.LastSend != finding.Unclear || p.AskRound > 0 {
		return p, fmt.Errorf("payout %s: a payout that is %v, sent %d times, answered %v and asked about %d times can't be given back: left as it is",
			p.TradeNo, p.State, p.Sends, p.LastSend, p.AskRound)
	}
	p = backToReceived(p, finding.Finding{}, now, Policy{})
	p.Due = now
	p.Unheard = p.Unheard || unheard
	return p, nil
}

// Announced is for after the event was acknowledged by Kafka: a held payout goes
// on being asked, a final one is ready to be forgotten but for its memory.
func (p Payout) Announced(now time.Time, policy Policy) Payout {
	if p.State == StateHeld {
		p.Step, p.Due = StepAsk, now.Add(policy.Poll.Max)
	}
	return p
}

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
