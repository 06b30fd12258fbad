// Package ratelimit promises that all instances together call no more often than
// agreed: within any second no more than rate × 1.02 + burst calls, and nearly all of
// the rate while there is work.
//
// The fleet shares one schedule in Redis: moments, one interval apart. An instance
// takes the next few of them, up to 100 ms ahead, and calls when each comes. A moment
// that was missed by more than the burst allows is lost and another one is taken, so a
// pause, a deploy or a lost instance never makes a burst. Without Redis nothing is
// granted, and nothing could be leased from the journal either.
//
// Beside the schedule stands the pace: what the provider said about being called too
// often (pace.go). Each grant is made with the pace that the whole fleet sees.
package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

const (
	// horizon is how far ahead moments are granted: it must cover the way from the
	// grant to the call (a lease and an acknowledged decision), and is all that a dead
	// instance can waste.
	horizon = 100 * time.Millisecond

	// leastSlack is how late a moment may be used where the burst allows none: below it
	// no timer is exact. It costs 1 % of a second's calls, half of what the promise allows.
	leastSlack = 10 * time.Millisecond

	// slowReply is how much longer than usual Redis' answer may take: its moments are
	// placed where it is received, and an instance that places them late adds to the next
	// second of the others. It is the other half of what the promise allows.
	slowReply = 10 * time.Millisecond
)

//go:embed lua/take.lua
var takeSource string

var take = redis.NewScript(takeSource)

// Rate is what the provider agreed to.
type Rate struct {
	PerSecond float64
	Burst     int // what the provider sees in a moment
}

// interval is the time between two calls; slack how much later than its moment a call
// may be made.
func (r Rate) interval() time.Duration { return time.Duration(float64(time.Second) / r.PerSecond) }

func (r Rate) slack() time.Duration {
	return max(leastSlack, time.Duration(r.Burst-1)*r.interval())
}

// Outcomes of tokens, for the metric.
const (
	Granted = "granted" // by the shared schedule
	Denied  = "denied"  // asked for, but not free yet
	Late    = "late"    // granted and not used in time: another one was taken
)

// Options say what a limiter is for.
type Options struct {
	Namespace, Name string // of the schedule, which all instances share
	Rate            Rate
	MostRest        time.Duration               // bounds what a Retry-After can ask for
	Count           func(outcome string, n int) // told what became of tokens; may be nil
	Turned          func(Turn)                  // told when the rate turns; may be nil. It must not block
}

// Limiter is one operation of one merchant. It is safe for concurrent use.
type Limiter struct {
	Options
	client redis.UniversalClient
	keys   []string // the schedule, the pace

	// own bounds what this process alone does, whatever Redis says: one that was wiped
	// or split grants the same moments again.
	own *rate.Limiter

	mu    sync.Mutex
	rate  Rate
	usual time.Duration // the shortest round trip of late, 0 before the first
	heard outlook

	slowing sync.Mutex // one at a time writes the pace: a full load is told the same at once
}

// New makes a limiter.
func New(client redis.UniversalClient, o Options) *Limiter {
	if o.Count == nil {
		o.Count = func(string, int) {}
	}
	if o.Turned == nil {
		o.Turned = func(Turn) {}
	}
	key := fmt.Sprintf("%s:{rate:%s}", o.Namespace, o.Name)
	own := rate.NewLimiter(rate.Limit(o.Rate.PerSecond), o.Rate.together())
	own.AllowN(time.Now(), o.Rate.together()) // begins empty: a deploy is no reason for a burst
	return &Limiter{Options: o, client: client, keys: []string{key, key + ":pace"}, rate: o.Rate, own: own}
}

// together is how many calls may leave at once: spacing below 10 ms is not promised.
func (r Rate) together() int {
	return max(r.Burst, int(math.Ceil(r.PerSecond*leastSlack.Seconds())), 1)
}

// Change changes what was agreed, for what is granted from now on. Instances with
// different rates share one schedule: each grant moves it on by its own interval, so that
// the fleet is between the slowest and the fastest of them.
func (l *Limiter) Change(r Rate, mostRest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.MostRest = r, mostRest
	l.own.SetLimit(rate.Limit(r.PerSecond))
	l.own.SetBurst(r.together())
}

func (l *Limiter) agreed() Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

