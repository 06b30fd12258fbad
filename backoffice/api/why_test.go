package api_test

import (
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/payout"
)

// Every state has a sentence that says where the money is, and none has two.
func TestASentenceForEveryState(t *testing.T) {
	event := &books.Event{Reason: "the wallet is closed", PlatformTradeNo: "p1", Time: 1_000}
	said := map[string]payout.State{}
	for _, state := range append([]payout.State{0}, payout.States...) {
		v := books.View{State: state, Amount: "300", Currency: "EGP", Paid: "100", Event: event, Order: &books.Order{}}
		text := api.Sentence(&books.Payout{TradeNo: "T1"}, v, nil, nil)
		if other, twice := said[text]; twice && !(state == payout.StateProcessing && other == payout.StateSending) {
			t.Errorf("%v and %v: %s", state, other, text)
		}
		said[text] = state
		if !strings.HasSuffix(text, ".") || strings.HasSuffix(text, "..") || text[0] < 'A' || text[0] > 'Z' || strings.Contains(text, "\n") {
			t.Errorf("%v: %q", state, text)
		}
	}
}

func TestSentences(t *testing.T) {
	pause := []api.Action{{Kind: "pause", Scope: "fleet", By: "alice", Reason: "wrong file"}}
	for _, c := range []struct {
		v     books.View
		sent  *books.Sent
		stops []api.Action
		next  *api.Next
		want  string
	}{
		{books.View{State: payout.StateReceived, Order: &books.Order{}}, nil, pause, nil,
			"Not paid yet: it was ordered, and it isn't known to have been sent; it is sent when its turn comes; stopped by alice's pause of fleet (wrong file)."},
		{books.View{State: payout.StateReceived, Order: &books.Order{NotBefore: 1000}}, nil, nil, nil, "not before 1970-01-01T00:00:01.000Z."},
		{books.View{State: payout.StateReceived, Undetermined: true, Order: &books.Order{}}, nil, nil, nil, "Two commands of this tradeNo say different things"},
		{books.View{State: payout.StateSending}, &books.Sent{Time: 1000}, nil, &api.Next{At: "T", Text: "it is asked about"},
			"It may have been paid: it was decided to send it at 1970-01-01T00:00:01.000Z, and no outcome is known yet; next T: it is asked about."},
		{books.View{State: payout.StateHeld, Event: &books.Event{Reason: "no record"}}, nil, nil, nil, "held for a person: no record"},
		{books.View{State: payout.StatePaid, Paid: "300", Currency: "EGP", Event: &books.Event{By: "alice", ConfirmedBy: "bob", Contradiction: "the amount is another one"}}, nil, pause, nil,
			"Paid: 300 EGP, by alice's word and bob's"},
		{books.View{State: payout.StateRejected, Event: &books.Event{Reason: "expired"}}, nil, nil, &api.Next{Text: "x"},
			"Not paid, and never sent (expired); nothing happens any more; a corrected payout needs a new tradeNo."},
	} {
		if text := api.Sentence(&books.Payout{Sent: c.sent}, c.v, c.stops, c.next); !strings.Contains(text, c.want) {
			t.Errorf("%q, want %q", text, c.want)
		}
	}
}
