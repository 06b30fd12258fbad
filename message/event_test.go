package message

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"disburser/payout"
)

func TestTheResultIsTheContracts(t *testing.T) {
	cairo := time.FixedZone("Cairo", 2*3600) // times must come out as UTC whatever they came in as
	p := in(t, payout.StatePaid)
	p.Status, p.StatusText, p.PlatformTradeNo = "0000", "SUCCESS", "2tjba3vz6wm6hx3l"
	p.PaidAmount, p.SuccessTime, p.Asks = "300", "2026-11-21 18:34:31", 2
	p.ReceivedAt, p.FirstSentAt, p.SettledAt = t0.In(cairo), t0.Add(1500*time.Millisecond).In(cairo), t0.Add(time.Minute).In(cairo)
	p.Trace = payout.Trace{Parent: "00-abc", State: "k=v"}
	e, speaks := EventOf(p)
	if !speaks {
		t.Fatal("paid is silent")
	}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"eventId": e.EventID, "type": "payout.paid", "tradeNo": "20261121103000000001", "merchant": "eg-main", "country": "egypt",
		"batchId": "2026-11-payroll", "batchSize": 15000.0, "amount": "300", "currency": "EGP",
		"status": "0000", "statusText": "SUCCESS", "platformTradeNo": "2tjba3vz6wm6hx3l",
		"paidAmount": "300", "successTime": "2026-11-21 18:34:31", "remark": "salary 2026-11",
		"reason": "", "sends": 1.0, "asks": 2.0,
		"receivedAt": "2026-11-21T10:30:00.000Z", "sentAt": "2026-11-21T10:30:01.500Z", "settledAt": "2026-11-21T10:31:00.000Z",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if e.Fingerprint != p.Fingerprint || e.Trace != p.Trace || !e.Time.Equal(p.SettledAt) {
		t.Errorf("for the headers: %v %v %v", e.Fingerprint, e.Trace, e.Time)
	}
	hides(t, "a result", string(raw))
}

// What is not known is left out where it is a time or a size; every other name is always there.
func TestWhichNamesAResultHas(t *testing.T) {
	always := []string{
		"amount", "asks", "batchId", "country", "currency", "eventId", "merchant", "paidAmount", "platformTradeNo", "reason", "remark",
		"sends", "status", "statusText", "tradeNo", "type",
	}
	for _, s := range []payout.State{payout.StatePaid, payout.StatePartial, payout.StateFailed, payout.StateRejected, payout.StateHeld} {
		p := in(t, s)
		p.SuccessTime = "2026-11-21 18:34:31"
		unknown := p
		unknown.BatchSize, unknown.SuccessTime = 0, ""
		unknown.ReceivedAt, unknown.FirstSentAt, unknown.SettledAt = time.Time{}, time.Time{}, time.Time{}
		known := map[string]bool{"batchSize": true, "successTime": true, "receivedAt": true, "sentAt": s != payout.StateRejected, "settledAt": s != payout.StateHeld}
		for name, there := range known {
			if _, found := fieldsOf(t, p)[name]; found != there {
				t.Errorf("%v: %s is there: %v", s, name, found)
			}
		}
		if got := slices.Sorted(maps.Keys(fieldsOf(t, unknown))); !slices.Equal(got, always) {
			t.Errorf("%v: of an event of which little is known: %v", s, got)
		}
	}
}

// An end by a person names who said so; other events have no such field.
func TestAnEndByAPersonNamesThem(t *testing.T) {
	p := in(t, payout.StateFailed)
	p.By, p.ConfirmedBy, p.Action = "alice", "bob", "01J9"
	if f := fieldsOf(t, p); f["by"] != "alice" || f["confirmedBy"] != "bob" || f["action"] != nil {
		t.Errorf("%v", f)
	}
	p.ConfirmedBy = ""
	if f := fieldsOf(t, p); f["by"] != "alice" || f["confirmedBy"] != nil {
		t.Errorf("%v", f)
	}
}

