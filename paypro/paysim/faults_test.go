package paysim

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

// nasty has every fate, and every fault without a wait.
var nasty = Behavior{SettleMin: time.Second, SettleMax: time.Hour,
	Failed: 0.1, Partial: 0.1, Limited: 0.05, Unknown: 0.1, Refused: 0.1, FailedAtOnce: 0.05, Vanished: 0.05, SettleAtOnce: 0.2,
	EarlyError: 0.1, LateError: 0.1, LostReply: 0.1, Outer5000: 0.1, Garbled: 0.1,
	QueryLost: 0.1, QueryError: 0.1, Query5000: 0.1, QueryGarbled: 0.1, PartialFirst: 0.2}

// transcript makes two placements and two queries for every tradeNo, and returns the answers.
func transcript(cfg Config, numbers []string, goroutines int) []string {
	s := New(cfg)
	work, lines := make(chan string), make(chan string, 4*len(numbers))
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for no := range work {
				for range 2 {
					p, q := s.pay(no), s.query(no)
					lines <- fmt.Sprint(no, p.lost, p.status, p.Code, p.Data, q.lost, q.status, q.Code, q.field("status"), q.field("platFormTradeNo"))
				}
			}
		})
	}
	for _, no := range numbers {
		work <- no
	}
	close(work)
	group.Wait()
	close(lines)
	var out []string
	for line := range lines {
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func numbers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("2026112110%08d", i))
	}
	return out
}

func TestFaultsRepeatBySeed(t *testing.T) {
	cfg := egypt(nasty)
	first := transcript(cfg, numbers(300), 1)
	backwards := numbers(300)
	slices.Reverse(backwards)
	if !slices.Equal(first, transcript(cfg, backwards, 8)) {
		t.Error("another order and concurrency changed what happens")
	}
	cfg.Seed++
	if slices.Equal(first, transcript(cfg, numbers(300), 1)) {
		t.Error("another seed changed nothing")
	}
}

func TestMerchantsDrawApart(t *testing.T) {
	one, two := newRandom(1, "a"), newRandom(1, "b")
	same := 0
	for _, no := range numbers(1000) {
		if (one.draw(drawFate, no, 0) < 0.5) == (two.draw(drawFate, no, 0) < 0.5) {
			same++
		}
	}
	if same < 430 || same > 570 {
		t.Errorf("%d of 1000 draws agree", same)
	}
}

// The fate of a payout and the faults of its calls are drawn independently.
func TestKindsDrawApart(t *testing.T) {
	d, both := newRandom(1, testNo), 0
	for _, no := range numbers(2000) {
		if d.draw(drawFate, no, 1) < 0.5 && d.draw(drawFault, no, 1) < 0.5 {
			both++
		}
	}
	if both < 430 || both > 570 {
		t.Errorf("%d of 2000, want about a quarter", both)
	}
}

// The fractions come out as configured, also if several share one draw.
func TestFractions(t *testing.T) {
	const n = 20000
	d, b := newRandom(3, testNo), nasty
	fates, faults := make(map[fate]int), make(map[fault]int)
	for _, no := range numbers(n) {
		fates[d.fate(&b, no)]++
		faults[d.placementFault(&b, no, 1)]++
	}
	near := func(what string, got int, want float64) {
		if math.Abs(float64(got)/n-want) > 0.01 {
			t.Errorf("%s: %d of %d, want %g", what, got, n, want)
		}
	}
	near("paid", fates[fatePaid], 0.45)
	near("failed", fates[fateFailed], 0.1)
	near("vanished", fates[fateVanished], 0.05)
	near("no fault", faults[noFault], 0.5)
	near("early", faults[faultEarlyError], 0.1)
	near("garbled", faults[faultGarbled], 0.1)
	near("hang", faults[faultHang], 0)
}

func TestSettleDelayIsLogUniform(t *testing.T) {
	below := 0
	d := newRandom(1, testNo)
	for _, no := range numbers(10000) {
		got := settleDelay(d.draw(drawSettle, no, 1), time.Second, 100*time.Second)
		if got < time.Second || got > 100*time.Second {
			t.Fatalf("%v is out of range", got)
		}
		if got < 10*time.Second {
			below++
		}
	}
	if below < 4800 || below > 5200 {
		t.Errorf("%d of 10000 are below the geometric middle", below)
	}
}

