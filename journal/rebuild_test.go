package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// rebuilding runs a test on both servers, and the checker after it.
func rebuilding(t *testing.T, test func(t *testing.T, client redis.UniversalClient, j *Journal)) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		test(t, client, j)
		checks(t, client, j)
	})
}

// What waits to be sent is found behind what stands there and doesn't wait any more.
func TestUnsentLooksBehindWhatIsNotReceived(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		known(t, j, "a", 3, payout.StateReceived)
		id := build(t, j)
		set := j.prefix + "due:s:eg"
		if n := client.ZCard(context.Background(), set).Val(); n != 1 {
			t.Fatalf("%s holds %d", set, n)
		}
		var gone []redis.Z
		for n := range 450 {
			gone = append(gone, redis.Z{Member: fmt.Sprint("gone-", n)})
		}
		if err := client.ZAdd(context.Background(), set, gone...).Err(); err != nil {
			t.Fatal(err)
		}
		unsent, err := j.Unsent(context.Background(), id, 200)
		if err != nil || len(unsent) != 1 || unsent[0].TradeNo != "a" {
			t.Errorf("%+v, %v", unsent, err)
		}
		if err := client.ZRemRangeByScore(context.Background(), set, "0", "0").Err(); err != nil {
			t.Fatal(err)
		}
		open(t, j, id)
	})
}

// What waits for its merchant to become known may have been sent in what Redis has lost.
func TestUnsentFindsWhatWaitsForItsMerchant(t *testing.T) {
	rebuilding(t, func(t *testing.T, _ redis.UniversalClient, j *Journal) {
		p := at("a", 3)
		p.Merchant, p.Country, p.Currency, p.ReceivedAt = "new", "", "", time.Now()
		p.Fingerprint = p.Command.Fingerprint()
		if got := insert(t, j, 9, p.AwaitMerchant()); got != "n" {
			t.Fatal(got)
		}
		id := build(t, j)
		unsent, err := j.Unsent(context.Background(), id, 200)
		if err != nil || len(unsent) != 1 || unsent[0].TradeNo != "a" {
			t.Errorf("%+v, %v", unsent, err)
		}
		open(t, j, id)
	})
}

// at places an order of the merchant eg.
func at(tradeNo string, offset int64) payout.Payout {
	p := order(tradeNo, "300")
	p.Source = payout.Source{Offset: offset, Time: time.Now()}
	return p
}

// was is one thing that a replay learned of it.
func was(kind epochs.RestoredKind, tradeNo string, state payout.State) epochs.Restored {
	r := epochs.Restored{Kind: kind, TradeNo: tradeNo, Fingerprint: order(tradeNo, "300").Fingerprint, Merchant: "eg", Time: time.Now().Add(-time.Second)}
	if kind != epochs.WasDecided {
		r.State = state
	}
	if kind == epochs.WasEnded {
		r.Reason = "the log says so"
	}
	return r
}