// fieldsOf are the fields of a payout's event.
func fieldsOf(t *testing.T, p payout.Payout) map[string]any {
	t.Helper()
	e, _ := EventOf(p)
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestWhichStatesSpeak(t *testing.T) {
	want := map[payout.State]EventType{payout.StatePaid: "payout.paid", payout.StatePartial: "payout.partial", payout.StateFailed: "payout.failed",
		payout.StateRejected: "payout.rejected", payout.StateHeld: "payout.held"}
	for _, s := range append([]payout.State{0}, payout.States...) {
		p := in(t, payout.StateSending)
		if s != 0 {
			p = in(t, s)
		} else {
			p.State = s
		}
		e, speaks := EventOf(p)
		if kind, should := want[s]; speaks != should || e.Type != kind {
			t.Errorf("%v: %v %q", s, speaks, e.Type)
		}
		if !speaks && e != (Event{}) {
			t.Errorf("%v is silent and says %+v", s, e)
		}
	}
	if len(EventTypes) != len(want) {
		t.Errorf("EventTypes %v", EventTypes)
	}
	for _, kind := range want {
		if !slices.Contains(EventTypes, kind) {
			t.Errorf("%v is not among the EventTypes", kind)
		}
	}
}

func TestTimesThatNeverWereAreEmpty(t *testing.T) {
	e, _ := EventOf(in(t, payout.StateRejected))
	if e.SentAt != "" || e.Sends != 0 || e.ReceivedAt == "" || e.SettledAt == "" || e.Reason == "" {
		t.Errorf("rejected: %+v", e)
	}
	e, _ = EventOf(in(t, payout.StateHeld))
	if e.SentAt == "" || e.SettledAt != "" || e.Reason == "" || e.Time.IsZero() {
		t.Errorf("held: %+v", e)
	}
}

func id(t *testing.T, p payout.Payout) string {
	t.Helper()
	e, speaks := EventOf(p)
	if !speaks || len(e.EventID) != 32 {
		t.Fatalf("%v: event id %q", p.State, e.EventID)
	}
	return e.EventID
}

func TestEventIDIsStable(t *testing.T) {
	for _, s := range []payout.State{payout.StatePaid, payout.StatePartial, payout.StateFailed, payout.StateRejected, payout.StateHeld} {
		p := in(t, s)
		first := id(t, p)
		again := p.Announced(t0.Add(time.Hour), standard())
		again.Asks, again.AskRound, again.Due, again.SettledAt = 99, 7, t0.Add(9*time.Hour), t0.Add(10*time.Hour)
		again.ReceivedAt, again.FirstSentAt, again.Source = t0.Add(time.Hour), time.Time{}, payout.Source{Partition: 9, Offset: 9}
		again.Status, again.StatusText, again.Reason, again.Remark, again.BatchID = "x", "x", "x", "x", "x"
		if id(t, again) != first {
			t.Errorf("%v: a repeat that another instance announces has another id", s)
		}
	}
}

func TestEventIDTellsEventsApart(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, p payout.Payout) {
		t.Helper()
		if other, twice := seen[id(t, p)]; twice {
			t.Errorf("%s and %s share an id", name, other)
		}
		seen[id(t, p)] = name
	}
	for _, s := range []payout.State{payout.StatePaid, payout.StatePartial, payout.StateFailed, payout.StateRejected, payout.StateHeld} {
		p := in(t, s)
		add(s.String(), p)
		p.TradeNo += "0"
		add(s.String()+" of another tradeNo", p)
		p = in(t, s)
		p.Amount = amountOf(t, "301")
		p.Fingerprint = p.Command.Fingerprint()
		add(s.String()+" of another content", p)
	}
	p := in(t, payout.StateHeld)
	for i := 2; i < 13; i++ {
		p.HeldAt = t0.Add(time.Duration(i) * time.Second)
		add("a later hold", p)
	}
}
