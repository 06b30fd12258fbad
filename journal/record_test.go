package journal

import (
	"reflect"
	"testing"
	"time"

	"disburser/payout"
)

// Whatever a payout knows is there again when it is read; a field that is forgotten here
// makes the test fail too.
func TestARecordKeepsEverything(t *testing.T) {
	at := func(n int64) time.Time { return time.UnixMilli(1_700_000_000_000 + n).UTC() }
	p := order("a", "300")
	p.BatchID, p.BatchSize, p.NotBefore, p.ExpiresAt = "b", 7, at(1), at(2)
	p.Source, p.Trace, p.ReceivedAt = payout.Source{Partition: 3, Offset: 9, Time: at(3)}, payout.Trace{Parent: "p", State: "s"}, at(4)
	p.State, p.Step, p.Due = payout.StateFailed, payout.StepAnnounce, time.Time{} // due is kept by a set
	p.Sends, p.FirstSentAt, p.LastSentAt, p.SendBy, p.LastSend = 5, at(5), at(6), at(7), payout.Refused
	p.Account, p.Unread = payout.AccountOf("1", "http://x"), `"new":[1]`
	p.Unheard, p.Disproved, p.Refusals, p.Asks, p.AskRound = true, 4, 6, 3, 2
	p.NoRecords, p.NoRecordAt, p.PartialAt, p.PendingAt, p.Unknown, p.Shown = 1, at(8), at(9), at(12), "00032", true
	p.Status, p.StatusText, p.PlatformTradeNo, p.PaidAmount, p.SuccessTime = "a", "b", "c", "d", "e"
	p.Reason, p.Contradiction, p.Absent, p.HeldAt, p.SettledAt = "because", "other amount", true, at(10), at(11)
	for _, v := range []reflect.Value{reflect.ValueOf(p), reflect.ValueOf(p.Command)} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Due" && name != "CurrencyFrom" { // one is kept by a set, the other by the fingerprint
				t.Errorf("%s is empty here, so that nobody would notice its loss", name)
			}
		}
	}
	got, err := decode(p.TradeNo, encode(p))
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, p)
	}
}