// build begins the next epoch; what is given is restored under it.
func build(t *testing.T, j *Journal, items ...epochs.Restored) (id string) {
	t.Helper()
	s, err := j.Standing(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	id = NewToken()
	if err := j.Build(context.Background(), id, s.Epoch.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	restore(t, j, id, items...)
	return id
}

func restore(t *testing.T, j *Journal, id string, items ...epochs.Restored) {
	t.Helper()
	if err := j.Restore(context.Background(), id, time.Minute, items); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, j *Journal, id string) {
	t.Helper()
	if err := j.OpenEpoch(context.Background(), epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1, Fences: map[int]int64{0: 1}}); err != nil {
		t.Fatal(err)
	}
	j.Believe(id)
}

func wipe(t *testing.T, client redis.UniversalClient, j *Journal) { // FLUSHALL, as far as the shard goes
	t.Helper()
	keys, err := client.Keys(context.Background(), strings.NewReplacer("{", "\\{", "}", "\\}").Replace(j.prefix)+"*").Result()
	if err == nil && len(keys) > 0 {
		err = client.Del(context.Background(), keys...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// restarted makes what Redis holds that of a server that went away.
func restarted(t *testing.T, client redis.UniversalClient, j *Journal) {
	t.Helper()
	for _, field := range []string{"run_id", "building_run_id"} {
		if client.HExists(context.Background(), j.prefix+"epoch", field).Val() {
			if err := client.HSet(context.Background(), j.prefix+"epoch", field, strings.Repeat("0", 40)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func show(t *testing.T, client redis.UniversalClient, j *Journal, tradeNo string) payout.Payout {
	t.Helper()
	record, err := client.Get(context.Background(), j.prefix+"p:"+tradeNo).Result()
	if err != nil {
		t.Fatalf("%s: %v", tradeNo, err)
	}
	p, err := decode(tradeNo, record)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write makes of the payout of a lease what the change says.
func write(t *testing.T, j *Journal, b leases.Leased, change func(*payout.Payout)) bool {
	t.Helper()
	p := b.Payouts[0]
	before := p.State
	change(&p)
	return apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: before, After: p})[0]
}

// known brings a payout into a state.
func known(t *testing.T, j *Journal, tradeNo string, offset int64, state payout.State) {
	t.Helper()
	insert(t, j, offset+1, at(tradeNo, offset))
	if state == payout.StateReceived {
		return
	}
	b := lease(t, j, payout.StepSend, "eg", 1)
	if len(b.Payouts) != 1 || b.Payouts[0].TradeNo != tradeNo {
		t.Fatalf("leased %+v", b.Payouts)
	}
	if state == payout.StateSending {
		return
	}
	write(t, j, b, func(p *payout.Payout) {
		p.State, p.Step, p.Due = state, payout.StepAnnounce, time.Now().Add(-time.Second)
		if state == payout.StateProcessing {
			p.Step = payout.StepAsk
		}
	})
}

func epochError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, epochs.ErrOver) {
		t.Errorf("want epochs.ErrOver, got %v", err)
	}
}

func TestAfterBuildEveryBelievingScriptRefuses(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		known(t, j, "a", 3, payout.StateReceived)
		b := lease(t, j, payout.StepSend, "eg", 1)
		before := heldBy(t, client, j)
		build(t, j)
		back, err := b.Payouts[0].GiveBack(time.Now(), false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = j.Apply(context.Background(), []leases.Change{{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: back}}, nil)
		epochError(t, err)
		_, err = j.Lease(context.Background(), leases.Request{Step: payout.StepAsk, Merchant: "eg", N: 1, For: time.Minute})
		epochError(t, err)
		_, _, err = j.Insert(context.Background(), intake.Range{To: 9}, []intake.Entry{{Payout: at("b", 4)}})
		epochError(t, err)
		_, err = j.Marks(context.Background(), []int{0})
		epochError(t, err)
		_, err = j.Position(context.Background(), 5, 0, true)
		epochError(t, err)
		_, err = j.Due(context.Background(), []string{"eg"})
		epochError(t, err)
		_, err = j.Move(context.Background(), leases.Move{To: payout.StepParked}, []string{"a"})
		epochError(t, err)
		_, err = j.Peek(context.Background(), "eg", 0, 1)
		epochError(t, err)
		_, err = j.Parked(context.Background())
		epochError(t, err)
		_, err = j.Count(context.Background(), []int{0})
		epochError(t, err)
		_, err = j.Lingering(context.Background(), 0, 1)
		epochError(t, err)
		_, err = j.Watermark(context.Background(), map[int]int64{0: 9}, nil)
		epochError(t, err)
		for _, name := range Scripts {
			if !unbelieving[name] {
				_, err := j.run(context.Background(), name, "s", "eg", "token-token-", "1", "1")
				epochError(t, err)
			}
		}
		if after := heldBy(t, client, j); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v\nafter %v", before, after)
		}
	})
}

func TestOnlyTheBuilderRestoresAndOpens(t *testing.T) {
	for name, c := range map[string]struct {
		id    string // "" = the builder's
		spoil func(t *testing.T, client redis.UniversalClient, j *Journal, id string)
	}{
		"another id":     {"somebody", func(*testing.T, redis.UniversalClient, *Journal, string) {}},
		"another run id": {"", func(t *testing.T, client redis.UniversalClient, j *Journal, _ string) { restarted(t, client, j) }},
		"wiped":          {"", func(t *testing.T, client redis.UniversalClient, j *Journal, _ string) { wipe(t, client, j) }},
		"opened":         {"", open2},
		"taken over": {"", func(t *testing.T, client redis.UniversalClient, j *Journal, _ string) {
			client.HSet(context.Background(), j.prefix+"epoch", "claimed_until", "0000000000001")
			build(t, j)
		}},
		"the wrong claim renewed": {"", func(t *testing.T, client redis.UniversalClient, j *Journal, id string) {
			restarted(t, client, j)
			epochError(t, j.Build(context.Background(), id, id, time.Minute))
		}},
		"wiped and renewed": {"", func(t *testing.T, client redis.UniversalClient, j *Journal, id string) {
			wipe(t, client, j)
			epochError(t, j.Build(context.Background(), id, id, time.Minute))
		}},
		"taken over, and renewed after that claim": {"", func(t *testing.T, client redis.UniversalClient, j *Journal, id string) {
			for range 2 {
				client.HSet(context.Background(), j.prefix+"epoch", "claimed_until", "0000000000001")
				if id != "" {
					build(t, j)
				}
			}
			epochError(t, j.Build(context.Background(), id, id, time.Minute))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				known(t, j, "a", 3, payout.StateReceived)
				id := build(t, j)
				if err := j.Build(context.Background(), id, id, time.Minute); err != nil {
					t.Fatalf("the claim can't be renewed: %v", err)
				}
				c.spoil(t, client, j, id)
				if c.id != "" {
					id = c.id
				}
				before := heldBy(t, client, j)
				for _, kind := range []epochs.RestoredKind{epochs.WasAnnounced, epochs.WasDecided, epochs.WasEnded} {
					epochError(t, j.Restore(context.Background(), id, time.Minute, []epochs.Restored{was(kind, "a", payout.StateRejected), was(kind, "b", payout.StateRejected)}))
				}
				epochError(t, j.OpenEpoch(context.Background(), epochs.Opening{Epoch: epochs.Epoch{Number: 9, ID: id}, Decisions: map[int]int64{0: 99}}))
				if after := heldBy(t, client, j); !reflect.DeepEqual(before, after) {
					t.Errorf("before %v\nafter %v", before, after)
				}
				s, err := j.Standing(context.Background())
				if err != nil || s.Decisions[0] != 0 {
					t.Errorf("%+v %v", s, err)
				}
			})
		})
	}
}

func open2(t *testing.T, _ redis.UniversalClient, j *Journal, id string) { open(t, j, id) }

func TestWithoutABuildingRecordNothingIsRestored(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		s, _ := j.Standing(context.Background())
		epochError(t, j.Restore(context.Background(), s.Epoch.ID, time.Minute, []epochs.Restored{was(epochs.WasDecided, "a", 0)}))
		epochError(t, j.Restore(context.Background(), "", time.Minute, []epochs.Restored{was(epochs.WasDecided, "a", 0)}))
		epochError(t, j.Build(context.Background(), s.Epoch.ID, s.Epoch.ID, time.Minute)) // a late renewal after the opening
		if again, _ := j.Standing(context.Background()); !again.Open() || again.Epoch != s.Epoch {
			t.Fatalf("%+v", again)
		}
	})
}

