package disburse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// doubtful is a payout of merchant a that may have been sent long ago.
func doubtful(tradeNo string) payout.Payout {
	p := order(tradeNo, "a")
	p.State, p.Step, p.Due, p.Sends = payout.StateSending, payout.StepAsk, time.Now(), 1
	p.LastSentAt = time.Now().Add(-time.Hour)
	p.SendBy = p.LastSentAt.Add(30 * time.Second)
	return p
}

func TestWhenASettledPayoutIsAskedAbout(t *testing.T) {
	type world struct {
		p        func(*payout.Payout)
		evidence leases.Evidence
		settled  finding.Finding
		deny     bool
	}
	long := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	served := finding.Finding{Kind: finding.Paid, Served: true}
	for name, c := range map[string]struct {
		world     func() world
		asked     bool
		counts    int
		believing bool
	}{
		"too early": {world: func() world {
			return world{p: func(p *payout.Payout) { p.SendBy = long(4 * time.Minute) }, settled: served}
		}},
		"too early after one":   {world: func() world { return world{p: counted(long(time.Minute)), settled: served} }, counts: 1},
		"send's end is unknown": {world: func() world { return world{p: func(p *payout.Payout) { p.SendBy = time.Time{} }, settled: served} }},
		"another was answered":  {world: func() world { return world{evidence: leases.Evidence{ServedAt: long(time.Minute), About: "a9"}} }, counts: 1},
		"nobody to ask about":   {world: func() world { return world{} }},
		"only itself":           {world: func() world { return world{evidence: leases.Evidence{ServedAt: long(0), About: "a1", Settled: "a1"}} }},
		"answered too long ago": {world: func() world { return world{evidence: evidenceAt(long(11 * time.Minute)), settled: served} }, asked: true, counts: 1},
		"before the last count": {world: func() world {
			return world{p: counted(long(6 * time.Minute)), evidence: evidenceAt(long(7 * time.Minute)), settled: served}
		}, asked: true, counts: 2},
		"the settled one is refused": {world: func() world {
			return world{evidence: evidenceAt(time.Time{}), settled: finding.Finding{Kind: finding.NoRecord}}
		}, asked: true},
		"no token for it": {world: func() world { return world{evidence: evidenceAt(time.Time{}), settled: served, deny: true} }},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				p, w := doubtful("a1"), c.world()
				if w.p != nil {
					w.p(&p)
				}
				b := newBench(t, p)
				b.journal.served["a"] = w.evidence
				b.merchant("a").Provider = provider{ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					if tradeNo == "a8" {
						return w.settled
					}
					return finding.Finding{Kind: finding.NoRecord}
				}}
				takes, l := 0, free
				l.take = func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
					if takes++; takes > 1 && w.deny {
						return nil, time.Second, nil
					}
					return free.take(ctx, n)
				}
				b.merchant("a").Query = l
				b.start()
				time.Sleep(time.Second)
				b.stop()
				if got := slices.Contains(b.noted(), "ask a8"); got != c.asked {
					t.Errorf("the settled payout was asked about: %v", got)
				}
				if got := b.journal.get("a1").NoRecords; got != c.counts {
					t.Errorf("%d answers counted, want %d", got, c.counts)
				}
			})
		})
	}
}

func counted(at time.Time) func(*payout.Payout) {
	return func(p *payout.Payout) { p.NoRecords, p.NoRecordAt = 1, at }
}

func evidenceAt(at time.Time) leases.Evidence {
	return leases.Evidence{ServedAt: at, About: "a8", Settled: "a8"}
}

func TestAbsenceIsHeldNotSentAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, doubtful("a1"))
		b.journal.served["a"] = leases.Evidence{Settled: "a8"}
		b.merchant("a").Provider = provider{ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
			if tradeNo == "a8" {
				return finding.Finding{Kind: finding.Paid, Served: true}
			}
			return finding.Finding{Kind: finding.NoRecord}
		}}
		b.start()
		time.Sleep(9 * time.Minute)
		if p := b.journal.get("a1"); p.State != payout.StateSending {
			t.Errorf("%v before three answers five minutes apart", p.State)
		}
		time.Sleep(12 * time.Minute)
		b.stop()
		if p := b.journal.get("a1"); p.State != payout.StateHeld || p.Step != payout.StepAsk || len(b.events("a1")) != 1 || b.sends("a1") != 0 {
			t.Errorf("%v, next %v, %d events, %d sends", p.State, p.Step, len(b.events("a1")), b.sends("a1"))
		}
	})
}

// While sends are broken, what was sent is still asked about.
func TestAsksGoOnWhileSendsAreBroken(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(200, "a")...)
		p := b.merchant("a").Provider.(provider)
		p.send = func(ctx context.Context, _ string, latest time.Time) finding.Finding {
			time.Sleep(time.Until(latest)) // hangs until its deadline
			return bad
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(4*time.Minute - time.Second)
		b.stop()
		sent := 0
		for i := range 200 {
			no := fmt.Sprintf("a%04d", i)
			if sent += b.sends(no); b.sends(no) == 1 && b.journal.forgotten(no) != payout.StatePaid {
				t.Errorf("%s was sent and is still %v", no, b.journal.get(no).State)
			}
		}
		// 96 slots fill before the first timeout; then three probes after 10, 20, 40 and 60 s.
		if sent < 96+9 || sent > 96+12+19 { // and before the twentieth timeout its slots are filled again
			t.Errorf("%d sends", sent)
		}
	})
}

