package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// ofBatch is a payout of a batch.
func ofBatch(tradeNo, batchID string, offset int64) payout.Payout {
	p := at(tradeNo, offset)
	p.BatchID = batchID
	return p
}

func move(t *testing.T, j *Journal, to payout.Step, follows int64, tradeNos ...string) leases.Moved {
	t.Helper()
	m, err := j.Move(context.Background(), leases.Move{To: to, Follows: follows, MaxOpen: 1000}, tradeNos)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func peek(t *testing.T, j *Journal, without, n int) []leases.Waiting {
	t.Helper()
	all, err := j.Peek(context.Background(), "eg", without, n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func leaseOnly(t *testing.T, j *Journal, tradeNos ...string) (leased []string) {
	t.Helper()
	b, err := j.Lease(context.Background(), leases.Request{Step: payout.StepSend, Merchant: "eg", N: len(tradeNos), For: time.Minute, Only: tradeNos})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.Payouts {
		leased = append(leased, p.TradeNo)
	}
	return leased
}

func dueAt(t *testing.T, client redis.UniversalClient, j *Journal, set, tradeNo string) float64 {
	t.Helper()
	score, err := client.ZScore(context.Background(), j.prefix+set, tradeNo).Result()
	if err != nil {
		t.Fatalf("%s isn't in %q: %v", tradeNo, set, err)
	}
	return score
}

func TestAParkedPayoutIsNotLeased(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 6, ofBatch("a", "b1", 3), ofBatch("b", "b2", 4), ofBatch("c", "", 5))
		if got := fmt.Sprint(peek(t, j, 0, 9)); got != "[{a b1} {b b2} {c }]" {
			t.Fatal(got)
		}
		if got := fmt.Sprint(peek(t, j, 1, 1)); got != "[{b b2}]" {
			t.Fatal(got)
		}
		due := dueAt(t, client, j, "due:s:eg", "a")
		if m := move(t, j, payout.StepParked, 7, "a", "c", "a", "nobody"); m.N != 2 || m.Full || m.Followed != 7 {
			t.Fatalf("%+v", m)
		}
		checks(t, client, j)
		if p := show(t, client, j, "a"); p.State != payout.StateReceived || p.Step != payout.StepParked || dueAt(t, client, j, "parked:eg\nb1", "a") != due {
			t.Errorf("%+v", p)
		}
		parked, err := j.Parked(context.Background())
		if err != nil || fmt.Sprint(parked) != "[{{eg } 1} {{eg b1} 1}]" {
			t.Errorf("%v %v", parked, err)
		}
		if got := leaseOnly(t, j, "a", "c"); got != nil {
			t.Errorf("leased by name: %v", got)
		}
		checks(t, client, j)
		if b := lease(t, j, payout.StepSend, "eg", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "b" {
			t.Errorf("leased: %+v", b.Payouts)
		}
		if marks, err := j.Marks(context.Background(), []int{0}); err != nil || marks[0] != (intake.Mark{Position: 6, Safe: 3}) {
			t.Errorf("the safe mark passes a parked payout: %v %v", marks, err)
		}
		if m := move(t, j, payout.StepSend, 8, "a", "b", "c"); m.N != 2 {
			t.Errorf("%+v", m)
		}
		if dueAt(t, client, j, "due:s:eg", "a") != due {
			t.Error("its due time was lost: it may be sent before notBefore")
		}
		if got := leaseOnly(t, j, "c", "a"); fmt.Sprint(got) != "[c a]" {
			t.Errorf("leased by name: %v", got)
		}
	})
}

// What somebody has leased, for whatever, stays theirs.
func TestWhatIsLeasedIsNotParked(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		for i, state := range []payout.State{payout.StateSending, payout.StateProcessing, payout.StateHeld, payout.StatePaid} {
			known(t, j, state.String(), int64(3+i), state)
		}
		expired := ofBatch("expired", "b", 8)
		expired.ExpiresAt = time.Now().Add(-time.Second)
		insert(t, j, 9, expired)
		lease(t, j, payout.StepReview, "", 9)
		before := heldBy(t, client, j)
		for _, to := range []payout.Step{payout.StepParked, payout.StepSend, payout.StepReview} {
			if m := move(t, j, to, 7, "sending", "processing", "held", "paid", "expired"); m.N != 0 {
				t.Errorf("to %v: %+v", to, m)
			}
		}
		if after := heldBy(t, client, j); fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("was %v\n is %v", before, after)
		}
	})
}