// Ranks: what a restored thing makes of what stands there.
func TestRanks(t *testing.T) {
	F, S, D := epochs.WasAnnounced, epochs.WasDecided, epochs.WasEnded
	states := map[string]payout.State{
		"r": payout.StateReceived, "s": payout.StateSending, "p": payout.StateProcessing, "h": payout.StateHeld,
		"P": payout.StatePaid, "Q": payout.StatePartial, "F": payout.StateFailed, "R": payout.StateRejected, "A": payout.StateFailed,
	}
	type deed struct {
		kind  epochs.RestoredKind
		state payout.State
	}
	deeds := map[string]deed{"F": {F, payout.StatePaid}, "S": {S, 0}, "DR": {D, payout.StateRejected}, "DF": {D, payout.StateFailed}}
	want := map[string]map[string]string{ // "-" = remembered only, "-s" so until its command comes; A stands for failed by our own word, F by the provider's
		"F":  {"": "-", "r": "-", "s": "-", "p": "-", "h": "-", "P": "-", "Q": "-", "F": "-", "R": "-", "A": "-"},
		"S":  {"": "-s", "r": "s", "s": "s", "p": "p", "h": "h", "P": "P", "Q": "Q", "F": "F", "R": "s", "A": "s"},
		"DR": {"": "R", "r": "R", "s": "R", "p": "R", "h": "R", "P": "P", "Q": "Q", "F": "F", "R": "R", "A": "R"},
		"DF": {"": "F", "r": "F", "s": "F", "p": "F", "h": "F", "P": "P", "Q": "Q", "F": "F", "R": "F", "A": "F"},
	}
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for name, d := range deeds {
			for from, to := range want[name] {
				t.Run(name+" of "+from, func(t *testing.T) {
					j := newJournal(t, client, time.Hour)
					if from != "" {
						known(t, j, "a", 3, states[from])
						if from == "A" {
							b := lease(t, j, payout.StepAnnounce, "", 1)
							write(t, j, b, func(p *payout.Payout) { p.Absent, p.Due = true, time.Now() })
						}
					}
					id := build(t, j, was(d.kind, "a", d.state))
					before := checks(t, client, j)
					restore(t, j, id, was(d.kind, "a", d.state)) // a lost reply, or another attempt
					after := checks(t, client, j)
					if len(before.records) != len(after.records) || before.total != after.total {
						t.Errorf("repeated: %v, then %v", before.records, after.records)
					}
					if to == "-" {
						if len(after.records) != 0 || after.memos["a"] != "P"+string(order("a", "300").Fingerprint) {
							t.Fatalf("%v", after)
						}
						open(t, j, id)
						if _, err := j.Position(context.Background(), 0, 0, false); err != nil {
							t.Fatal(err)
						}
						if got := insert(t, j, 9, at("a", 3), order("a", "5")); got != "dc" {
							t.Errorf("outcomes %q", got)
						}
						return
					}
					if to == "-s" {
						if len(after.records) != 0 || !strings.HasPrefix(after.memos["a"], "S"+string(order("a", "300").Fingerprint)) {
							t.Fatalf("%v", after)
						}
						open(t, j, id)
						_, _ = j.Position(context.Background(), 0, 0, false)
						if got := insert(t, j, 9, at("a", 3), order("a", "5"), at("a", 3)); got != "dcd" {
							t.Errorf("outcomes %q", got)
						}
						to, from = "s", "the log"
					}
					p := show(t, client, j, "a")
					if string(p.State) != to {
						t.Fatalf("%v, want %s", p.State, to)
					}
					if to == "s" && (p.Sends < 1 || p.Step != payout.StepAsk || !p.SendBy.After(time.Now().Add(50*time.Second)) || p.LastSend != finding.Unclear) {
						t.Errorf("%+v", p)
					}
					if d.kind == D && to != from && (p.Reason != "the log says so" && from != "F" || p.Own() != (from != "F")) {
						t.Errorf("%+v", p)
					}
					if from != "" && (p.Source.Offset != 3 || p.Remark != "salary") {
						t.Errorf("the content is gone: %+v", p)
					}
				})
			}
		}
	})
}

