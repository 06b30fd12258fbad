package paysim

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeat(t *testing.T) {
	for _, c := range []struct {
		repeat   Repeat
		code     string
		executed int
		twice    int
	}{{PayAgain, "0000", 2, 1}, {Refuse, "8000", 1, 0}, {Replay, "0000", 1, 0}} {
		t.Run(c.repeat.String(), func(t *testing.T) {
			cfg := egypt(Behavior{})
			cfg.Repeat = c.repeat
			s := New(cfg)
			first, second := s.pay("t"), s.pay("t")
			if first.Code != "0000" || second.Code != c.code {
				t.Errorf("got %s and %s", first.body, second.body)
			}
			same := first.field("platFormTradeNo") == second.field("platFormTradeNo")
			if same != (c.repeat == Replay) {
				t.Errorf("platform numbers: %s and %s", first.body, second.body)
			}
			l := s.Ledger()
			if e := l.Entry(testNo, "t"); l.Executed(testNo, "t") != c.executed || len(l.PaidTwice()) != c.twice || e.Placements != 2 || e.Outcome != "paid" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A placement after refused ones is no repeat, whatever Repeat says.
func TestRefusedIsNoRepeat(t *testing.T) {
	cfg := egypt(Behavior{EarlyError: 1})
	cfg.Repeat = Refuse
	s := New(cfg)
	s.pay("t")
	s.SetBehavior(testNo, Behavior{})
	s.pay("t").want(t, "0000", "0015")
}

// What was refused arrived too: nothing may come after a person has ended a payout.
func TestTheLedgerKnowsWhenTheLatestPlacementCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(egypt(Behavior{EarlyError: 1}))
		s.pay("t")
		time.Sleep(time.Minute)
		at := time.Now()
		s.pay("t")
		time.Sleep(time.Minute)
		s.query("t")
		if e := s.Entry(testNo, "t"); !e.LastAt.Equal(at) || len(e.Executions) != 0 {
			t.Errorf("the latest of %d placements came at %s, not at %s", e.Placements, e.LastAt, at)
		}
	})
}

func TestChangedContent(t *testing.T) {
	s := New(egypt(Behavior{}))
	s.pay("t")
	s.pay("t")
	body := egyptBody("t")
	body["walletId"] = "01999999999"
	post(s, capitalPayout, merchantHeader(testNo), signedText(body))
	if e := s.Ledger().Entry(testNo, "t"); e.Changed != 1 || e.Payee["walletId"] != "01123456789" || len(e.Executions) != 3 {
		t.Errorf("%+v", e)
	}
}

func TestFailedExecutionsAreNotPaid(t *testing.T) {
	s := New(egypt(Behavior{Failed: 1}))
	s.pay("t")
	s.SetBehavior("", Behavior{})
	s.pay("t")
	l := s.Ledger()
	if e := l.Entry(testNo, "t"); l.Executed(testNo, "t") != 1 || len(e.Executions) != 2 || e.Outcome != "paid" {
		t.Errorf("%+v", e)
	}
}

func TestLedgerIsACopy(t *testing.T) {
	s := New(egypt(Behavior{}))
	s.pay("t")
	before := s.Ledger()
	s.pay("t")
	s.query("t")
	if e := before.Entry(testNo, "t"); len(e.Executions) != 1 || e.Placements != 1 || e.Queries != 0 || before.Requests["payout answered"] != 1 {
		t.Errorf("it moved: %+v %v", e, before.Requests)
	}
	if s.Ledger().Executed(testNo, "never") != 0 || s.Ledger().Executed("nobody", "t") != 0 || s.Entry("nobody", "t").Placements != 0 || s.Entry(testNo, "never").Placements != 0 {
		t.Error("what was never placed was executed")
	}
}

func TestAppendingToACopyIsHarmless(t *testing.T) {
	s := New(egypt(Behavior{}))
	for range 3 {
		s.pay("t")
	}
	e := s.Entry(testNo, "t")
	s.pay("t")
	_ = append(e.Executions, Execution{Status: "forged"})
	if got := s.Entry(testNo, "t").Executions[3].Status; got != statusPaid {
		t.Errorf("the fourth execution is %s", got)
	}
}

// A ledger that was fetched as JSON gives the same counts.
func TestLedgerSurvivesJSON(t *testing.T) {
	s := New(egypt(Behavior{}))
	for _, no := range numbers(20) {
		s.pay(no)
	}
	s.pay(numbers(20)[7])
	text, err := json.Marshal(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	var l Ledger
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Entries) != 20 || l.Executed(testNo, numbers(20)[7]) != 2 || l.Executed(testNo, numbers(20)[8]) != 1 {
		t.Errorf("%s", text)
	}
}

// A query for a tradeNo that was never placed makes no entry.
func TestStrangersAreNoEntries(t *testing.T) {
	s := New(egypt(Behavior{}))
	r := s.query("t")
	r.want(t, "8000", "")
	if r.Msg != "order does not exist" || r.Data != nil {
		t.Errorf("%s", r.body)
	}
	if l := s.Ledger(); len(l.Entries) != 0 || l.Requests["query no record"] != 1 {
		t.Errorf("%+v", l)
	}
}

func TestArrivals(t *testing.T) {
	s := New(egypt(Behavior{Refused: 1}))
	s.pay("a")
	s.SetDown(testNo, true)
	s.pay("b")
	s.query("a")
	if got := s.Arrivals(testNo); len(got) != 2 || len(s.QueryArrivals("")) != 1 {
		t.Errorf("%v", got)
	}
}

func TestBusiest(t *testing.T) {
	at := func(ms ...int) (times []time.Time) {
		for _, m := range ms {
			times = append(times, time.UnixMilli(int64(m)))
		}
		return times
	}
	for _, c := range []struct {
		times []time.Time
		want  int
	}{
		{nil, 0},
		{at(5), 1},
		{at(0, 1000, 2000), 1}, // the window's end is excluded
		{at(0, 999, 1998), 2},
		{at(2000, 0, 1500, 1400, 2399), 4},
		{at(7, 7, 7), 3},
	} {
		if got := Busiest(c.times, time.Second); got != c.want {
			t.Errorf("%v: got %d, want %d", c.times, got, c.want)
		}
	}
}

func TestHalf(t *testing.T) {
	for amount, want := range map[string]string{"300": "150", "301": "151", "1": "1", "300.50": "150.25", "0.01": "0.01", "0.10": "0.05", "007": "4"} {
		if got := half(amount); got != want {
			t.Errorf("half of %s: got %s, want %s", amount, got, want)
		}
	}
}