// What isn't due isn't leased by its name either: it was given back for a while since it was looked at.
func TestALeaseByNameTakesWhatIsDue(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		later := ofBatch("later", "b", 4)
		later.NotBefore, later.Due = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		insert(t, j, 6, ofBatch("now", "b", 3), later, ofBatch("other", "b", 5))
		if got := leaseOnly(t, j, "later", "now"); fmt.Sprint(got) != "[now]" {
			t.Errorf("%v", got)
		}
		if dueAt(t, client, j, "due:s:eg", "other") == 0 {
			t.Error("what wasn't named")
		}
	})
}

// A parked payout keeps its place among those that expire. The review of it is a lease like others.
func TestAParkedPayoutExpires(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		p := ofBatch("a", "b", 3)
		p.ExpiresAt = time.Now().Add(time.Hour)
		insert(t, j, 4, p)
		move(t, j, payout.StepParked, 1, "a")
		if dueAt(t, client, j, "due:x", "a") != float64(p.ExpiresAt.UnixMilli()) {
			t.Fatal("it would never expire")
		}
		client.ZAdd(context.Background(), j.prefix+"due:x", redis.Z{Score: 1, Member: "a"})
		client.ZAdd(context.Background(), j.prefix+"lanes", redis.Z{Score: 1, Member: "x"})
		b := lease(t, j, payout.StepReview, "", 9)
		if len(b.Payouts) != 1 || b.Payouts[0].Step != payout.StepReview {
			t.Fatalf("%+v", b.Payouts)
		}
		checks(t, client, j)
		if m := move(t, j, payout.StepSend, 2, "a"); m.N != 0 {
			t.Error("it was brought back under a lease of reviews")
		}
		if !write(t, j, b, func(p *payout.Payout) { p.Step, p.Due = payout.StepSend, time.Now().Add(-time.Second) }) {
			t.Error("not written")
		}
	})
}

// Parking and bringing back carry how much of the actions they follow; Redis keeps the largest (protocol A4).
func TestOldNewsMoveNothing(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 5, ofBatch("a", "b", 3), ofBatch("b", "b", 4))
		if m := move(t, j, payout.StepSend, 9); m.Followed != 9 { // a sweep that finds nothing
			t.Fatalf("%+v", m)
		}
		if m := move(t, j, payout.StepParked, 8, "a"); m.N != 0 || m.Followed != 9 || dueAt(t, client, j, "due:s:eg", "a") == 0 {
			t.Errorf("a pause that was lifted at 8 parks: %+v", m)
		}
		if m := move(t, j, payout.StepParked, 10, "a", "b"); m.N != 2 {
			t.Fatalf("%+v", m)
		}
		if m := move(t, j, payout.StepSend, 9, "a"); m.N != 0 || m.Followed != 10 {
			t.Errorf("brought back by who doesn't know of the pause at 9: %+v", m)
		}
		if m := move(t, j, payout.StepReview, 9, "b"); m.N != 1 || m.Followed != 10 {
			t.Errorf("a cancellation stands for ever: %+v", m)
		}
		checks(t, client, j)
		if m := move(t, j, payout.StepSend, 10, "a"); m.N != 1 {
			t.Errorf("%+v", m)
		}
		if m := move(t, j, payout.StepReview, 3, "a"); m.N != 1 || m.Followed != 10 {
			t.Errorf("cancelled while it is due: %+v", m)
		}
	})
}

// Nothing is brought back while as many payouts are open as may be, parked ones apart.
func TestBringingBackStopsAtMaxOpen(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 8, ofBatch("a", "b", 3), ofBatch("b", "b", 4), ofBatch("c", "b", 5), ofBatch("d", "", 6), ofBatch("e", "", 7))
		move(t, j, payout.StepParked, 1, "a", "b", "c")
		back := func(maxOpen int) leases.Moved {
			m, err := j.Move(context.Background(), leases.Move{To: payout.StepSend, Follows: 1, MaxOpen: maxOpen}, []string{"a", "b", "c"})
			if err != nil {
				t.Fatal(err)
			}
			checks(t, client, j)
			return m
		}
		if m := back(2); m.N != 0 || !m.Full {
			t.Errorf("%+v", m)
		}
		if m := back(3); m.N != 1 || !m.Full {
			t.Errorf("%+v", m)
		}
		if m := back(5); m.N != 2 || m.Full {
			t.Errorf("%+v", m)
		}
	})
}