func TestAnAnnouncedEndOutranksWhatIsRestoredLater(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		build(t, j, was(epochs.WasAnnounced, "a", payout.StatePaid), was(epochs.WasDecided, "a", 0), was(epochs.WasEnded, "a", payout.StateRejected))
		if h := checks(t, client, j); len(h.records) != 0 || h.total != "0" {
			t.Fatalf("%v", h)
		}
	})
}

// Instances restore at once: the order in which they come must not matter.
func TestAValidOwnEndOutranksItsSend(t *testing.T) {
	sent, ended := was(epochs.WasDecided, "a", 0), was(epochs.WasEnded, "a", payout.StateFailed)
	for _, content := range []bool{false, true} {
		for name, items := range map[string][]epochs.Restored{
			"before": {sent, ended}, "after": {ended, sent}, "around": {sent, ended, sent}, "twice": {ended, sent, ended, sent},
		} {
			t.Run(fmt.Sprint("the send ", name, ", content ", content), func(t *testing.T) {
				rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
					if content {
						known(t, j, "a", 3, payout.StateReceived)
					}
					id := build(t, j)
					for _, item := range items {
						restore(t, j, id, item)
					}
					if p := show(t, client, j, "a"); p.State != payout.StateFailed || !p.Own() {
						t.Fatalf("%+v", p)
					}
				})
			})
		}
	}
}

// An end that only an earlier building's log vouched for ranks below a send again.
func TestAnOwnEndIsVouchedForByItsBuildingOnly(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		open(t, j, build(t, j, was(epochs.WasEnded, "a", payout.StateRejected)))
		build(t, j, was(epochs.WasDecided, "a", 0))
		if p := show(t, client, j, "a"); p.State != payout.StateSending {
			t.Fatalf("%+v", p)
		}
	})
}

// A final announced after its send was remembered takes its place.
func TestAnAnnouncedEndReplacesARememberedSend(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		wipe(t, client, j)
		id := build(t, j, was(epochs.WasDecided, "a", 0), was(epochs.WasAnnounced, "a", payout.StatePaid), was(epochs.WasDecided, "a", 0))
		if h := checks(t, client, j); h.memos["a"] != "P"+string(order("a", "300").Fingerprint) {
			t.Fatalf("%v", h)
		}
		open(t, j, id)
		_, _ = j.Position(context.Background(), 0, 0, false)
		if got := insert(t, j, 9, at("a", 3)); got != "d" || len(checks(t, client, j).records) != 0 {
			t.Fatalf("outcomes %q", got)
		}
	})
}

// After a decision was restored, nobody knows what the first send was answered. So "its only
// send was refused" must never be concluded again (protocol O4).
func TestARestoredSendIsNeverTheOnlyRefusedOne(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		known(t, j, "a", 3, payout.StateReceived)
		b := lease(t, j, payout.StepSend, "eg", 1)
		write(t, j, b, func(p *payout.Payout) { p.LastSend, p.Due = finding.Refused, time.Now().Add(-time.Second) })
		build(t, j, was(epochs.WasDecided, "a", 0))
		if p := show(t, client, j, "a"); p.Sends < 2 || p.State != payout.StateSending {
			t.Fatalf("%+v", p)
		}
	})
}

func TestALateGiveBackOfTheOldEpochIsRefusedAlsoAfterTheOpening(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		p := at("a", 3)
		p.ExpiresAt = time.Now().Add(time.Hour)
		insert(t, j, 4, p)
		b := lease(t, j, payout.StepSend, "eg", 1)
		back, err := b.Payouts[0].GiveBack(time.Now(), false)
		if err != nil {
			t.Fatal(err)
		}
		id := build(t, j, was(epochs.WasDecided, "a", 0))
		open(t, j, id)
		change := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: back}
		_, err = j.Apply(context.Background(), []leases.Change{change}, nil)
		epochError(t, err)
		change.Epoch = id // and even if it spoke for the new epoch: its token is gone
		if got := apply(t, j, change); got[0] {
			t.Fatal("made received of what may have been sent")
		}
		checks(t, client, j)
		if got := lease(t, j, payout.StepSend, "eg", 1); len(got.Payouts) != 0 {
			t.Fatal("leased to be sent again")
		}
		if got := lease(t, j, payout.StepReview, "", 1); len(got.Payouts) != 0 {
			t.Fatal("leased to expire")
		}
		if got := lease(t, j, payout.StepAsk, "eg", 1); len(got.Payouts) != 1 {
			t.Fatal("not asked about")
		}
	})
}

