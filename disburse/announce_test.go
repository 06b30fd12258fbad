package disburse

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

func ended(tradeNo string, state payout.State) payout.Payout {
	p := doubtful(tradeNo)
	p.State, p.Step, p.SettledAt = state, payout.StepAnnounce, time.Now()
	if state == payout.StateRejected {
		p.Sends = 0
	}
	return p
}

func TestAnEndByOurWordIsDecidedFirst(t *testing.T) {
	inTime(t, func(t *testing.T) {
		absent := ended("a2", payout.StateFailed)
		absent.Absent = true
		b := newBench(t, ended("a1", payout.StateRejected), absent, ended("a3", payout.StatePaid))
		fails := 3
		b.decider.final = func(context.Context, []payout.Payout) error {
			if fails--; fails >= 0 {
				return errKafka
			}
			return nil
		}
		b.start()
		time.Sleep(500 * time.Millisecond)
		if b.journal.forgotten("a3") != payout.StatePaid || len(b.events("a1")) != 0 || b.journal.get("a1").State != payout.StateRejected {
			t.Errorf("the provider's word %v, ours announced %d times", b.journal.forgotten("a3"), len(b.events("a1")))
		}
		time.Sleep(time.Minute)
		b.stop()
		trace := b.noted()
		for _, no := range []string{"a1", "a2"} {
			decided, said := slices.Index(trace, "final decided "+no), slices.Index(trace, "announce "+no)
			if decided < 0 || said < decided || len(b.events(no)) != 1 || b.journal.left() != 0 {
				t.Errorf("%s: decided %d, announced %d, %d times", no, decided, said, len(b.events(no)))
			}
		}
		if slices.Contains(trace, "final asked a3") {
			t.Error("the provider's word was decided by us")
		}
	})
}

func TestWhatIsNotAcknowledgedIsAnnouncedAgain(t *testing.T) {
	for name, answer := range map[string]func(n int) ([]bool, error){
		"one of them":       func(n int) ([]bool, error) { a := slices.Repeat([]bool{true}, n); a[0] = false; return a, errKafka },
		"all of them":       func(n int) ([]bool, error) { return make([]bool, n), errKafka },
		"no answer at all":  func(int) ([]bool, error) { return nil, errKafka },
		"broken, no answer": func(int) ([]bool, error) { panic("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, ended("a1", payout.StatePaid), ended("a2", payout.StateFailed))
				tries := 0
				var again time.Time
				b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
					if tries++; tries <= 2 {
						return answer(len(events))
					}
					again = time.Now()
					return slices.Repeat([]bool{true}, len(events)), nil
				}
				began := time.Now()
				b.start()
				time.Sleep(500 * time.Millisecond)
				if b.journal.forgotten("a1") != 0 {
					t.Error("forgotten before it was acknowledged")
				}
				time.Sleep(2 * time.Minute)
				b.stop()
				if b.journal.left() != 0 || again.Sub(began) < announceAgain {
					t.Errorf("%d are left, again after %v", b.journal.left(), again.Sub(began))
				}
				if ids := slices.Compact(b.events("a1")); len(ids) != 1 || len(b.events("a1")) != 3 {
					t.Errorf("announced %d times under %d ids", len(b.events("a1")), len(ids))
				}
			})
		})
	}
}

func TestWhatExpires(t *testing.T) {
	inTime(t, func(t *testing.T) {
		p, sentOnce := order("a1", "a"), order("a2", "a")
		p.ExpiresAt, sentOnce.ExpiresAt = time.Now().Add(time.Minute), time.Now().Add(time.Minute)
		sentOnce.Sends = 1
		p.Due, sentOnce.Due = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		b := newBench(t, p, sentOnce)
		b.start()
		time.Sleep(2 * time.Minute)
		b.stop()
		if b.journal.forgotten("a1") != payout.StateRejected || b.sends("a1") != 0 || !slices.Contains(b.noted(), "final decided a1") {
			t.Errorf("ended %v, %d sends", b.journal.forgotten("a1"), b.sends("a1"))
		}
		if got := b.journal.get("a2").State; got != payout.StateHeld || b.sends("a2") != 0 {
			t.Errorf("what may have been sent is %v", got)
		}
	})
}

