package books

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout"
)

// one is a payout of orders, events and contents that lost.
func one(facts ...any) *Payout {
	p := &Payout{TradeNo: "T1"}
	for _, fact := range facts {
		switch f := fact.(type) {
		case Order:
			p.addOrder(f)
		case Event:
			p.addEvent(f)
		case Sent:
			p.addSent(f)
		case Lost:
			p.addLost(f)
		}
	}
	return p
}

func TestWhichFactCounts(t *testing.T) {
	a := Order{Place: Place{Partition: 0, Offset: 5}, Time: 50, Fingerprint: "a", Amount: "1", BatchID: "x", Copies: 1}
	b := Order{Place: Place{Partition: 1, Offset: 1}, Time: 40, Fingerprint: "b", Amount: "2", BatchID: "y", Copies: 1}
	late := Order{Place: Place{Partition: 0, Offset: 9}, Time: 1, Fingerprint: "b", Amount: "2", BatchID: "y", Copies: 1} // its producer's clock is wrong
	named := a                                                                                                            // the same, with the currency that is the merchant's anyway
	named.Fingerprint, named.Other, named.Offset, named.Currency = "c", "a", 7, "EGP"
	event := func(kind message.EventType, f Seal, at int64) Event {
		return Event{ID: string(kind) + string(f), Type: kind, Time: at, Fingerprint: f, Amount: "1", BatchID: "x"}
	}
	for name, c := range map[string]struct {
		p            *Payout
		state        payout.State
		amount       string
		batch        string
		undetermined bool
		copies       int64
	}{
		"ordered":                                 {one(a), payout.StateReceived, "1", "x", false, 0},
		"twice the same":                          {one(a, named), payout.StateReceived, "1", "x", false, 1},
		"two contents of two partitions":          {one(a, b), payout.StateReceived, "", "y", true, 0},
		"two of one partition: the offset counts": {one(late, a), payout.StateReceived, "1", "x", false, 0},
		"a dead letter tells":                     {one(b, a, Lost{Content: "b"}), payout.StateReceived, "1", "x", false, 0},
		"both have lost once":                     {one(b, a, Lost{Content: "b"}, Lost{Content: "a"}), payout.StateReceived, "", "y", true, 0},
		"a result tells":                          {one(b, a, event(message.EventPaid, "a", 90)), payout.StatePaid, "1", "x", false, 0},
		"a result without a command":              {one(event(message.EventFailed, "a", 90)), payout.StateFailed, "1", "x", false, 0},
		"decided":                                 {one(a, Sent{Time: 60, Times: 1}), payout.StateSending, "1", "x", false, 0},
		"held, then paid":                         {one(event(message.EventHeld, "a", 95), event(message.EventPaid, "a", 90), a), payout.StatePaid, "1", "x", false, 0},
		"money that moved goes first":             {one(event(message.EventRejected, "a", 95), event(message.EventPaid, "a", 90)), payout.StatePaid, "1", "x", false, 0},
		"only a lost content":                     {one(Lost{Content: "b"}), 0, "", "", false, 0},
	} {
		v := c.p.View()
		counts := Totals{}
		counts.Count(c.p)
		copies := int64(0)
		for k, total := range counts {
			if k.State == Copies {
				copies += total.Count
			}
		}
		if v.State != c.state || v.Amount != c.amount || v.BatchID != c.batch || v.Undetermined != c.undetermined || copies != c.copies {
			t.Errorf("%s: %v, %q in %q, undetermined %v, %d copies", name, v.State, v.Amount, v.BatchID, v.Undetermined, copies)
		}
	}
}

func TestEachDecisionToSendIsCounted(t *testing.T) {
	p := one(Sent{Place: Place{1, 7, 0}, Time: 20, Times: 1}, Sent{Place: Place{0, 9, 0}, Time: 10, Times: 1}, Sent{Place: Place{0, 10, 0}, Time: 30, Times: 1})
	if p.Sent.Times != 3 || p.Sent.Time != 10 || p.Sent.Place != (Place{0, 9, 0}) {
		t.Errorf("%+v", p.Sent)
	}
}

func TestEventsSayStates(t *testing.T) {
	for _, kind := range message.EventTypes {
		want, final := message.FinalOf(kind)
		if !final {
			want = payout.StateHeld
		}
		if got := (Event{Type: kind}).state(); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "300": 300_000_000, "0.05": 50_000, "0.000001": 1, "999999999999.999999": 999_999_999_999_999_999, "12.3400": 12_340_000} {
		units, fits := Units(text)
		if !fits || units != want {
			t.Errorf("%s: %d, %v", text, units, fits)
		}
		if back, _ := Units(Decimal(big.NewInt(units))); back != units {
			t.Errorf("%s is written as %s", text, Decimal(big.NewInt(units)))
		}
	}
	for _, text := range []string{"", "1e3", "-1", "0.0000001", "1000000000000", "***"} {
		if units, fits := Units(text); fits {
			t.Errorf("%q: %d", text, units)
		}
	}
	if text := Decimal(big.NewInt(-1_500_000)); text != "-1.5" {
		t.Error(text)
	}
}

// A batch closes when as many payouts as its first stated size have ended, and never before.
func TestWhenABatchCloses(t *testing.T) {
	totals := func(paid, open int64) Totals {
		return Totals{
			{"b", "m", "EGP", payout.StatePaid}: {Count: paid}, {"b", "m", "EGP", payout.StateHeld}: {Count: open}, {"b", "m", "EGP", Copies}: {Count: 5},
		}
	}
	for _, c := range []struct {
		size       int
		paid, open int64
		want       Told
	}{
		{4, 0, 1, ToldOpened},
		{4, 1, 3, ToldOpened | Told25},
		{4, 3, 1, ToldOpened | Told25 | Told50 | Told75},
		{4, 3, 0, ToldOpened | Told25 | Told50 | Told75}, // one is missing, though copies came
		{4, 4, 1, ToldOpened | Told25 | Told50 | Told75}, // more than the size, and one of them is open
		{4, 5, 0, ToldOpened | Told25 | Told50 | Told75 | ToldClosed},
		{0, 5, 0, ToldOpened},
	} {
		b := Batch{ID: "b", Size: c.size}
		first, err := b.tell(totals(c.paid, c.open), time.UnixMilli(1))
		if err != nil || b.Told != c.want {
			t.Errorf("%+v: told %b, %v", c, b.Told, err)
		}
		fresh := Batch{ID: "b", Size: c.size}
		later, err := fresh.tell(totals(c.paid, c.open), time.UnixMilli(2))
		if err != nil || !slices.EqualFunc(first, later, func(a, b BatchEvent) bool { return a.ID == b.ID }) {
			t.Errorf("%+v: fresh books tell it under other ids: %v %v", c, first, later)
		}
		again, err := b.tell(totals(c.paid, c.open+1), time.UnixMilli(1)) // what comes later reopens nothing
		if err != nil || len(again) != 0 {
			t.Errorf("%+v: told again: %v", c, again)
		}
	}
}