func TestAdoption(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		wipe(t, client, j)
		id := build(t, j, was(epochs.WasDecided, "a", 0), was(epochs.WasDecided, "b", 0))
		open(t, j, id)
		if _, err := j.Position(context.Background(), 0, 3, false); err != nil {
			t.Fatal(err)
		}
		if m, _ := j.Marks(context.Background(), []int{0}); m[0] != (intake.Mark{Position: 3, Safe: 3}) {
			t.Fatalf("%+v", m)
		}
		if got := lease(t, j, payout.StepAsk, "eg", 1); len(got.Payouts) != 0 {
			t.Fatal("asked about before its command is there")
		}
		a, b := at("a", 3), at("b", 4)
		a.ExpiresAt = time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()
		b.ExpiresAt = a.ExpiresAt
		if got := insert(t, j, 9, order("a", "5")); got != "c" {
			t.Fatalf("another content: %q", got)
		}
		if got := insert(t, j, 9, a, b, a); got != "ddd" {
			t.Fatalf("outcomes %q", got)
		}
		checks(t, client, j)
		if got := lease(t, j, payout.StepSend, "eg", 9); len(got.Payouts) != 0 {
			t.Fatal("leased to be sent again")
		}
		if got := lease(t, j, payout.StepAsk, "eg", 9); len(got.Payouts) != 2 {
			t.Fatal("not asked about")
		}
		for tradeNo, offset := range map[string]int64{"a": 3, "b": 4} {
			p := show(t, client, j, tradeNo)
			if p.State != payout.StateSending || p.Source != (payout.Source{Offset: offset, Time: p.Source.Time}) || p.Remark != "salary" ||
				p.Payee.Field("walletId") == "" || p.Sends < 2 || !p.SendBy.After(time.Now().Add(50*time.Second)) || p.LastSentAt.IsZero() || !p.ExpiresAt.Equal(a.ExpiresAt) || p.Country != "egypt" || p.Merchant != "eg" {
				t.Errorf("%+v", p)
			}
		}
		if m, _ := j.Marks(context.Background(), []int{0}); m[0] != (intake.Mark{Position: 9, Safe: 3}) {
			t.Fatalf("%+v", m)
		}
	})
}

func TestAnInvalidRepeatOfARestoredPayoutIsNoRejection(t *testing.T) {
	for _, country := range []string{"egypt", ""} { // "": its merchant isn't configured any more
		t.Run(country, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				wipe(t, client, j)
				open(t, j, build(t, j, was(epochs.WasDecided, "a", 0)))
				_, _ = j.Position(context.Background(), 0, 0, false)
				invalid := payout.Begin(order("a", "300").Command, country, payout.Source{Offset: 3}, "merchant is unknown", time.Now())
				if got := insert(t, j, 4, invalid); got != "d" {
					t.Fatalf("%q", got)
				}
				p := show(t, client, j, "a")
				if p.State != payout.StateSending || p.Merchant != "eg" || p.Reason != "" {
					t.Fatalf("%+v", p)
				}
				checks(t, client, j)
				if b := lease(t, j, payout.StepAsk, "eg", 1); len(b.Payouts) != 1 {
					t.Fatal("not asked about any more")
				}
			})
		})
	}
}

func TestAFinalWithoutContentIsAnnouncedOnceItIsAdopted(t *testing.T) {
	for _, merchant := range []string{"eg", ""} { // "": the decision named several merchants
		t.Run("decided of "+merchant, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				wipe(t, client, j)
				ended := was(epochs.WasEnded, "a", payout.StateRejected)
				ended.Merchant = merchant
				open(t, j, build(t, j, ended))
				_, _ = j.Position(context.Background(), 0, 0, false)
				if b := lease(t, j, payout.StepAnnounce, "", 9); len(b.Payouts) != 0 {
					t.Fatal("announced without content")
				}
				insert(t, j, 4, at("a", 3))
				checks(t, client, j)
				b := lease(t, j, payout.StepAnnounce, "", 9)
				if len(b.Payouts) != 1 {
					t.Fatal("not announced after the adoption")
				}
				e, speaks := message.EventOf(b.Payouts[0])
				if !speaks || e.Type != message.EventRejected || e.Amount != "300" || e.Reason != "the log says so" || e.Merchant != "eg" {
					t.Fatalf("%+v", e)
				}
				apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateRejected, After: b.Payouts[0], Forget: true})
				if m, _ := j.Marks(context.Background(), []int{0}); m[0] != (intake.Mark{Position: 4, Safe: 4}) {
					t.Fatalf("the safe mark stays at %+v for ever", m)
				}
			})
		})
	}
}

