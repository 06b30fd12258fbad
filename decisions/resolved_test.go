package decisions

import (
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
)

func personsEnds() []payout.Payout {
	list := ended(3, 2)
	for i := range list {
		list[i].By, list[i].ConfirmedBy, list[i].Action = "alice", "bob", "action of "+list[i].TradeNo
		list[i].Found, list[i].Asks, list[i].Status, list[i].SettledAt = finding.NoRecord, 7, "8000", time.Unix(1_800_000_000, 0)
	}
	list[1].State, list[2].State = payout.StatePaid, payout.StateFailed
	return list
}

// An end of a held payout is a decision of its own kind; what a person cancelled is a final. Both say who said so.
func TestAPersonsEndIsADecision(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		if err := l.Final(background, seventh.ID, personsEnds()); err != nil {
			t.Fatal(err)
		}
		kinds := map[message.DecisionKind]int{}
		for _, raw := range k.Read(t, topic, 1) {
			d, err := message.DecodeDecision(raw.Value)
			if err != nil {
				t.Fatal(err)
			}
			for i, tradeNo := range d.TradeNos {
				kinds[d.Kind]++
				if by, confirmedBy, action := d.Person(i); by != "alice" || confirmedBy != "bob" || action != "action of "+tradeNo {
					t.Errorf("%s", raw.Value)
				}
				if d.Kind == message.KindResolved && (d.Evidence[i].Finding != "no_record" || d.Evidence[i].Code != "8000" || d.Evidence[i].Asks != 7 || d.Evidence[i].At.IsZero()) {
					t.Errorf("%s", raw.Value)
				}
			}
		}
		if kinds[message.KindFinal] != 1 || kinds[message.KindResolved] != 2 {
			t.Errorf("%v", kinds)
		}
	})
}

// A replay restores them, with the person, if their epoch is that of the last fence. A kind that isn't known, as this
// one is to older versions, is skipped: it is neither an end nor a fence.
func TestAReplayReadsAPersonsEnd(t *testing.T) {
	r := reading{keeper: &Keeper{KeeperConfig: KeeperConfig{
		Owns: func(string) bool { return true }, Knows: func(string) bool { return true }, Log: &Log{},
	}}, epoch: "new"}
	for kind, want := range map[message.DecisionKind]map[string]int{
		message.KindResolved: {"e": 2, "other": 0, "": 0}, "resolved2": {"e": 0, "other": 0, "": 0},
	} {
		for fence, n := range want {
			ends := personsEnds()[1:]
			ends = append(ends, ends[0])
			ends[2].By = "" // no disburser writes that
			d := message.DecisionOf(message.KindResolved, ends)
			d.Kind, d.Epoch = kind, epochs.Epoch{Number: 7, ID: "e"}
			value, err := message.EncodeDecision(d)
			if err != nil {
				t.Fatal(err)
			}
			p := epochs.Portion{Fence: fence}
			read, err := r.decision(partition.Record{Value: value}, &p)
			if err != nil || len(read) != n || p.Fence != fence {
				t.Errorf("%s behind the fence %q: %d ends, %v, fence %q", kind, fence, len(read), err, p.Fence)
			}
			for i, end := range read[:min(n, len(read))] {
				if end.Kind != epochs.WasEnded || end.State != []payout.State{payout.StatePaid, payout.StateFailed}[i] || end.By != "alice" || end.ConfirmedBy != "bob" || end.Action == "" {
					t.Errorf("%+v", end)
				}
			}
		}
	}
}