// Parked payouts don't fill the journal, up to a number of each merchant. Beyond it they do.
func TestParkedPayoutsCountUpToALimit(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		j.maxParked = 2
		var all []payout.Payout
		for i := range 6 {
			p := ofBatch(fmt.Sprint("p", i), "b", int64(i))
			if p.Merchant = "eg"; i > 3 {
				p.Merchant = "br"
			}
			all = append(all, p)
		}
		insert(t, j, 6, all...)
		want := func(open int, when string) {
			t.Helper()
			if got, err := j.OpenCount(context.Background(), 0, 6); err != nil || got != open {
				t.Errorf("%s: %d open, want %d: %v", when, got, open, err)
			}
		}
		want(6, "none parked")
		move(t, j, payout.StepParked, 1, "p0", "p1")
		want(4, "two parked")
		move(t, j, payout.StepParked, 1, "p2", "p3")
		want(4, "four parked, of which two may be")
		move(t, j, payout.StepParked, 1, "p4", "p5")
		want(2, "and two of another merchant")
		if c, err := j.Count(context.Background(), []int{0}); err != nil || c.Open != 6 || c.States["eg"][payout.StateReceived] != 4 {
			t.Errorf("all are open: %+v %v", c, err)
		}
		move(t, j, payout.StepSend, 1, "p0", "p1", "p2", "p3", "p4", "p5")
		want(6, "brought back")
		checks(t, client, j)
	})
}

// Whatever a rebuild or a carried command says of a parked payout is done, and it is parked no longer.
func TestWhatEndsAParkedPayout(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, j *Journal){
		"a final": func(t *testing.T, j *Journal) {
			open(t, j, build(t, j, was(epochs.WasAnnounced, "a", payout.StatePaid)))
		},
		"a hold":             func(t *testing.T, j *Journal) { open(t, j, build(t, j, was(epochs.WasHeld, "a", payout.StateHeld))) },
		"a decision to send": func(t *testing.T, j *Journal) { open(t, j, build(t, j, was(epochs.WasDecided, "a", 0))) },
		"an end of our own": func(t *testing.T, j *Journal) {
			open(t, j, build(t, j, was(epochs.WasEnded, "a", payout.StateRejected)))
		},
		"a hold that is told": func(t *testing.T, j *Journal) { carriedAs(t, j, payout.StateHeld) },
		"a lease by name": func(t *testing.T, j *Journal) {
			r := leases.ByName{TradeNos: []string{"a"}, States: []payout.State{payout.StateReceived}, For: time.Minute}
			if b, err := j.LeaseByName(context.Background(), r); err != nil || b.Payouts[0].Found != leases.NamedLeased {
				t.Fatalf("%+v %v", b, err)
			}
		},
		"a review": func(t *testing.T, j *Journal) {
			move(t, j, payout.StepReview, 2, "a")
			lease(t, j, payout.StepReview, "", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				p := ofBatch("a", "b", 3)
				p.ExpiresAt = time.Now().Add(time.Hour)
				insert(t, j, 5, p, ofBatch("other", "b", 4))
				move(t, j, payout.StepParked, 1, "a", "other")
				end(t, j)
				h := checks(t, client, j)
				if _, stays := h.sets["parked:eg\nb"]["a"]; stays || h.parked["eg"] != "1" {
					t.Errorf("%v %v", h.sets, h.parked)
				}
			})
		})
	}
}

func carriedAs(t *testing.T, j *Journal, state payout.State) {
	t.Helper()
	e := intake.Entry{Payout: ofBatch("a", "b", 9), Carried: state}
	if _, _, err := j.Insert(context.Background(), intake.Range{From: 5, To: 10}, []intake.Entry{e}); err != nil {
		t.Fatal(err)
	}
}

// A command that is carried forward leaves its payout parked. Only its place in the topic moves.
func TestAParkedPayoutIsCarriedForward(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 5, ofBatch("a", "b", 3))
		move(t, j, payout.StepParked, 1, "a")
		carriedAs(t, j, payout.StateReceived)
		if p := show(t, client, j, "a"); p.Step != payout.StepParked || p.Source.Offset != 9 {
			t.Errorf("%+v", p)
		}
		if old, err := j.Lingering(context.Background(), 0, 5); err != nil || len(old) != 1 {
			t.Errorf("who carries it forward doesn't find it: %v %v", old, err)
		}
	})
}

