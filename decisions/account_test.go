package decisions

import (
	"encoding/json"
	"testing"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
)

// The decision to send says to which account, and a rebuild knows it from there.
func TestASendNamesItsAccount(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		const there payout.Account = "there000"
		l := joined(t, k, "pod-1")
		list := some("a", "b")
		for i := range list {
			list[i].Account = there
		}
		if err := l.Send(background, seventh.ID, list); err != nil {
			t.Fatal(err)
		}
		records := k.Read(t, topic, 1)
		last := records[len(records)-1]
		var got message.Decision
		if err := json.Unmarshal(last.Value, &got); err != nil || got.Account != there {
			t.Errorf("%s %v", last.Value, err)
		}
		keeper := &Keeper{KeeperConfig: KeeperConfig{Log: l, Owns: func(string) bool { return true }}}
		for _, restored := range (reading{keeper: keeper}).sends(got) {
			if restored.Account != there {
				t.Errorf("%+v", restored)
			}
		}
		list[1].Account = payout.SeveralAccounts
		if r := message.DecisionOf(message.KindSend, list); r.Account != "" {
			t.Errorf("two accounts are named as one: %+v", r)
		}
	})
}
