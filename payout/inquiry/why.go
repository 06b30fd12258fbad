package inquiry

import (
	"fmt"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

// why says in one sentence why the payout isn't sent now.
func why(f Found, around Around) string {
	switch f.Place {
	case Nowhere:
		return whyNowhere(f, around)
	case UnreadableHere:
		return "its record can't be read here: " + f.Err.Error()
	case Ended:
		return fmt.Sprintf("it has ended as %v, and its result is announced: a tradeNo is never sent again", f.Remembered)
	case AwaitsSent:
		return "it was decided to be sent before the journal was lost: it may have been paid, so it is asked about and not sent"
	case AwaitsHeld:
		return "it was held before the journal was lost: it may have been paid, so it is not sent"
	case Open:
	}
	switch p := f.Payout; p.State {
	case payout.StateReceived:
		return whyUnsent(f, around)
	case payout.StateSending:
		if f.InWork && p.AskRound == 0 && p.LastSend == 0 {
			return "an instance is sending it, or has sent it: until the answer is there it may have been paid"
		}
		return "it may have been sent already: it is asked about, and not sent again" + unlessResent(around.Policy)
	case payout.StateProcessing:
		return "the provider has acknowledged it: it is asked about, and never sent again"
	case payout.StateHeld:
		return "it waits for a person: it is asked about slowly, and never sent again"
	default:
		return fmt.Sprintf("it has ended as %v", p.State)
	}
}

func unlessResent(policy payout.Policy) string {
	if policy.NoRecord.Then == payout.Resend {
		return " before its absence is proved (no_record.then: resend)"
	}
	return ""
}

// whyNowhere is for a payout of which the journal knows nothing.
func whyNowhere(f Found, around Around) string {
	switch {
	case f.Doubt != "":
		return "nobody can tell now: " + f.Doubt
	case around.Full:
		return "the journal knows nothing of it; max_open is reached, so no commands are taken in: its command may wait in Kafka"
	case around.Intake != "":
		return "the journal knows nothing of it; commands are not read now (" + around.Intake + "): its command may wait in Kafka"
	}
	return "the journal knows nothing of it: its command was not read yet, became a dead letter, or it ended longer ago than redis.dedup_window"
}

// whyUnsent is for a received payout. What holds it up is named by the order in which the disburser asks.
func whyUnsent(f Found, around Around) string {
	p, at := f.Payout, f.At
	switch {
	case f.Doubt != "":
		return "nothing is sent now: " + f.Doubt
	case around.Stop.Why == acts.NotFresh:
		return "nothing is sent now: nobody knows whether it is paused, because payout.actions was not read to its end in time"
	case around.Stop.Any():
		return whyStopped(around.Stop)
	case !around.Known:
		return fmt.Sprintf("no merchant %q is configured here: it waits for one for unknown_merchant_grace (%v), then it is rejected", p.Merchant, around.Grace)
	case p.Expired(at):
		return fmt.Sprintf("its expiresAt (%s) has passed: it is not sent any more", when(p.ExpiresAt))
	case p.Early(at) > 0:
		return fmt.Sprintf("it is not to be sent before %s (notBefore)", when(p.NotBefore))
	case p.MaybeAtAnotherAccount(around.Policy.Account):
		return "an earlier send may have gone to another account of the provider: it will be held for a person"
	case p.Step == payout.StepParked && around.Full:
		return "the pause that parked it is lifted, and it comes back to be sent once fewer than max_open payouts are open"
	case p.Step == payout.StepParked:
		return "the pause that parked it is lifted, and it comes back to be sent within a minute"
	case f.InWork:
		return fmt.Sprintf("an instance looks at it now, until %s at the latest", when(f.Until))
	}
	if text := around.Sends.why(p.Merchant, "sent", at); text != "" {
		return text
	}
	if f.Due.After(at) {
		return fmt.Sprintf("it could not be sent and is tried again at %s", when(f.Due))
	}
	return waits(f, around)
}

// whyStopped says who has stopped it, and why.
func whyStopped(s acts.Stop) string {
	if len(s.By) == 0 {
		return "it is " + string(s.Why)
	}
	first := s.By[0]
	text := fmt.Sprintf("it is %s by %s (%s, since %s, action %s): %s", s.Why, orNobody(first.By), first.Scope, when(first.Since), first.ID, first.Reason)
	if more := len(s.By) - 1; more > 0 {
		text += fmt.Sprintf("; and by %d more", more)
	}
	return text
}

func orNobody(name string) string {
	if name == "" {
		return "somebody unnamed"
	}
	return name
}

// why says what keeps a merchant's calls from being made, "" if nothing does. done is what they do to a payout.
func (c Calls) why(merchant, done string, at time.Time) string {
	switch {
	case !c.NextProbe.IsZero():
		return fmt.Sprintf("the provider refuses one send of %s after the other: all rest, and one payout tries again at %s", merchant, when(c.NextProbe))
	case c.RestUntil.After(at):
		return fmt.Sprintf("the provider has asked for a pause (Retry-After): nothing of %s is %s until %s", merchant, done, when(c.RestUntil))
	case c.Breaker == Tripped:
		return fmt.Sprintf("too many calls of %s fail, so its breaker is open here: nothing is %s until a try goes well, in %v at most", merchant, done, c.OpenFor)
	case c.Breaker == HalfOpen:
		return fmt.Sprintf("too many calls of %s have failed: a few are %s to try whether that is over", merchant, done)
	}
	return ""
}

// waits is for a payout that nothing holds up but its turn.
func waits(f Found, around Around) string {
	rate := around.Sends.PerSecond
	if f.Due.IsZero() || rate <= 0 {
		return "nothing forbids it: it waits for its turn within the merchant's rate"
	}
	text := fmt.Sprintf("nothing forbids it: %d of %s are before it, at %.4g a second", f.Before, f.Payout.Merchant, rate)
	if rate < around.Sends.Agreed {
		text += fmt.Sprintf(" (%.4g are configured; the provider has said that it is too fast)", around.Sends.Agreed)
	}
	return text
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
