package journal

import (
	"math"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/finding"
)

// Whatever a payout knows is there again when it is read; a field that is forgotten here
// makes the test fail too.
func TestARecordKeepsEverything(t *testing.T) {
	at := func(n int64) time.Time { return time.UnixMilli(1_700_000_000_000 + n).UTC() }
	p := order("a", "300")
	p.BatchID, p.BatchSize, p.NotBefore, p.ExpiresAt = "b", 7, at(1), at(2)
	p.Source, p.Trace, p.ReceivedAt = payout.Source{Partition: 3, Offset: 9, Time: at(3)}, payout.Trace{Parent: "p", State: "s"}, at(4)
	p.State, p.Step, p.Due = payout.StateFailed, payout.StepAnnounce, time.Time{} // due is kept by a set
	p.Sends, p.FirstSentAt, p.LastSentAt, p.SendBy, p.LastSend = 5, at(5), at(6), at(7), finding.Refused
	p.Answered, p.AnswerLost = true, true
	p.Account, p.Unread = payout.AccountOf("1", "http://x"), `"new":[1]`
	p.Unacknowledged, p.Disproved, p.Refusals, p.Asks, p.AskRound = true, 4, 6, 3, 2
	p.NoRecordOf = "account0"
	p.NoRecords, p.NoRecordAt, p.PartialAt, p.PendingAt, p.Unknown, p.Shown = 1, at(8), at(9), at(12), "00032", true
	p.Status, p.StatusText, p.PlatformTradeNo, p.PaidAmount, p.SuccessTime = "a", "b", "c", "d", "e"
	p.Reason, p.Contradiction, p.Absent, p.HeldAt, p.SettledAt = "because", "other amount", true, at(10), at(11)
	byPerson := p
	byPerson.By, byPerson.ConfirmedBy, byPerson.Action, byPerson.Absent = "alice", "bob", "01J9", false
	byPerson.Found, byPerson.Forgotten = finding.NoRecord, true
	whole := byPerson
	whole.Absent = true // no payout ends both ways
	for _, v := range []reflect.Value{reflect.ValueOf(whole), reflect.ValueOf(whole.Command)} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Due" && name != "CurrencyFrom" { // one is kept by a set, the other by the fingerprint
				t.Errorf("%s is empty here, so that nobody would notice its loss", name)
			}
		}
	}
	unclear, unanswered := p, p
	unclear.LastSend, unanswered.LastSend, unanswered.Answered = finding.Unclear, finding.Unclear, false
	for _, p := range []payout.Payout{p, byPerson, unclear, unanswered} {
		got, err := decode(p.TradeNo, encode(p))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, p)
		}
	}
}

// The record of an end by a person says so in its head, whatever its state is: scripts read no JSON.
func TestTheRecordOfAnEndByAPersonSaysSo(t *testing.T) {
	for _, state := range []payout.State{payout.StatePaid, payout.StateFailed, payout.StateRejected} {
		p := order("a", "300")
		p.State, p.By = state, "alice"
		if got := encode(p)[flagsAt]; got != personEnd {
			t.Errorf("%v: the flag is %q", state, got)
		}
	}
}

// Whatever numbers and times a payout has, its head has one width: else everything behind
// the number would be read wrongly, its lane too.
func TestAHeadHasOneWidth(t *testing.T) {
	same := func(n int64, sends int) bool {
		p := order("a", "300")
		moment := time.UnixMilli(n)
		p.ExpiresAt, p.LastSentAt, p.SendBy = moment, moment, moment
		p.Source, p.Sends = payout.Source{Partition: int(n), Offset: n, Time: moment}, sends
		if got := head(p, noToken, moment); len(got) != headLen {
			t.Errorf("%d: %q", n, got)
			return false
		}
		q, err := decode("a", encode(p))
		if err != nil || merchantKey(q) != merchantKey(p) || q.ExpiresAt.IsZero() || q.Source.Time.IsZero() {
			t.Errorf("%d: %+v %v", n, q, err)
			return false
		}
		return true
	}
	for width := range 19 {
		edge := int64(math.Pow10(width))
		for _, n := range []int64{edge - 1, edge, edge + 1} {
			same(n, int(n))
			same(-n, int(-n))
		}
	}
	same(math.MinInt64, math.MinInt)
	same(math.MaxInt64, math.MaxInt)
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
	for n, want := range map[int64]string{-1: "00", 0: "00", 7: "07", 99: "99", 100: "99", math.MaxInt64: "99"} {
		if got := string(digits(nil, n, 2)); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// A record whose time is in microseconds, or missing, is sent like any other or held, but
// never lost.
func TestOddRecordTimes(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		late, early := at("late", 3), at("early", 4)
		late.Source.Time = time.UnixMilli(1_700_000_000_000_000)
		early.Source.Time = time.UnixMilli(-1)
		if got := insert(t, j, 9, late, early); got != "no" {
			t.Errorf("outcomes %q", got)
		}
		if b := lease(t, j, payout.StepSend, "eg", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "late" {
			t.Errorf("%+v", b)
		}
		if b := lease(t, j, payout.StepAnnounce, "", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "early" || b.Payouts[0].State != payout.StateHeld {
			t.Errorf("%+v", b)
		}
		checks(t, client, j)
	})
}