// Refusals pause a merchant's sends; when the account works again, all of them go out.
func TestAnEmptyAccountPausesAPayroll(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(300, "a")...)
		b.config.Slots = 16
		p := b.merchant("a").Provider.(provider)
		filled := time.Now().Add(5 * time.Minute)
		p.send = func(context.Context, string, time.Time) finding.Finding {
			if time.Sleep(100 * time.Millisecond); time.Now().Before(filled) {
				return refused
			}
			return good
		}
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(5*time.Minute - time.Second)
		tried := 0
		for i := range 300 {
			tried += b.sends(fmt.Sprintf("a%04d", i))
		}
		if tried > 20+16+8 {
			t.Errorf("%d payouts were refused while the account was empty", tried)
		}
		time.Sleep(5 * time.Minute)
		b.stop()
		if n := b.journal.left(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// One merchant whose provider hangs takes neither the other's slots nor its time.
func TestAHangingMerchantLeavesTheOtherAlone(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, append(orders(1000, "a"), orders(100, "b")...)...)
		b.config.Breaker.MinRequests = 1 << 20 // no breaker to help
		hang := func(_ context.Context, _ string, latest time.Time) finding.Finding {
			time.Sleep(time.Until(latest))
			return bad
		}
		b.merchant("a").Provider = provider{send: hang, ask: hang}
		slow := b.merchant("b").Provider.(provider)
		slow.send = func(context.Context, string, time.Time) finding.Finding {
			time.Sleep(100 * time.Millisecond)
			return good
		}
		b.merchant("b").Provider = slow
		for i := range 100 {
			b.journal.rows[fmt.Sprintf("b%04d", i)].Due = time.Now().Add(5 * time.Second) // when a has all it can get
		}
		b.start()
		time.Sleep(6 * time.Second) // 16 slots and 100 ms: seven rounds
		for i := range 100 {
			if no := fmt.Sprintf("b%04d", i); b.sends(no) != 1 {
				t.Errorf("%s wasn't sent", no)
			}
		}
		time.Sleep(4 * time.Second)
		for i := range 100 {
			if no := fmt.Sprintf("b%04d", i); b.journal.forgotten(no) != payout.StatePaid {
				t.Errorf("%s is still %v", no, b.journal.get(no).State)
			}
		}
		b.stop()
	})
}

func TestEverythingDueDoesntStarveAnnouncements(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ended := doubtful("b1")
		ended.Merchant = "b"
		ended.State, ended.Step, ended.SettledAt = payout.StatePaid, payout.StepAnnounce, time.Now()
		b := newBench(t, append(orders(3000, "a"), ended)...)
		p := b.merchant("a").Provider.(provider)
		p.send = func(context.Context, string, time.Time) finding.Finding { time.Sleep(time.Second); return good }
		b.merchant("a").Provider = p
		b.start()
		time.Sleep(writeLinger + 50*time.Millisecond)
		if b.journal.forgotten("b1") != payout.StatePaid {
			t.Error("not announced")
		}
		b.stop()
	})
}

// However little can be done, the loop looks no oftener than its pause says.
func TestNothingSpins(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bench)
		dues    int // a second, at most
	}{
		"nothing is due": {func(b *bench) { clear(b.journal.rows) }, 1},
		"slots are exhausted": {func(b *bench) {
			b.config.Slots = 4
			p := b.merchant("a").Provider.(provider)
			p.send = func(_ context.Context, _ string, latest time.Time) finding.Finding {
				time.Sleep(time.Until(latest))
				return good
			}
			b.merchant("a").Provider = p
		}, 55},
		"the gate is closed": {func(b *bench) {
			b.build()
			for b.merchants["a"].sendGate.pass(1, bad) > 0 {
			}
		}, 55},
		"tokens are denied": {func(b *bench) {
			b.merchant("a").Send = limiter{wait: free.wait, take: func(context.Context, int) ([]time.Time, time.Duration, error) {
				b.note("take")
				return nil, time.Millisecond, nil
			}}
		}, 60},
		"tokens fail": {func(b *bench) {
			b.merchant("a").Send = limiter{wait: free.wait, take: func(context.Context, int) ([]time.Time, time.Duration, error) {
				b.note("take")
				return nil, 0, errRedis
			}}
		}, 55},
		"decisions fail": {func(b *bench) {
			b.decider.send = func(context.Context, []payout.Payout) error { b.note("take"); return errKafka }
		}, 70},
		"due fails":   {func(b *bench) { b.journal.fault = func(string) error { return errRedis } }, 5},
		"lease fails": {func(b *bench) { b.journal.fault = leaseFails }, 55},
		"much is scheduled": {func(b *bench) {
			for n := range 5000 {
				p := order(fmt.Sprint("x", n), "a")
				p.Due = time.Now().Add(2 * time.Millisecond * time.Duration(n))
				b.journal.rows[p.TradeNo] = &row{Payout: p}
			}
			b.merchant("a").Send = limiter{wait: free.wait, take: func(context.Context, int) ([]time.Time, time.Duration, error) {
				return nil, time.Second, nil
			}}
		}, 55},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, orders(50, "a")...)
				c.prepare(b)
				b.start()
				time.Sleep(9 * time.Second) // the gate rests for ten
				dues, takes := b.journal.called("due"), 0
				for _, what := range b.noted() {
					if what == "take" {
						takes++
					}
				}
				if dues > 9*c.dues+2 || takes > 9*55 || b.journal.called("may be due") > 9*4 {
					t.Errorf("%d looks and %d tries in 9 s", dues, takes)
				}
				b.stop()
			})
		})
	}
}

func leaseFails(op string) error {
	if op != "due" && op != "may be due" && op != "apply" {
		return errors.New("redis: OOM")
	}
	return nil
}
