package disburse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
)

var errKafka = errors.New("kafka is away")

func TestNothingIsSentBeforeItsDecision(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(300, "a")...)
		b.decider.send = func(context.Context, []payout.Payout) error { time.Sleep(time.Second); return nil }
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		trace := b.noted()
		for i := range 300 {
			no := fmt.Sprintf("a%04d", i)
			decided, sent := slices.Index(trace, "send decided "+no), slices.Index(trace, "send "+no)
			if decided < 0 || sent < decided || b.sends(no) != 1 || b.journal.forgotten(no) != payout.StatePaid {
				t.Fatalf("%s: decided %d, sent %d, %d times, ended %v", no, decided, sent, b.sends(no), b.journal.forgotten(no))
			}
		}
	})
}

func TestADecisionThatFails(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"at once":               func(context.Context) error { return errKafka },
		"after its time":        func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"with the epoch's end":  func(context.Context) error { return fmt.Errorf("fenced: %w", epochs.ErrOver) },
		"with a broken program": func(context.Context) error { panic("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, orders(5, "a")...)
				var tries []time.Time
				b.decider.send = func(ctx context.Context, _ []payout.Payout) error {
					if tries = append(tries, time.Now()); len(tries) <= 8 {
						return fail(ctx)
					}
					return nil
				}
				b.start()
				time.Sleep(200 * time.Millisecond)
				if p := b.journal.get("a0000"); name == "at once" && (p.State != payout.StateReceived || p.Sends != 0 || !p.Unacknowledged) {
					t.Errorf("not given back as unacknowledged: %v, sent %d times, unacknowledged %v", p.State, p.Sends, p.Unacknowledged)
				}
				if name == "with a broken program" { // these stay sending and are asked about
					time.Sleep(time.Minute)
					if b.journal.forgotten("a0000") != payout.StatePaid || b.sends("a0000") != 0 {
						t.Error("a batch whose lane panicked wasn't asked about")
					}
					b.stop()
					return
				}
				time.Sleep(5 * time.Minute)
				b.stop()
				if len(tries) != 9 || b.sends("a0000") != 1 || b.journal.forgotten("a0000") != payout.StatePaid {
					t.Fatalf("%d tries, %d sends, %v", len(tries), b.sends("a0000"), b.journal.forgotten("a0000"))
				}
				for i := 1; i < 9; i++ {
					if gap := tries[i].Sub(tries[i-1]); gap < min(leastBackoff<<(i-1), mostBackoff) {
						t.Errorf("the lane rested only %v after failure %d", gap, i)
					}
				}
				if name == "with the epoch's end" && b.lost.Load() == 0 {
					t.Error("nobody was told of the epoch's end")
				}
			})
		})
	}
}

// A decision that comes too late leaves no time for the calls; nothing is sent then.
func TestADecisionThatComesTooLate(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(5, "a")...)
		first := true
		b.decider.send = func(ctx context.Context, _ []payout.Payout) error {
			if !first {
				return nil
			}
			first = false
			time.Sleep(29 * time.Second) // deaf to its context
			return nil
		}
		b.start()
		time.Sleep(27 * time.Second)
		if b.sends("a0000") != 0 {
			t.Error("sent before its decision")
		}
		time.Sleep(time.Minute)
		b.stop()
		if b.sends("a0000") > 1 {
			t.Error("sent twice")
		}
	})
}

// A call that begins late ends before the lease's margin all the same.
func TestALateCallEndsBeforeTheMargin(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, order("a1", "a"))
		b.decider.send = func(context.Context, []payout.Payout) error { time.Sleep(17 * time.Second); return nil }
		slow := free
		slow.wait = func(ctx context.Context, _ time.Time) error { pause(ctx, 4*time.Second); return ctx.Err() }
		b.merchant("a").Send = slow
		began := time.Now()
		p := b.merchant("a").Provider.(provider)
		p.send = func(_ context.Context, _ string, latest time.Time) finding.Finding {
			if latest.Sub(began) != 28*time.Second {
				t.Errorf("it may take until %v after its lease began", latest.Sub(began))
			}
			return good
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(time.Minute)
		if b.stop(); b.sends("a1") != 1 {
			t.Errorf("%d sends", b.sends("a1"))
		}
	})
}

func TestALimiterThatWaitsPastTheDeadline(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(5, "a")...)
		slow := free
		slow.wait = func(ctx context.Context, _ time.Time) error { <-ctx.Done(); return ctx.Err() }
		b.merchant("a").Send = slow
		b.start()
		time.Sleep(29 * time.Second)
		if p := b.journal.get("a0000"); p.State != payout.StateReceived && p.Sends > 1 {
			t.Errorf("not given back: %v", p.State)
		}
		b.stop()
		if p := b.journal.get("a0000"); b.sends("a0000") != 0 || p.State != payout.StateReceived || p.Sends != 0 {
			t.Errorf("%d calls, %v, sent %d times", b.sends("a0000"), p.State, p.Sends)
		}
	})
}