func TestTheWriterRetriesUntilTheLeaseIsOver(t *testing.T) {
	for _, away := range []time.Duration{20 * time.Second, 40 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, order("a1", "a"))
				back := time.Now().Add(away)
				b.journal.fault = func(op string) error {
					if op == "apply" && time.Now().Before(back) {
						return errRedis
					}
					return nil
				}
				b.start()
				time.Sleep(29 * time.Second)
				early := b.journal.get("a1").State
				if (early == payout.StateSending) != (away > 30*time.Second) {
					t.Errorf("%v after 29 s", early)
				}
				time.Sleep(5 * time.Minute)
				b.stop()
				if b.sends("a1") != 1 || b.journal.forgotten("a1") != payout.StatePaid {
					t.Errorf("%d sends, ended %v", b.sends("a1"), b.journal.forgotten("a1"))
				}
			})
		})
	}
}

func TestTheEpochsEndDropsWrites(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(3, "a")...)
		var mended atomic.Bool
		b.journal.fault = func(op string) error {
			if op == "apply" && !mended.Load() {
				return fmt.Errorf("journal: %w", epochs.ErrOver)
			}
			return nil
		}
		b.start()
		time.Sleep(20 * time.Second)
		if b.lost.Load() == 0 || b.journal.called("apply") > 3 || b.journal.get("a0000").State != payout.StateSending {
			t.Errorf("told %d times, %d writes, %v", b.lost.Load(), b.journal.called("apply"), b.journal.get("a0000").State)
		}
		mended.Store(true)
		time.Sleep(5 * time.Minute)
		b.stop()
		if b.journal.left() != 0 || b.sends("a0000") != 1 {
			t.Errorf("%d are left, %d sends", b.journal.left(), b.sends("a0000"))
		}
	})
}

// A batch of writes never mixes epochs; nor does one that panics end the writer.
func TestTheWriterGathersByEpoch(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t).build()
		var batches [][]string
		w := newWriter(applier(func(changes []leases.Change) []bool {
			var seen []string
			for _, c := range changes {
				seen = append(seen, c.Epoch)
			}
			if batches = append(batches, seen); len(batches) == 1 {
				panic("broken")
			}
			return slices.Repeat([]bool{true}, len(changes))
		}), func(time.Time) {}, func() bool { return true }, b.reportError, b.forgetEpoch, b.config.Logger)
		for _, epoch := range []string{"e0", "e1", "e1", "e2", "e1"} {
			w.put(change{Change: leases.Change{Epoch: epoch}, until: time.Now().Add(time.Minute)})
		}
		w.close()
		w.run(context.Background())
		if got := fmt.Sprint(batches); got != "[[e0] [e1 e1] [e2] [e1]]" {
			t.Error(got)
		}
	})
}

type applier func([]leases.Change) []bool

func (a applier) Apply(_ context.Context, changes []leases.Change, _ []leases.Served) ([]bool, error) {
	return a(changes), nil
}

func (applier) Resolve(context.Context, leases.Lease, []payout.Payout) ([]bool, error) {
	return nil, nil
}

func (applier) DueBut(context.Context, []string, []leases.Lane) (leases.Agenda, error) {
	return leases.Agenda{}, nil
}
func (applier) MayBeDue(context.Context) ([]leases.Lane, error) { return nil, nil }

func (applier) Lease(context.Context, leases.Request) (leases.Leased, error) {
	return leases.Leased{}, nil
}

