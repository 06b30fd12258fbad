package message

import (
	"reflect"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
)

// decided are two payouts that are about to be sent together.
func decided() []payout.Payout {
	at := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	list := make([]payout.Payout, 2)
	for i, tradeNo := range []string{"t-1", "t-2"} {
		p := &list[i]
		p.TradeNo, p.Merchant, p.Fingerprint, p.Account = tradeNo, "eg-main", payout.Fingerprint("468DWSdh5cz6ZSF"+tradeNo[2:]), "a<b"
		p.LastSentAt, p.SendBy = at, at.Add(time.Duration(20+i)*time.Second)
		p.State, p.Reason = payout.StateRejected, "expired & gone"
	}
	return list
}

// What stands in the topic is read by older and newer instances: to the byte.
func TestADecisionStandsInItsTopicAsEver(t *testing.T) {
	sent := DecisionOf(KindSend, decided())
	sent.Layout, sent.Instance, sent.Seq, sent.Shard, sent.Epoch = 2, "pod-1", 812, 1, epochs.Epoch{Number: 7, ID: "seven"}
	sent.Time = time.Date(2026, 11, 25, 6, 0, 0, 123456789, time.UTC)
	final := DecisionOf(KindFinal, decided())
	cancelled := decided()
	cancelled[1].By, cancelled[1].Action = "alice", "01J9"
	for _, c := range []struct {
		decision Decision
		want     string
	}{
		{sent, `{"kind":"send","layout":2,"instance":"pod-1","seq":812,"shard":1,"epoch":{"number":7,"id":"seven"},"time":"2026-11-25T06:00:00.123456789Z",` +
			`"merchant":"eg-main","account":"a\u003cb","lease":21000,"tradeNos":["t-1","t-2"],"fingerprints":["468DWSdh5cz6ZSF1","468DWSdh5cz6ZSF2"]}`},
		{final, `{"kind":"final","instance":"","seq":0,"shard":0,"epoch":{"number":0,"id":""},"time":"0001-01-01T00:00:00Z","merchant":"eg-main",` +
			`"tradeNos":["t-1","t-2"],"fingerprints":["468DWSdh5cz6ZSF1","468DWSdh5cz6ZSF2"],"states":["rejected","rejected"],"reasons":["expired \u0026 gone","expired \u0026 gone"]}`},
		{DecisionOf(KindFinal, cancelled), `{"kind":"final","instance":"","seq":0,"shard":0,"epoch":{"number":0,"id":""},"time":"0001-01-01T00:00:00Z","merchant":"eg-main",` +
			`"tradeNos":["t-1","t-2"],"fingerprints":["468DWSdh5cz6ZSF1","468DWSdh5cz6ZSF2"],"states":["rejected","rejected"],"reasons":["expired \u0026 gone","expired \u0026 gone"],` +
			`"by":["","alice"],"actions":["","01J9"]}`},
		{Decision{Kind: KindLost, Why: "offsets 3 to 5"}, `{"kind":"lost","instance":"","seq":0,"shard":0,"epoch":{"number":0,"id":""},"time":"0001-01-01T00:00:00Z","why":"offsets 3 to 5"}`},
	} {
		got, err := EncodeDecision(c.decision)
		if err != nil || string(got) != c.want {
			t.Errorf("%s, %v\nwant %s", got, err, c.want)
		}
		if again, err := DecodeDecision(got); err != nil || !reflect.DeepEqual(again, c.decision) {
			t.Errorf("read back as %+v, %v\nwant %+v", again, err, c.decision)
		}
	}
}

// A merchant or an account that not all of them share is left out.
func TestADecisionNamesOnlyWhatAllPayoutsShare(t *testing.T) {
	list := decided()
	list[1].Merchant, list[1].Account = "ke-main", "other"
	if d := DecisionOf(KindSend, list); d.Merchant != "" || d.Account != "" {
		t.Errorf("%+v", d)
	}
	if d := DecisionOf(KindFinal, decided()); d.Account != "" || d.Lease != 0 {
		t.Errorf("an end by our own word goes to no account: %+v", d)
	}
}

// Newer versions write kinds, fields and layouts that this one doesn't know.
func TestAnUnknownDecisionIsNoError(t *testing.T) {
	d, err := DecodeDecision([]byte(`{"kind":"pause","layout":99,"shard":3,"epoch":{"number":7,"id":"e","life":1},"until":"noon"}`))
	if err != nil || d.Kind != "pause" || d.Shard != 3 || d.Epoch.ID != "e" || !d.Newer() {
		t.Errorf("%+v, %v", d, err)
	}
	for _, value := range []string{"", "no JSON", `{"kind":1}`, `{"time":"noon"}`, `[]`} {
		if d, err := DecodeDecision([]byte(value)); err == nil || d.Kind != "" {
			t.Errorf("%q: %+v, %v", value, d, err)
		}
	}
}

// What is read and written again is read as the same.
func FuzzDecisions(f *testing.F) {
	f.Add([]byte(`{"kind":"send","instance":"i","seq":812,"shard":0,"epoch":{"number":7,"id":"e"},"time":"2026-11-25T06:00:00Z","lease":30000,"tradeNos":["a"],"fingerprints":["x"]}`))
	f.Add([]byte(`{"kind":"final","tradeNos":[],"states":["failed","paid"],"reasons":null,"time":"2026-11-25T06:00:00.1+23:59"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		d, err := DecodeDecision(value)
		if err != nil {
			return
		}
		written, err := EncodeDecision(d)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		again, err := DecodeDecision(written)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		if same, err := EncodeDecision(again); err != nil || string(same) != string(written) {
			t.Errorf("%q is written as %q and then as %q", value, written, same)
		}
	})
}