// Where nobody can read what was decided, a parked payout may have been sent too. Redis may have forgotten that it
// was brought back.
func TestUnsentFindsWhatIsParked(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 5, ofBatch("a", "b", 3), ofBatch("b", "", 4))
		move(t, j, payout.StepParked, 1, "a")
		id := build(t, j)
		unsent, err := j.Unsent(context.Background(), id, 10)
		if err != nil || len(unsent) != 2 {
			t.Fatalf("%v %v", unsent, err)
		}
		restore(t, j, id, unsent...)
		if unsent, err = j.Unsent(context.Background(), id, 10); err != nil || len(unsent) != 0 {
			t.Errorf("%v %v", unsent, err)
		}
		open(t, j, id)
	})
}

// What stands among the parked and isn't parked leaves when it is met, and isn't counted twice.
func TestStraysLeaveTheParkedOnes(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx, b := context.Background(), leases.Batch{Merchant: "eg", BatchID: "b"}
		insert(t, j, 5, ofBatch("a", "b", 3), ofBatch("b", "b", 4))
		move(t, j, payout.StepParked, 1, "a")
		client.ZAdd(ctx, j.prefix+"parked:eg\nb", redis.Z{Score: 1, Member: "nobody"}, redis.Z{Score: 2, Member: "b"})
		names, err := j.ParkedOf(ctx, b, 0, 9)
		if err != nil || fmt.Sprint(names) != "[nobody b a]" {
			t.Fatalf("%v %v", names, err)
		}
		if m, err := j.Move(ctx, leases.Move{To: payout.StepSend, From: &b, Follows: 1, MaxOpen: 9}, names); err != nil || m.N != 1 {
			t.Errorf("%+v %v", m, err)
		}
		if all, err := j.Parked(ctx); err != nil || len(all) != 0 {
			t.Errorf("%v %v", all, err)
		}
	})
}

// Batches are listed page by page, whatever their names are.
func TestManyBatchesAreListed(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		var names []string
		for i := range 2*chunk + 1 {
			p := ofBatch(fmt.Sprint("p", i), strings.Repeat("ü \\\"%", i%3)+fmt.Sprint(i), int64(i))
			insert(t, j, int64(i+1), p)
			names = append(names, p.TradeNo)
		}
		if m := move(t, j, payout.StepParked, 1, names...); m.N != len(names) {
			t.Fatalf("%+v", m)
		}
		all, err := j.Parked(context.Background())
		if err != nil || len(all) != len(names) {
			t.Errorf("%d listed: %v", len(all), err)
		}
	})
}

// Whatever is done in whatever order: records, sets and counts fit, and each payout is in one place.
func TestParkingInAnyOrder(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for seed := range uint64(6) {
			r := rand.New(rand.NewPCG(seed, 4))
			j := newJournal(t, client, time.Hour)
			var names []string
			for i := range 12 {
				p := ofBatch(fmt.Sprint("p", i), fmt.Sprint("b", i%3), int64(i))
				if i%2 == 0 {
					p.ExpiresAt = time.Now().Add(time.Hour)
				}
				insert(t, j, int64(i+1), p)
				names = append(names, p.TradeNo)
			}
			some := func() []string {
				r.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
				return slices.Clone(names[:1+r.IntN(5)])
			}
			var leased []leases.Leased
			for range 40 {
				switch r.IntN(8) {
				case 0, 1, 2:
					move(t, j, payout.StepParked, int64(r.IntN(9)), some()...)
				case 3, 4:
					move(t, j, payout.StepSend, int64(r.IntN(9)), some()...)
				case 5:
					move(t, j, payout.StepReview, 0, some()...)
				case 6:
					leased = append(leased, lease(t, j, []payout.Step{payout.StepSend, payout.StepReview}[r.IntN(2)], "", 2))
					leased[len(leased)-1] = lease(t, j, payout.StepSend, "eg", 2)
				case 7:
					for _, b := range leased {
						for _, p := range b.Payouts {
							before := p.State
							p.State, p.Step, p.Due = payout.StateReceived, payout.StepSend, time.Now().Add(-time.Second)
							apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: before, After: p})
						}
					}
					leased = nil
				}
				checks(t, client, j)
			}
			if t.Failed() {
				t.Fatal("seed", seed)
			}
		}
	})
}