func TestATakenOverResultIsReportedAndNotRetried(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, order("a1", "a"))
		p := b.merchant("a").Provider.(provider)
		p.send = func(context.Context, string, time.Time) finding.Finding {
			b.journal.mu.Lock()
			defer b.journal.mu.Unlock()
			b.journal.rows["a1"].token, b.journal.rows["a1"].until = "another", time.Now().Add(time.Hour)
			b.journal.rows["a1"].Due = time.Now().Add(time.Hour)
			return good
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(10 * time.Second)
		b.stop()
		if b.logged("taken this payout over") != 1 || b.journal.called("apply") != 1 || b.journal.get("a1").State != payout.StateSending {
			t.Errorf("logged %d times, %d writes, %v", b.logged("taken this payout over"), b.journal.called("apply"), b.journal.get("a1").State)
		}
	})
}

func TestNotSentIsReceivedAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, order("a1", "a"))
		p := b.merchant("a").Provider.(provider)
		calls := 0
		p.send = func(context.Context, string, time.Time) finding.Finding {
			if calls++; calls < 3 {
				return finding.Finding{Kind: finding.NotSent}
			}
			return good
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(500 * time.Millisecond)
		if got := b.journal.get("a1"); got.State != payout.StateReceived || got.Sends != 0 {
			t.Errorf("%v, sent %d times", got.State, got.Sends)
		}
		time.Sleep(time.Minute)
		b.stop()
		if calls != 3 || b.journal.forgotten("a1") != payout.StatePaid {
			t.Errorf("%d calls, ended %v", calls, b.journal.forgotten("a1"))
		}
	})
}

func TestAPanicInTheProviderIsSurvived(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(40, "a")...)
		p := b.merchant("a").Provider.(provider)
		p.send = func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
			if tradeNo < "a0010" {
				panic("broken")
			}
			return good
		}
		ask, asked := p.ask, atomic.Int64{}
		p.ask = func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding {
			if asked.Add(1) < 5 {
				panic("broken too")
			}
			return ask(ctx, tradeNo, latest)
		}
		b.merchant("a").Provider = p
		b.config.Slots = 8
		b.start()
		time.Sleep(5 * time.Minute)
		b.stop()
		for i := range 40 {
			if no := fmt.Sprintf("a%04d", i); b.sends(no) != 1 || b.journal.forgotten(no) != payout.StatePaid {
				t.Errorf("%s: %d sends, ended %v", no, b.sends(no), b.journal.forgotten(no))
			}
		}
		if b.logged("panic in a send") != 10 || b.logged("panic in an ask") != 4 {
			t.Errorf("%d and %d panics logged", b.logged("panic in a send"), b.logged("panic in an ask"))
		}
	})
}

// A lease whose answer is lost leaves its payouts sending: asked about, never sent.
func TestALostLeaseIsAskedAbout(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(3, "a")...)
		lost := 0
		b.journal.lost = func(op string) error {
			if lost++; op == "lease" && lost == 1 {
				return errors.New("redis: i/o timeout")
			}
			return nil
		}
		b.start()
		time.Sleep(5 * time.Minute)
		b.stop()
		if b.sends("a0000") != 0 || b.journal.forgotten("a0000") != payout.StatePaid {
			t.Errorf("%d sends, ended %v", b.sends("a0000"), b.journal.forgotten("a0000"))
		}
	})
}

// The whole machine under faults: two instances on one journal, each call of which may
// fail before or after it has taken effect. Nobody is paid twice, nobody is lost.
func TestNobodyIsSentTwiceUnderFaults(t *testing.T) {
	for seed := range 6 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { inTime(t, func(t *testing.T) { underFaults(t, uint64(seed)) }) })
	}
}

func TestMetricsShowZerosBeforeTheFirstFailure(t *testing.T) {
	b := newBench(t)
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[f.GetName()+" "+strings.Join(labels, " ")] = true
		}
	}
	for _, merchant := range []string{"a", "b"} {
		for operation, kinds := range map[string][]finding.Kind{"send": finding.SendKinds, "query": finding.AskKinds} {
			for _, k := range kinds {
				got["want disburser_provider_requests_total "+k.String()+" "+merchant+" "+operation] = true
			}
			got["want disburser_breaker_state "+merchant+" "+operation] = true
		}
		for _, e := range message.EventTypes {
			got["want disburser_results_total "+merchant+" "+string(e)] = true
			if e != message.EventRejected {
				got["want disburser_contradictions_total "+merchant+" "+string(e)] = true
			}
		}
	}
	got["want disburser_results_total unknown payout.rejected"] = true
	got["want disburser_slots busy"], got["want disburser_slots free"] = true, true
	for name := range got {
		if wanted, found := strings.CutPrefix(name, "want "); found && !got[wanted] {
			t.Errorf("not created: %s", wanted)
		}
	}
}
