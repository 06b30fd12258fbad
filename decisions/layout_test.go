package decisions

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout/epochs"
)

// A keeper that finds the open epoch of an older layout begins another one and converts
// the records first.
func TestAnOlderLayoutIsConverted(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		old := startKeeper(t, k, client, "pod-1", 1)
		before := old.settles(t)
		prefix := strings.TrimSuffix(client.Keys(background, "*:epoch").Val()[0], "epoch")
		// As layout 1 stored it: see journal/testdata.
		client.HSet(background, prefix+"epoch", "window", client.HGet(background, prefix+"epoch", "dedup_window").Val())
		client.HDel(background, prefix+"epoch", "layout", "dedup_window")
		p := some("a")[0]
		zeros := strings.Repeat("0", 13)
		client.Set(background, prefix+"p:a", "rs------------"+zeros+string(p.Fingerprint)+zeros+"00"+zeros+zeros+"000000eg-main\n"+
			`{"o":7,"c":"egypt","a":"300","p":{"walletId":"01123456789"},"b":"payroll"}`+"\n{}", 0)

		e := startKeeper(t, k, client, "pod-2", 1).next(t, before)
		if e.Number != before.Number+1 {
			t.Errorf("epoch %+v after %+v", e, before)
		}
		if got := client.HGet(background, prefix+"epoch", "layout").Val(); got != fmt.Sprint(epochs.Layout) {
			t.Errorf("the layout is %q", got)
		}
		if got := client.Get(background, prefix+"p:a").Val(); !strings.HasPrefix(got, fmt.Sprint(epochs.Layout)+"rs") || !strings.Contains(got, "eg-main\npayroll\n{") {
			t.Errorf("the record is %q", got)
		}
	})
}

// An instance joins no epoch of a newer layout, and begins none after one: it isn't ready,
// says why, and goes on looking.
func TestANewerLayoutIsRefused(t *testing.T) {
	of := func(t *testing.T, k *kafkatest.Kafka, kind message.DecisionKind, layout, shard int) {
		value, err := json.Marshal(message.Decision{Kind: kind, Layout: layout, Shard: shard, Epoch: epochs.Epoch{Number: 9, ID: "newer"}, Time: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		for p := range 2 {
			write(t, k, p, string(value))
		}
	}
	newer := func(t *testing.T, k *kafkatest.Kafka, kind message.DecisionKind) { of(t, k, kind, epochs.Layout+1, 0) }
	for name, meet := range map[string]func(t *testing.T, k *kafkatest.Kafka) (keeper *instance, open string){
		"in Redis": func(t *testing.T, k *kafkatest.Kafka) (*instance, string) {
			_, client := newRedis(t)
			startKeeper(t, k, client, "pod-1", 1).settles(t)
			client.HSet(background, client.Keys(background, "*:epoch").Val()[0], "layout", epochs.Layout+1)
			return startKeeper(t, k, client, "pod-2", 1), ""
		},
		"in the decisions, after a wipe": func(t *testing.T, k *kafkatest.Kafka) (*instance, string) {
			_, client := newRedis(t)
			newer(t, k, message.KindFence)
			return startKeeper(t, k, client, "pod-2", 1), ""
		},
		"in the decisions, of another shard": func(t *testing.T, k *kafkatest.Kafka) (*instance, string) {
			_, client := newRedis(t)
			of(t, k, message.KindFence, epochs.Layout+1, 5)
			return startKeeper(t, k, client, "pod-2", 1), ""
		},
		"in the decisions, and not as their last": func(t *testing.T, k *kafkatest.Kafka) (*instance, string) {
			_, client := newRedis(t)
			newer(t, k, message.KindFence)
			of(t, k, message.KindSend, epochs.Layout, 0)
			return startKeeper(t, k, client, "pod-2", 1), ""
		},
		"in the decisions, behind the open epoch": func(t *testing.T, k *kafkatest.Kafka) (*instance, string) {
			_, client := newRedis(t)
			i := startKeeper(t, k, client, "pod-1", 1)
			i.settles(t)
			newer(t, k, message.KindFence)
			i.CheckEpoch()
			return i, i.current().ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				i, open := meet(t, k)
				time.Sleep(2 * deadAfter)
				if s, err := i.journal.Standing(background); open != "" && (err != nil || s.Epoch.ID != open) {
					t.Errorf("the epoch in Redis was ended: %+v %v", s.Epoch, err)
				}
				if e, why := i.Epoch(); e.ID != "" || !strings.Contains(why, "newer version of the disburser") {
					t.Fatalf("%+v %s", e, why)
				}
				most := 1 // the newer version's; where it is the last record, it is seen before anything is written
				if name == "in the decisions, and not as their last" || open != "" {
					most = 2 // an own one before it was seen, or before it came
				}
				for p := range 2 {
					if all := fmt.Sprint(kinds(t, k, p)); strings.Count(all, "fence") > most || strings.Count(all, "open") > 1 {
						t.Errorf("partition %d: the newer one is disturbed: %s", p, all)
					}
				}
			})
		})
	}
}
