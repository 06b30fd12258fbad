package decisions

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

// Others may write into the topics that a rebuild reads. Whatever stands there, what is
// replayed of it can be kept, and an own end is never taken for a payment.
func FuzzReplayedRecords(f *testing.F) {
	f.Add([]byte(`{"kind":"send","instance":"i","seq":812,"shard":0,"epoch":{"number":7,"id":"e"},"time":"2026-11-25T06:00:00Z","merchant":"m","lease":30000,"tradeNos":["a","b"],"fingerprints":["468DWSdh5cz6ZSF5","x"]}`), "")
	f.Add([]byte(`{"kind":"fence","shard":0,"epoch":{"number":-1,"id":"e"}}`), "")
	f.Add([]byte(`{"kind":"final","shard":0,"epoch":{"number":7,"id":"e"},"tradeNos":["a","b"],"fingerprints":["","468DWSdh5cz6ZSF5"],"states":["failed","paid"],"reasons":["r",""]}`), "")
	f.Add([]byte(`{"kind":"resolved","shard":0,"epoch":{"number":7,"id":"e"},"tradeNos":["a","b"],"fingerprints":["","468DWSdh5cz6ZSF5"],"states":["paid","paid"],"reasons":["r",""],"by":["alice",""],"actions":["1"]}`), "")
	f.Add([]byte(`{"type":"payout.paid","tradeNo":"a","merchant":"m"}`), "468DWSdh5cz6ZSF5")
	f.Add([]byte(`{"type":"payout.held","tradeNo":"a","merchant":"other"}`), "468DWSdh5cz6ZSF5")
	f.Fuzz(func(t *testing.T, value []byte, fingerprint string) {
		k := &Keeper{KeeperConfig: KeeperConfig{
			Owns: func(tradeNo string) bool { return tradeNo != "not ours" }, Knows: func(merchant string) bool { return merchant == "m" }, Log: &Log{},
		}}
		r := reading{keeper: k, epoch: "new"}
		record := partition.Record{Value: value, Headers: []kafka.Header{{Key: "fingerprint", Value: []byte(fingerprint)}}}
		for _, p := range []epochs.Portion{{}, {Fence: "e"}} {
			decided, err := r.decision(record, &p)
			if err != nil && (!errors.Is(err, epochs.ErrNewerLayout) || decided != nil) {
				t.Errorf("%q: %v", value, err)
			}
			for _, restored := range [][]epochs.Restored{r.result(record), decided} {
				for _, one := range restored {
					if len(one.Fingerprint) != payout.FingerprintLen || !message.ValidTradeNo(one.TradeNo) {
						t.Errorf("%q replays %+v", value, one)
					}
					if one.Kind == epochs.WasEnded && one.State == payout.StatePaid && one.By != "" {
						continue // a person said so
					}
					if one.Kind == epochs.WasEnded && one.State != payout.StateRejected && one.State != payout.StateFailed {
						t.Errorf("%q ends %+v", value, one)
					}
				}
			}
		}
	})
}
