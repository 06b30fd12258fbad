package ratelimit

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

func TestRefusalsBackOff(t *testing.T) {
	start := time.UnixMicro(1_700_000_000_000_000)
	var r refusalPause
	now := start
	for i, rest := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 900, 900} {
		r = r.afterRefusal(now, now, 10*time.Second)
		if got := r.nextProbe.Sub(now); got != rest*time.Second || r.count != i+1 {
			t.Fatalf("after refusal %d it rests for %v", i+1, got)
		}
		if early := r.afterRefusal(now.Add(time.Second), now.Add(time.Second), 10*time.Second); early != r {
			t.Fatal("what was under way counts as a probe")
		}
		if other := r.afterAccepted(now.Add(-time.Second)); other != r {
			t.Fatal("an answer of before ends the rest")
		}
		now = r.nextProbe
		claimed := r.withProbe(now)
		if r = readThrottle(throttle{refusals: claimed}.String()).refusals; r != claimed { // as it goes through Redis
			t.Fatalf("%+v became %+v", claimed, r)
		}
		if !r.probeBegan.Equal(now) || !r.nextProbe.Equal(now.Add(probeTimeout)) {
			t.Fatalf("claimed %+v", r)
		}
		if late := r.afterRefusal(now.Add(-time.Second), now, 10*time.Second); late != r {
			t.Fatal("a call of before the probe counts as one")
		}
	}
	if r.afterAccepted(now) != (refusalPause{}) {
		t.Error("the probe went well, and sends rest")
	}
	if r = (refusalPause{count: 1000, probeBegan: now}).afterRefusal(now, now, 10*time.Second); r.nextProbe.Sub(now) != maxRefusalPause {
		t.Errorf("after a thousand it rests for %v", r.nextProbe.Sub(now))
	}
}

// With an empty account the fleet makes one probe at a time, each after a longer pause, from any
// instance. A call that was made ready before is no probe. Once there is money, all instances go on.
func TestTheFleetProbesTogether(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Hour)
		defer cancel()
		var empty atomic.Bool
		var probes, accepted atomic.Int64
		var gap atomic.Int64 // the longest between two probes
		empty.Store(true)
		last := time.Now()
		for range 3 {
			l := f.limiter()
			f.group.Go(func() {
				row := 0
				for ctx.Err() == nil {
					tickets, wait, err := l.Take(ctx, 8)
					if err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					if len(tickets) == 0 && sleep(ctx, max(wait, 100*time.Millisecond)) != nil {
						return
					}
					for i := range tickets {
						resting := l.Refusing()
						if tickets[i].Wait(ctx) != nil {
							continue
						}
						began := time.Now()
						if !empty.Load() {
							accepted.Add(1)
							row = 0
							if l.Refusing() {
								_ = l.Accepted(ctx, began)
							} else if accepted.Load() > 300 {
								return
							}
							continue
						}
						if resting {
							probes.Add(1)
							gap.Store(max(gap.Load(), int64(began.Sub(last))))
							last = began
						}
						if row++; row >= 20 || l.Refusing() {
							_ = l.Refused(ctx, began, 10*time.Second)
						}
						f.called()
					}
				}
			})
		}
		time.Sleep(3 * time.Hour)
		if n := probes.Load(); n < 15 || n > 18 {
			t.Errorf("%d probes in three hours", n)
		}
		if g := time.Duration(gap.Load()); g > 16*time.Minute {
			t.Errorf("once there was no probe for %v", g)
		}
		if n := len(f.calls) - int(probes.Load()); n > 3*20+12 {
			t.Errorf("%d calls before all had stopped", n)
		}
		empty.Store(false)
		time.Sleep(16 * time.Minute)
		if accepted.Load() < 300 {
			t.Errorf("%d sends since money is there", accepted.Load())
		}
		cancel()
	})
}

// A probe without an answer is replaced by another one.
func TestALostProbeIsReplaced(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx := context.Background()
		one, two := f.limiter(), f.limiter()
		one.Begin(ctx)
		if err := one.Refused(ctx, time.Now(), time.Second); err != nil {
			t.Fatal(err)
		}
		two.Begin(ctx)
		taken := func(l *Limiter) bool {
			tickets, _, err := l.Take(ctx, 8)
			if err != nil || len(tickets) > 1 {
				t.Fatal(tickets, err)
			}
			return len(tickets) == 1
		}
		if taken(one) || taken(two) {
			t.Fatal("probed during the rest")
		}
		time.Sleep(2 * time.Second)
		if !taken(one) || taken(two) || taken(one) {
			t.Fatal("not one probe")
		}
		time.Sleep(probeTimeout)
		if !taken(two) {
			t.Error("a lost probe ends all probing")
		}
		f.redis.FlushAll()
		time.Sleep(10 * time.Second)
		taken(one)
		if one.Refusing() {
			t.Error("a wiped Redis doesn't forget it")
		}
	})
}