// A payout is known by an end that no log vouches for any more, and then by its send. It is
// asked about without content, but announced and sent with content only.
func TestWithoutContentNothingIsSentOrAnnounced(t *testing.T) {
	for name, after := range map[string]func(p *payout.Payout){
		"paid":   func(p *payout.Payout) { p.State, p.Step = payout.StatePaid, payout.StepAnnounce },
		"held":   func(p *payout.Payout) { p.State, p.Step = payout.StateHeld, payout.StepAnnounce },
		"resend": func(p *payout.Payout) { p.State, p.Step = payout.StateReceived, payout.StepSend },
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				wipe(t, client, j)
				open(t, j, build(t, j, was(epochs.WasEnded, "a", payout.StateRejected)))
				open(t, j, build(t, j, was(epochs.WasDecided, "a", 0)))
				_, _ = j.Position(context.Background(), 0, 0, false)
				b := lease(t, j, payout.StepAsk, "eg", 1)
				if !write(t, j, b, func(p *payout.Payout) { after(p); p.Due = time.Now().Add(-time.Second) }) {
					t.Fatal("not written")
				}
				checks(t, client, j)
				for _, step := range []payout.Step{payout.StepSend, payout.StepAnnounce, payout.StepReview} {
					lane := ""
					if step == payout.StepSend {
						lane = "eg"
					}
					if b := lease(t, j, step, lane, 9); len(b.Payouts) != 0 {
						t.Fatalf("leased to %v without content", step)
					}
				}
				p := at("a", 3)
				p.ExpiresAt = time.Now().Add(time.Hour)
				insert(t, j, 4, p)
				checks(t, client, j)
				step, lane := payout.StepAnnounce, ""
				if name == "resend" {
					step, lane = payout.StepSend, "eg"
				}
				if b := lease(t, j, step, lane, 9); len(b.Payouts) != 1 || b.Payouts[0].Remark != "salary" || b.Payouts[0].ExpiresAt.IsZero() {
					t.Fatalf("after the adoption: %+v", b.Payouts)
				}
			})
		})
	}
}

func TestReachHoldsWhatIsOlder(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		id := build(t, j)
		if err := j.OpenEpoch(context.Background(), epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1, Reach: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
		j.Believe(id)
		older, younger, invalid := at("older", 3), at("younger", 4), payout.Begin(order("invalid", "300").Command, "egypt", payout.Source{Offset: 5}, "amount", time.Now())
		older.Source.Time, younger.Source.Time, invalid.Source.Time = time.Now().Add(-2*time.Minute), time.Now().Add(-30*time.Second), time.Now().Add(-30*time.Second)
		if got := insert(t, j, 9, older, younger, invalid); got != "onr" {
			t.Fatalf("outcomes %q", got)
		}
		checks(t, client, j)
		id = build(t, j) // reach '' keeps it
		open(t, j, id)
		older.TradeNo, older.Source.Offset = "older too", 6
		if got := insert(t, j, 9, older); got != "o" {
			t.Fatalf("outcomes %q after another epoch", got)
		}
	})
}

func TestWatermarksNeverGoBackAndSurviveABuilding(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		stand := func(decisions, results map[int]int64) {
			t.Helper()
			s, err := j.Standing(ctx)
			if err != nil || !reflect.DeepEqual(s.Decisions, decisions) || !reflect.DeepEqual(s.Results, results) {
				t.Fatalf("%+v, %v; want %v and %v", s, err, decisions, results)
			}
		}
		stand(map[int]int64{}, map[int]int64{})
		for _, m := range []int64{9, 5, 1 << 40, 10} {
			if moved, err := j.Watermark(ctx, map[int]int64{0: m, 12: 3}, map[int]int64{1: m + 1}); err != nil || !moved {
				t.Fatal(moved, err)
			}
		}
		stand(map[int]int64{0: 1 << 40, 12: 3}, map[int]int64{1: 1<<40 + 1})
		s, _ := j.Standing(ctx)
		id := build(t, j)
		stand(map[int]int64{0: 1 << 40, 12: 3}, map[int]int64{1: 1<<40 + 1})
		during, _ := j.Standing(ctx)
		if during.Open() || during.Was != s.Epoch.ID || during.Building != id || during.BuildingOn != during.RunID || during.ClaimLeft <= 0 || len(during.Fences) != 0 || during.Epoch.Number != 1 || during.Shards != 1 {
			t.Fatalf("%+v", during)
		}
		if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1, Fences: map[int]int64{0: 8, 1: 9}, Decisions: map[int]int64{0: 1<<40 + 9}, Results: map[int]int64{1: 1<<40 + 8, 2: 4}}); err != nil {
			t.Fatal(err)
		}
		stand(map[int]int64{0: 1<<40 + 9, 12: 3}, map[int]int64{1: 1<<40 + 8, 2: 4})
		after, _ := j.Standing(ctx)
		if !after.Open() || after.Epoch != (epochs.Epoch{Number: 2, ID: id}) || !reflect.DeepEqual(after.Fences, map[int]int64{0: 8, 1: 9}) || after.Building != "" || after.ClaimLeft != 0 {
			t.Fatalf("%+v", after)
		}
		j.Believe(id)
	})
}