// Take asks for up to n moments at which a call may be made, by this process' clock.
// If none is free it answers how long to wait before asking again.
func (l *Limiter) Take(ctx context.Context, n int) (moments []time.Time, wait time.Duration, err error) {
	for range paceTries {
		r, seen, rest := l.current()
		if rest > 0 {
			l.Count(Denied, n)
			return nil, rest, nil
		}
		var again bool
		if moments, wait, again, err = l.takeAt(ctx, n, r, seen); !again {
			return moments, wait, err
		}
	}
	return nil, time.Millisecond, nil // somebody keeps changing the pace
}

// takeAt asks for moments at a rate. again says that it was made of a pace that isn't
// the fleet's any more.
func (l *Limiter) takeAt(ctx context.Context, n int, r Rate, seen string) (moments []time.Time, wait time.Duration, again bool, err error) {
	interval, asked := r.interval(), time.Now()
	answer, err := take.Run(ctx, l.client, l.keys,
		micros(interval), n, micros(r.slack()/2), micros(horizon), seen).Slice() // half of the slack is left for the way to the call
	if err != nil {
		return nil, 0, false, fmt.Errorf("ratelimit: take %d of %s: %w", n, l.keys[0], err)
	}
	received := time.Now()
	now, first, granted := float(answer, 0), float(answer, 1), int(float(answer, 2))
	shared := word(answer, 4)
	l.learn(now, received, shared)
	if shared != seen {
		return nil, 0, true, nil
	}
	l.Count(Granted, granted)
	l.Count(Denied, n-granted)
	if granted == 0 {
		return nil, max(time.Millisecond, duration(float(answer, 3))), false, nil
	}
	if l.slow(received.Sub(asked)) {
		l.Count(Late, granted)
		return nil, time.Millisecond, false, nil
	}
	// Redis' now lies before this process received it, so moments come out late by at
	// most the way back, never early.
	start := received.Add(duration(first - now))
	for i := range granted {
		moments = append(moments, start.Add(time.Duration(i)*interval))
	}
	return moments, 0, false, nil
}

// slow tells whether a round trip took so much longer than usual that nobody knows when
// its moments are. What is usual follows the times: a Redis that has become slow for good
// is believed again after some tries.
func (l *Limiter) slow(took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.usual == 0 || took < l.usual {
		l.usual = max(took, 1)
	}
	slow := took > l.usual+slowReply
	l.usual += l.usual/8 + 100*time.Microsecond
	return slow
}

// Wait returns when the call that a moment was taken for may be made. A moment that
// has been missed is replaced. The error is ctx's, or Redis'; then the call must not be
// made.
func (l *Limiter) Wait(ctx context.Context, moment time.Time) error {
	for {
		if err := sleep(ctx, time.Until(moment)); err != nil {
			return err
		}
		if used, err := l.pace(ctx, moment); used {
			return err
		}
		l.Count(Late, 1)
		next, err := l.next(ctx)
		if err != nil {
			return err
		}
		moment = next
	}
}

func (l *Limiter) next(ctx context.Context) (time.Time, error) {
	for {
		moments, wait, err := l.Take(ctx, 1)
		if err != nil {
			return time.Time{}, err
		}
		if len(moments) > 0 {
			return moments[0], nil
		}
		if end, ends := ctx.Deadline(); ends && time.Until(end) <= wait {
			return time.Time{}, errNoneInTime // waiting on would only hold a slot
		}
		if err := sleep(ctx, wait); err != nil {
			return time.Time{}, err
		}
	}
}

var errNoneInTime = errors.New("ratelimit: no moment comes in time")

// pace keeps to the rate within this process, and tells whether the moment can be used
// so: one that this makes too late would meet those of other instances.
func (l *Limiter) pace(ctx context.Context, moment time.Time) (used bool, err error) {
	now, slack := time.Now(), l.agreed().slack()
	if now.Sub(moment) > slack {
		return false, nil
	}
	r := l.own.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if now.Add(delay).Sub(moment) > slack {
		r.CancelAt(now)
		return false, nil
	}
	return true, sleep(ctx, delay)
}

// sleep pauses, or answers why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
}

func duration(micros float64) time.Duration { return time.Duration(micros * float64(time.Microsecond)) }

// float reads one number of the script's answer, integer or text.
func float(answer []any, i int) float64 {
	if i >= len(answer) {
		return 0
	}
	switch v := answer[i].(type) {
	case int64:
		return float64(v)
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

// word reads one text of the script's answer.
func word(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	text, _ := answer[i].(string)
	return text
}
