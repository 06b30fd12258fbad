package inquiry

import (
	"fmt"
	"time"

	"disburser/payout"
)

// next says what happens next, and when.
func next(f Found, around Around) *Next {
	p := f.Payout
	switch f.Place {
	case Nowhere, UnreadableHere:
		return nil
	case Ended:
		return &Next{Step: "none", Text: "nothing: payout.results has its result"}
	case AwaitsSent, AwaitsHeld:
		return &Next{Step: "ask", Text: "its command is read again from Kafka, then it is asked about"}
	case Open:
	}
	switch p.Step {
	case payout.StepSend, payout.StepParked:
		return nextSend(f, around)
	case payout.StepAsk:
		return nextAsk(f, around)
	case payout.StepAnnounce:
		return at(f, "announce", "its event is published to payout.results")
	case payout.StepReview:
		return at(f, "review", "an instance looks whether it may be sent, must wait, or ends")
	}
	return nil
}

// at is a step at the time at which it is due, if that is known.
func at(f Found, step, text string) *Next {
	n := &Next{Step: step, Text: text}
	if !f.Due.IsZero() {
		n.At = &RFC3339{f.Due}
	}
	return n
}

func nextSend(f Found, around Around) *Next {
	p := f.Payout
	switch {
	case around.Stop.Any() && len(around.Stop.By) > 0:
		text := "once that is lifted, it is sent"
		if !p.ExpiresAt.IsZero() {
			text += fmt.Sprintf("; at %s it expires, paused or not", when(p.ExpiresAt))
		}
		return &Next{Step: "send", Text: text}
	case p.Expired(f.At):
		return at(f, "review", "it ends as rejected if it was never sent, else it is held")
	}
	n := at(f, "send", "it is decided in payout.decisions, then sent")
	if rate := around.Sends.PerSecond; rate > 0 && !f.Due.After(f.At) && f.Before > 0 {
		turn := f.At.Add(time.Duration(float64(f.Before) / rate * float64(time.Second)))
		n.At, n.Text = &RFC3339{turn}, n.Text+"; the time is an estimate, by the rate"
	}
	return n
}

func nextAsk(f Found, around Around) *Next {
	p := f.Payout
	n := at(f, "ask", "the query endpoint is asked about it")
	if f.InWork {
		n.Text = "an instance has it in hand: it asks by itself, or another one does at this time"
	}
	switch {
	case p.State == payout.StateHeld:
		n.Text += "; a person can end it: resolve"
	case p.NoRecords > 0 && around.Policy.NoRecord.Answers > 0:
		n.Text += fmt.Sprintf("; %d of %d answers that it has no record are there", p.NoRecords, around.Policy.NoRecord.Answers)
	}
	if up := around.Policy.Poll.GiveUp; p.State != payout.StateHeld && up > 0 && !p.FirstSentAt.IsZero() {
		n.Text += fmt.Sprintf("; without an outcome it is held at %s", when(p.FirstSentAt.Add(up)))
	}
	if text := around.Asks.why(p.Merchant, "asked about", f.At); text != "" {
		n.Text += "; " + text
	}
	return n
}