func TestABuildingIsClaimedOnceAndTheClaimEnds(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		epochError(t, j.Build(ctx, "x", "", time.Minute)) // an open epoch that the caller didn't know of
		epochError(t, j.Build(ctx, "x", "some older one", time.Minute))
		id := build(t, j)
		if err := j.Build(ctx, id, "", time.Minute); err != nil { // a lost reply
			t.Fatal(err)
		}
		epochError(t, j.Build(ctx, "x", "", time.Minute))
		if err := j.Build(ctx, id, id, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // Redis' clock, which no test can turn
		if err := j.Build(ctx, "x", "", time.Minute); err != nil {
			t.Fatal(err)
		}
		open(t, j, "x")
	})
}

// Any order of all that can happen keeps counts, sets and the total right.
func TestRandomOperationsKeepTheBooks(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for range 6 {
			seed := rand.Uint64()
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0))
				j := newJournal(t, client, time.Hour)
				b := books{t: t, r: r, client: client, j: j, seen: map[string]bool{}}
				for range 150 {
					did := b.step()
					checks(t, client, j)
					if t.Failed() {
						t.Fatalf("after: %s", did)
					}
				}
			})
		}
	})
}

// books does random things and watches that nothing is leased for a send that a replay
// has learned of, unless an asker gave it free.
type books struct {
	t       *testing.T
	r       *rand.Rand
	client  redis.UniversalClient
	j       *Journal
	offset  int64
	batches []leases.Leased
	seen    map[string]bool // decided by a replay, and not made received since by an asker
}

func (b *books) tradeNo() string { return fmt.Sprint("t", b.r.IntN(12)) }

func (b *books) step() string {
	switch b.r.IntN(9) {
	case 8:
		return b.look()
	case 0, 1:
		return b.insert()
	case 2, 3, 4:
		return b.lease()
	case 5, 6:
		return b.apply()
	}
	return b.rebuild()
}

