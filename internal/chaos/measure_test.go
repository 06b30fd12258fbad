package chaos

import (
	"testing"
	"time"

	"disburser/message"
	"disburser/payout/epochs"
)

// at is a moment of an imagined run, in seconds.
func at(seconds float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func sent(seconds float64, epoch, instance string, tradeNos ...string) message.Decision {
	return message.Decision{Kind: message.KindSend, Time: at(seconds), Epoch: epochs.Epoch{ID: epoch}, Instance: instance, TradeNos: tradeNos}
}

func TestSendingAgainTakesAnEpochThatNobodyKnew(t *testing.T) {
	h := history{decisions: []message.Decision{sent(1, "old", "a"), sent(4, "old", "a"), sent(5, "new", "a")}}
	for _, c := range []struct {
		kind string
		want time.Duration
	}{{sendsAgain, 2 * time.Second}, {sendsOn, time.Second}} {
		took, _, ok := h.measure(wait{kind: c.kind, broken: at(2), since: at(3)})
		if !ok || took != c.want {
			t.Errorf("%s: %s, %t", c.kind, took, ok)
		}
	}
	if took, _, _ := h.measure(wait{kind: sendsAgain, broken: at(6), since: at(6)}); took < time.Hour {
		t.Errorf("nothing was sent any more, it says %s", took)
	}
}

func TestTakeoverIsTheSlowestOfTheVictimsOpenPayouts(t *testing.T) {
	h := history{
		instances: map[string]string{"a": "a.log", "b": "b.log"},
		decisions: []message.Decision{
			sent(1, "e", "a", "old"), // longer than a lease ago: nobody's any more
			sent(9, "e", "a", "over", "fast", "slow"), sent(9, "e", "b", "foreign"),
		},
		results: map[string][]time.Time{"over": {at(9.5)}, "fast": {at(12)}, "slow": {at(17)}, "foreign": {at(30)}},
		answers: map[string][]answer{
			"fast": {{at(9.2), "a.log"}, {at(11), "b.log"}},
			"slow": {{at(10.5), "a.log"}, {at(16), "b.log"}}, // its own log can't count
		},
	}
	took, about, ok := h.measure(wait{kind: takenOver, broken: at(10), victim: "a.log"})
	if !ok || about != "slow" || took != 6*time.Second {
		t.Errorf("%s of %q, %t", took, about, ok)
	}
	if _, _, ok := h.measure(wait{kind: takenOver, broken: at(10), victim: "c.log"}); ok {
		t.Error("an instance that had nothing in hand was taken over")
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	if all, err := choose(nil); err != nil || len(all) != len(List()) {
		t.Errorf("%d of %d: %v", len(all), len(List()), err)
	}
	if some, err := choose([]string{"wipe", "kill"}); err != nil || len(some) != 2 || some[0].name != "wipe" {
		t.Errorf("%v %v", some, err)
	}
	if _, err := choose([]string{"nonsense"}); err == nil {
		t.Error("nonsense was chosen")
	}
}