// Each fault by itself: what the client gets, and what the ledger has.
func TestPlacementFaults(t *testing.T) {
	for _, c := range []struct {
		name       string
		behavior   Behavior
		lost       bool
		status     int
		code       string
		dataStatus string
		executed   int
		outcome    string
		query      string
	}{
		{"none", Behavior{}, false, 200, "0000", "0015", 1, "paid", "0000"},
		{"early error", Behavior{EarlyError: 1}, false, 500, "", "", 0, "", ""},
		{"late error", Behavior{LateError: 1}, false, 500, "", "", 1, "paid", "0000"},
		{"lost reply", Behavior{LostReply: 1}, true, 0, "", "", 1, "paid", "0000"},
		{"garbled", Behavior{Garbled: 1}, false, 200, "", "", 1, "paid", "0000"},
		{"refused", Behavior{Refused: 1}, false, 200, "8000", "", 0, "refused", ""},
		{"failed", Behavior{Failed: 1}, false, 200, "0000", "0015", 0, "failed", "00029"},
		{"limited", Behavior{Limited: 1}, false, 200, "0000", "0015", 0, "failed", "0100019"},
		{"partial", Behavior{Partial: 1}, false, 200, "0000", "0015", 1, "partial", "0001"},
		{"failed at once", Behavior{FailedAtOnce: 1}, false, 200, "0000", "00029", 0, "failed", ""},
		{"vanished", Behavior{Vanished: 1}, false, 200, "0000", "0015", 0, "vanished", ""},
		{"settled at once", Behavior{SettleAtOnce: 1, SettleMin: time.Hour}, false, 200, "0000", "0000", 1, "paid", "0000"},
		{"settled at once as failed", Behavior{SettleAtOnce: 1, Failed: 1, SettleMin: time.Hour}, false, 200, "0000", "00029", 0, "failed", "00029"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(egypt(c.behavior))
			r := s.pay("t")
			if r.lost != c.lost || r.status != c.status || r.Code != c.code || r.field("status") != c.dataStatus {
				t.Errorf("placement: %+v", r)
			}
			l := s.Ledger()
			if e := l.Entry(testNo, "t"); l.Executed(testNo, "t") != c.executed || e.Outcome != c.outcome || e.Placements != 1 {
				t.Errorf("ledger: %+v", e)
			}
			code := "0000"
			if c.query == "" {
				code = "8000"
			}
			s.query("t").want(t, code, c.query)
		})
	}
}

func TestHalfOfOuter5000Executes(t *testing.T) {
	s := New(egypt(Behavior{Outer5000: 1}))
	executed := 0
	for _, no := range numbers(400) {
		s.pay(no).want(t, "5000", "")
		executed += s.Entry(testNo, no).Paid()
	}
	if executed < 150 || executed > 250 {
		t.Errorf("%d of 400 executed", executed)
	}
}

func TestHalfOfUnknownPays(t *testing.T) {
	s := New(egypt(Behavior{Unknown: 1}))
	paid := 0
	for _, no := range numbers(400) {
		s.pay(no)
		s.query(no).want(t, "0000", "00032")
	}
	for _, e := range s.Ledger().Entries {
		paid += e.Paid()
		if e.Outcome != "unknown" {
			t.Fatalf("%+v", e)
		}
	}
	if paid < 150 || paid > 250 {
		t.Errorf("%d of 400 paid", paid)
	}
}

func TestQueryFaults(t *testing.T) {
	for _, c := range []struct {
		behavior Behavior
		lost     bool
		status   int
		code     string
	}{
		{Behavior{QueryLost: 1}, true, 0, ""},
		{Behavior{QueryError: 1}, false, 500, ""},
		{Behavior{Query5000: 1}, false, 200, "5000"},
		{Behavior{QueryGarbled: 1}, false, 200, ""},
	} {
		s := New(egypt(c.behavior))
		s.pay("t").want(t, "0000", "0015")
		if r := s.query("t"); r.lost != c.lost || r.status != c.status || r.Code != c.code {
			t.Errorf("%+v: got %+v", c, r)
		}
	}
}

func TestPartialFirst(t *testing.T) {
	s := New(egypt(Behavior{PartialFirst: 1}))
	s.pay("t")
	s.query("t").want(t, "0000", "0001")
	s.query("t").want(t, "0000", "0000")
	if e := s.Ledger().Entry(testNo, "t"); e.Outcome != "paid" || e.Queries != 2 || e.Executions[0].PaidAmount != "300" {
		t.Errorf("%+v", e)
	}
}