// look does what changes the index of lanes and the merchants.
func (b *books) look() string {
	if _, err := b.j.Due(context.Background(), []string{"eg"}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.j.Count(context.Background(), []int{0}); err != nil {
		b.t.Fatal(err)
	}
	return "look and count"
}

func (b *books) insert() string {
	p := at(b.tradeNo(), b.offset)
	var carried payout.State
	switch b.r.IntN(6) {
	case 0:
		p.ExpiresAt = time.Now().Add(time.Duration(b.r.IntN(2)*2-1) * time.Minute)
	case 1:
		p = payout.Begin(p.Command, []string{"egypt", ""}[b.r.IntN(2)], p.Source, "invalid", time.Now())
	case 2:
		p.Source.Time = time.Now().Add(-2 * time.Hour)
	case 3:
		carried = []payout.State{payout.StateReceived, payout.StateSending}[b.r.IntN(2)]
	}
	if _, err := b.j.Position(context.Background(), 0, b.offset, false); err != nil {
		b.t.Fatal(err)
	}
	b.offset++
	out, _, err := b.j.Insert(context.Background(), intake.Range{To: b.offset}, []intake.Entry{{Payout: p, Carried: carried}})
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("insert %s: %s (%v, country %q, carried %q)", p.TradeNo, string(out[0]), p.State, p.Country, carried)
}

func (b *books) lease() string {
	step := []payout.Step{payout.StepSend, payout.StepAsk, payout.StepAnnounce, payout.StepReview}[b.r.IntN(4)]
	lane := ""
	if step == payout.StepSend || step == payout.StepAsk {
		lane = "eg"
	}
	batch, err := b.j.Lease(context.Background(), leases.Request{Step: step, Merchant: lane, N: 1 + b.r.IntN(3), For: time.Duration(b.r.IntN(2))*time.Minute + time.Millisecond})
	if err != nil {
		b.t.Fatal(err)
	}
	did := fmt.Sprintf("lease %v:", step)
	for _, p := range batch.Payouts {
		did += " " + p.TradeNo
		if step == payout.StepSend && (b.seen[p.TradeNo] || p.Remark == "") {
			b.t.Errorf("%s is leased to be sent; decided before: %v; %+v", p.TradeNo, b.seen[p.TradeNo], p)
		}
	}
	if len(batch.Payouts) > 0 {
		b.batches = append(b.batches, batch)
	}
	return did
}

// apply lets an owner, present or past, write something.
func (b *books) apply() string {
	if len(b.batches) == 0 {
		return "nothing"
	}
	batch := b.batches[b.r.IntN(len(b.batches))]
	did := "apply"
	var changes []leases.Change
	for _, p := range batch.Payouts {
		c := leases.Change{Token: batch.Token, Epoch: batch.Epoch, Before: p.State, After: p}
		if b.r.IntN(3) == 0 {
			s, _ := b.j.Standing(context.Background())
			c.Epoch = s.Epoch.ID // a token of an old epoch must be worth nothing in the next
		}
		if len(changes) > 0 {
			c.Epoch = changes[0].Epoch
		}
		a, due := &c.After, time.Now().Add(-time.Second)
		switch {
		case p.State == payout.StateReceived:
			a.State, a.Step = payout.StateRejected, payout.StepAnnounce
		case p.Step == payout.StepAnnounce && p.State.Final():
			c.Forget = true
		case p.State == payout.StateHeld && p.Step == payout.StepAnnounce:
			a.Step = payout.StepAsk
		default:
			a.State = []payout.State{payout.StateReceived, payout.StateSending, payout.StateProcessing, payout.StateHeld, payout.StatePaid, payout.StateFailed}[b.r.IntN(6)]
			a.Step = map[payout.State]payout.Step{payout.StateReceived: payout.StepSend, payout.StateSending: payout.StepAsk, payout.StateProcessing: payout.StepAsk}[a.State]
			if a.Step == 0 {
				a.Step = payout.StepAnnounce
			}
			a.Absent = a.State == payout.StateFailed && b.r.IntN(2) == 0
		}
		a.Due = due
		changes = append(changes, c)
		did += fmt.Sprintf(" %s %v→%v", p.TradeNo, p.State, a.State)
	}
	written, err := b.j.Apply(context.Background(), changes, nil)
	if err != nil {
		if !errors.Is(err, epochs.ErrOver) {
			b.t.Fatal(err)
		}
		return did + " refused"
	}
	for i, c := range changes {
		if written[i] && c.After.State == payout.StateReceived { // an asker's word
			delete(b.seen, c.After.TradeNo)
		}
	}
	return did + fmt.Sprint(written)
}

func (b *books) rebuild() string {
	did := "rebuild:"
	var before []epochs.Restored
	if b.r.IntN(3) == 0 { // the log still says what it has said
		wipe(b.t, b.client, b.j)
		did = "wiped, rebuild:"
		for tradeNo := range b.seen {
			before = append(before, was(epochs.WasDecided, tradeNo, 0))
		}
	}
	id := build(b.t, b.j)
	kinds := []epochs.RestoredKind{epochs.WasAnnounced, epochs.WasDecided, epochs.WasEnded}
	for _, n := range b.r.Perm(len(kinds)) { // instances restore at once
		kind := kinds[n]
		var items []epochs.Restored
		if kind == epochs.WasDecided {
			items = before
		}
		for range b.r.IntN(4) {
			item := was(kind, b.tradeNo(), []payout.State{payout.StateRejected, payout.StateFailed}[b.r.IntN(2)])
			item.Merchant = []string{"eg", "eg", ""}[b.r.IntN(3)]
			if kind == epochs.WasDecided {
				item.Merchant = "eg"
				b.seen[item.TradeNo] = true
			}
			items = append(items, item)
			did += fmt.Sprintf(" %c%s", kind, item.TradeNo)
		}
		for range 1 + b.r.IntN(2) {
			restore(b.t, b.j, id, items...)
		}
	}
	open(b.t, b.j, id)
	return did
}

// Of what has ended, a rebuild takes only what a journal that was never lost would still
// remember. Of sends and holds it takes everything.
func TestARebuildForgetsWhatIsOlderThanTheWindow(t *testing.T) {
	F, S, H, D := epochs.WasAnnounced, epochs.WasDecided, epochs.WasHeld, epochs.WasEnded
	window := time.Hour // rebuilding's
	for name, test := range map[string]struct {
		kind  epochs.RestoredKind
		state payout.State
		age   time.Duration
		known bool
	}{
		"announced lately":             {F, payout.StatePaid, window - time.Minute, true},
		"announced, nobody knows when": {F, payout.StatePaid, 0, true},
		"announced long ago":           {F, payout.StatePaid, window + time.Minute, false},
		"decided to end lately":        {D, payout.StateRejected, window - time.Minute, true},
		"decided to end long ago":      {D, payout.StateRejected, window + time.Minute, false},
		"sent long ago":                {S, 0, 3 * window, true},
		"held long ago":                {H, payout.StateHeld, 3 * window, true},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				item := was(test.kind, "a", test.state)
				if test.age > 0 {
					item.Seen = time.Now().Add(-test.age)
					item.Time = item.Seen
				}
				emptied(t, client, j, item)
				got := insert(t, j, 4, at("a", 3))
				if want := map[bool]string{true: "d", false: "n"}[test.known]; got != want {
					t.Errorf("outcome %s, want %s", got, want)
				}
			})
		})
	}
}