// Stopped at any moment: what runs ends and is written, what wasn't sent is given back,
// nobody is left behind.
func TestStoppingAtAnyMoment(t *testing.T) {
	for at := time.Duration(0); at < 3*time.Second; at += 41 * time.Millisecond {
		inTime(t, func(t *testing.T) {
			b := newBench(t, append(orders(60, "a"), orders(60, "b")...)...)
			b.config.Slots = 16
			b.journal.fault = func(string) error { time.Sleep(3 * time.Millisecond); return nil }
			b.decider.send = func(context.Context, []payout.Payout) error { time.Sleep(70 * time.Millisecond); return nil }
			later := limiter{
				take: func(_ context.Context, n int) ([]time.Time, time.Duration, error) {
					return slices.Repeat([]time.Time{time.Now().Add(100 * time.Millisecond)}, n), 0, nil
				},
				wait: func(ctx context.Context, moment time.Time) error { pause(ctx, time.Until(moment)); return ctx.Err() },
			}
			for _, name := range []string{"a", "b"} {
				m := b.merchant(name)
				m.Send, m.Query = later, later
				p := m.Provider.(provider)
				p.send = func(context.Context, string, time.Time) finding.Finding {
					time.Sleep(300 * time.Millisecond)
					return good
				}
				m.Provider = p
			}
			b.start()
			time.Sleep(at)
			began := time.Now()
			b.stopTaking()
			synctest.Wait()
			sent := b.allSends()
			if b.stop(); b.allSends() != sent {
				t.Errorf("stopped at %v: %d were sent afterwards", at, b.allSends()-sent)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("stopped at %v, it took %v", at, took)
			}
			for no, r := range b.journal.rows {
				if sent := b.sends(no); sent > 1 || (sent == 1) != (r.State != payout.StateReceived) || r.State == payout.StateSending {
					t.Errorf("stopped at %v: %s was sent %d times and is %v", at, no, sent, r.State)
				}
			}
		})
	}
}

// When the drain time is over, calls are cut off, and the loop ends.
func TestWorkingsEndCutsCallsOff(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(20, "a")...)
		hang := func(ctx context.Context, _ string, _ time.Time) finding.Finding { <-ctx.Done(); return bad }
		b.merchant("a").Provider = provider{send: hang, ask: hang}
		b.announce.results = func(ctx context.Context, e []message.Event) ([]bool, error) {
			<-ctx.Done()
			return make([]bool, len(e)), ctx.Err()
		}
		b.journal.rows["a9999"] = &row{Payout: ended("a9999", payout.StatePaid)}
		b.start()
		time.Sleep(time.Second)
		b.stopTaking()
		time.Sleep(time.Second)
		began := time.Now()
		b.stopWorking()
		<-b.done
		if time.Since(began) > 100*time.Millisecond {
			t.Errorf("it took %v", time.Since(began))
		}
		b.stop()
		if p := b.journal.get("a0000"); p.State != payout.StateSending || p.FirstSentAt.IsZero() {
			t.Errorf("the cut call's result isn't written: %v", p.State)
		}
	})
}

// A result that its topic doesn't take even alone holds up no other, and isn't tried all
// the time: somebody must raise the topic's limit.
func TestAResultThatIsTooLargeHoldsUpNoOther(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, ended("large", payout.StatePaid), ended("a1", payout.StatePaid), ended("a2", payout.StatePaid))
		var raised atomic.Bool
		var tries atomic.Int64
		b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
			acknowledged := slices.Repeat([]bool{true}, len(events))
			var err error
			for i, e := range events {
				if e.TradeNo == "large" && !raised.Load() {
					tries.Add(1)
					acknowledged[i], err = false, fmt.Errorf("publish: %w", &message.OversizeError{Topic: "payout.results", Keys: []string{"large"}, Bytes: []int{4000}})
				}
			}
			return acknowledged, err
		}
		b.start()
		time.Sleep(25 * time.Minute)
		if b.journal.forgotten("a1") != payout.StatePaid || b.journal.forgotten("a2") != payout.StatePaid {
			t.Error("the others wait")
		}
		if n := tries.Load(); n != 3 {
			t.Errorf("tried %d times in 25 minutes", n)
		}
		if b.logged("results are too large for their topic") != 3 || b.logged("large (about 4000 bytes)") == 0 {
			t.Error("it isn't said")
		}
		if got := b.Warning(); got != "topic payout.results takes less than one message, so these are not written: large (about 4000 bytes): raise its max.message.bytes" {
			t.Errorf("%q", got)
		}
		raised.Store(true)
		time.Sleep(10 * time.Minute)
		if b.journal.forgotten("large") != payout.StatePaid {
			t.Error("it isn't announced though there is room for it now")
		}
		time.Sleep(20 * time.Minute)
		if got := b.Warning(); got != "" {
			t.Errorf("%q", got)
		}
		b.stop()
	})
}