// A journal of layout 2 goes on, whatever waits in it.
func TestAJournalOfLayout2GoesOn(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		for i, state := range []payout.State{payout.StateSending, payout.StateProcessing, payout.StateHeld, payout.StatePaid} {
			known(t, j, state.String(), int64(3+i), state)
		}
		known(t, j, "damaged", 7, payout.StateProcessing)
		known(t, j, "received", 8, payout.StateReceived)
		before := heldBy(t, client, j)
		for tradeNo, record := range before.records {
			old := "2" + record[1:]
			if tradeNo == "damaged" {
				old = old[:len(old)-1]
			}
			client.Set(ctx, j.prefix+"p:"+tradeNo, old, 0)
		}
		client.HSet(ctx, j.prefix+"epoch", "layout", "2")
		if s, err := j.Standing(ctx); err != nil || s.Layout != 2 {
			t.Fatalf("%+v %v", s, err)
		}
		if _, err := j.Marks(ctx, []int{0}); err != nil {
			t.Fatal(err)
		}
		id := build(t, j)
		if n, unread, err := j.Upgrade(ctx, id, func(int) {}); err != nil || n != len(before.records) || len(unread) != 1 {
			t.Fatalf("%d converted, unread %v: %v", n, unread, err)
		}
		open(t, j, id)
		firstLook(t, j)
		for tradeNo, record := range heldBy(t, client, j).records {
			if tradeNo != "damaged" && record != before.records[tradeNo] {
				t.Errorf("%s was %q and is %q", tradeNo, before.records[tradeNo], record)
			}
		}
		if p := show(t, client, j, "damaged"); p.State != payout.StateHeld || p.Merchant != "eg" || p.Fingerprint != at("damaged", 7).Fingerprint {
			t.Errorf("%+v", p)
		}
		client.Del(ctx, j.prefix+"open:0:eg") // damaged stays there, so that the mark doesn't pass its command
		for tradeNo := range before.records {
			if p := show(t, client, j, tradeNo); tradeNo != "damaged" {
				client.ZAdd(ctx, j.prefix+"open:0:eg", redis.Z{Score: float64(p.Source.Offset), Member: tradeNo})
			}
		}
	})
}

// What people stop is left where it waits: not leased, and due as before. A batch and a payout of the same name are
// told apart. What is behind it is leased by a look.
func TestALeaseLeavesWhatPeopleStop(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		var all []payout.Payout
		for i, batch := range []string{"b1", "b 2", "b1", "", "b3", "b3"} {
			p := at([]string{"b3", "p1", "p2", "p3", "p4", "p5"}[i], int64(3+i))
			p.BatchID, p.Due = batch, time.Now().Add(-time.Minute+time.Duration(i)*time.Second)
			all = append(all, p)
		}
		insert(t, j, 20, all...)
		lease := func(n int, batches, payouts []string, left int, want ...string) {
			t.Helper()
			b, err := j.Lease(context.Background(), leases.Request{Step: payout.StepSend, Merchant: "eg", N: n, For: time.Minute, LeaveBatches: batches, LeavePayouts: payouts})
			var got []string
			for _, p := range b.Payouts {
				got = append(got, p.TradeNo)
			}
			if err != nil || b.LeftBehind != left || !slices.Equal(got, want) {
				t.Errorf("%q and %d left behind, want %q and %d: %v", got, b.LeftBehind, want, left, err)
			}
			checks(t, client, j)
		}
		lease(1, []string{"b1"}, nil, 1)
		lease(3, []string{"b1", "b\n2", "b3"}, []string{"b3", "p2"}, 3)
		lease(2, []string{"other", "b3"}, []string{"p1"}, 1, "b3") // not the batch, and not the payout of its name
		if p := show(t, client, j, "p1"); p.State != payout.StateReceived || p.Sends != 0 || p.Step != payout.StepSend {
			t.Errorf("%+v", p)
		}
		lease(9, []string{"b1", "b3"}, []string{"b1"}, 3, "p1", "p3")
		lease(9, nil, nil, 0, "p2", "p4", "p5")
	})
}
