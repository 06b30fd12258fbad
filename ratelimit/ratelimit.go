// Package ratelimit promises that all instances together call no more often than
// agreed: within any second no more than rate × 1.02 + burst calls, and nearly all of
// the rate while there is work.
//
// The fleet shares one schedule in Redis: moments, one interval apart. A call is first
// made ready (Take reserves and answers a ticket, and the payout is leased and decided), and
// then asks for its moment, at most 20 ms ahead (Wait). So an instance that is slow, stands still or dies
// holds next to nothing, and the others make the calls that it doesn't. Only where the
// burst lets a moment be used so late that this doesn't matter does Take grant it itself.
//
// A moment that was missed by more than the slack is given back: the schedule has it
// again if it was the last one; else it may be caught up on by a call at once, a few at
// any time; else it is lost. So a pause, a deploy or a lost instance never makes a burst.
// Without Redis nothing is granted, and nothing could be leased from the journal either.
//
// Why no second has more calls at the provider than promised, R being the rate, B the
// burst, S the slack and C the catch-ups: the calls of a second are used moments of the
// schedule of that second and the slack before it, at most R (1 + S) + 1, and catch-ups.
// Each catch-up is for a moment that nobody used. If that moment lies there too, it makes
// up for its catch-up. Of pairs where it lies before there are C at most, because one is
// only made while fewer than C others were made since its moment passed. S and C share
// the burst: R S + 1 + C is at most B, so that calls leave this package at R + B a second at
// most. What is left, 2 % or 20 ms, is for moments that are placed late and for calls that
// are under way for more or less long. (Where the burst is below 10 ms of the rate, S is
// 10 ms, C is 0, and 10 ms are left.) At 200 a second and burst 5 these are
// 200 + 2 + 1 + 2, and 4 that are left.
//
// Beside the schedule stands the pace: what the provider said about being called too
// often (pace.go). Each grant is made with the pace that the whole fleet sees.
package ratelimit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"
)

const (
	// horizon is how far ahead Take grants moments: it must cover the way to the call (a
	// lease and an acknowledged decision).
	takeAhead = 100 * time.Millisecond

	// bridge is how many calls an instance makes ready: those of so long at the full rate.
	// That covers the way to the call and what holds it up, also where the others stand still.
	// longestQueue is how long calls wait for their moments while more are made ready: of
	// many instances each has a few. Both cost slots, and the latter some of the lease.
	readySpan    = 200 * time.Millisecond
	maxQueueTime = 500 * time.Millisecond

	// spare is how many more calls are made ready than the rate allows, so that those that
	// aren't made (a lease that found fewer payouts, a dead instance) are made up for. Where
	// none is lost the queue says so, and reservations pause.
	readySurplus = 1.05

	// grantAhead is how far ahead a ready call is granted its moment: it covers the answer's
	// way and the next request, and is all that an instance that stops can waste.
	waitAhead = 20 * time.Millisecond

	// lookAgain is the least time between two requests for calls that wait: two in
	// grantAhead, so that one late request leaves no gap. longestLook is the longest: rates
	// may be changed meanwhile.
	minRequestGap = waitAhead / 2
	maxRequestGap = time.Second

	// replyWay is what of the slack is left for the answer's way where moments of the past
	// are granted: a Redis and a scheduler that aren't quite idle.
	replyMargin = 5 * time.Millisecond

	// splitRest is how long the schedule rests in a new epoch: on the other half of a split
	// Redis calls that were decided before the fence may still wait for longestQueue, and are
	// then under way. A restart of Redis costs it too.
	epochPause = 2 * maxQueueTime

	// mostUnused bounds what one request gives back; only the latest can be used again.
	maxGivenBack = 16

	// directFrom is the rate from which asking twice for each batch costs something.
	directRate = 2000

	// mostCatchUp bounds what Redis keeps of catch-ups.
	maxCatchUps = 32

	// leastSlack is how late a moment may be used where the burst allows none: below it
	// no timer is exact. It costs 1 % of a second's calls, half of what the promise allows.
	minSlack = 10 * time.Millisecond

	// slowReply is how much less than usual may be known of Redis' clock: an instance that
	// places its moments late adds to the next second of the others. It is the other half of
	// what the promise allows.
	maxExtraUncertainty = 10 * time.Millisecond
)

// Rate is what the provider agreed to.
type Rate struct {
	PerSecond float64
	Burst     int // what the provider sees in a moment
}

// interval is the time between two calls; slack how much later than its moment a call
// may be made.
func (r Rate) interval() time.Duration { return time.Duration(float64(time.Second) / r.PerSecond) }

func (r Rate) slack() time.Duration {
	burst := time.Duration(r.Burst-1) * r.interval()
	if !r.grantsDirectly() {
		burst /= 2 // the other half is for catching up
	}
	return max(minSlack, burst)
}

// catchUp is how many calls may be made good at any time for moments that nobody used:
// what the burst leaves beside the slack and the call that a second may begin and end with.
func (r Rate) catchUp() int {
	left := float64(r.Burst-1) - r.PerSecond*r.slack().Seconds()
	return min(maxCatchUps, max(0, int(left+1e-6)))
}

// direct tells whether moments are granted before the call is ready: where they may be
// used as late as the way to it takes, and come so fast that asking twice costs something.
func (r Rate) grantsDirectly() bool {
	return r.PerSecond >= directRate && time.Duration(r.Burst)*r.interval() >= takeAhead
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
	MaxPause        time.Duration               // bounds what a Retry-After can ask for
	Count           func(outcome string, n int) // told what became of tokens; may be nil
	Turned          func(Turn)                  // told when the rate turns; may be nil. It must not block

	// Epoch is the number of the journal's epoch that this process is in, 0 for none; it only
	// grows. May be nil.
	Epoch func() int
}

// Limiter is one operation of one merchant. It is safe for concurrent use.
type Limiter struct {
	Options
	client  redis.UniversalClient
	keys    []string // the schedule, the pace, the queue, the catch-ups, the epoch; reservations have their own
	started time.Time

	// own bounds what this process alone does, whatever Redis says: one that was wiped
	// or split grants the same moments again.
	local *rate.Limiter

	mu               sync.Mutex
	rate             Rate
	clock            clockEstimate
	usualUncertainty time.Duration // what of late was not known of the clock at best, 0 before the first
	seen             sharedThrottle
	reading          clockReading // the latest one of Redis' clock
	probe            string       // the claim of the latest probe of this process
	queue            queue

	sleep func(context.Context, time.Duration) error // tests oversleep

	writing sync.Mutex // one at a time writes the pace: a full load is told the same at once
}

// New makes a limiter.
func New(client redis.UniversalClient, o Options) *Limiter {
	if o.Count == nil {
		o.Count = func(string, int) {}
	}
	if o.Turned == nil {
		o.Turned = func(Turn) {}
	}
	if o.Epoch == nil {
		o.Epoch = func() int { return 0 }
	}
	key := fmt.Sprintf("%s:{rate:%s}", o.Namespace, o.Name)
	own := rate.NewLimiter(rate.Limit(o.Rate.PerSecond), o.Rate.localBurst())
	own.AllowN(time.Now(), o.Rate.localBurst()) // begins empty: a deploy is no reason for a burst
	return &Limiter{Options: o, client: client, keys: []string{key, key + ":pace", key + ":queue", key + ":caught", key + ":epoch"}, started: time.Now(),
		rate: o.Rate, local: own, queue: queue{wake: make(chan struct{}, 1)}, sleep: sleep}
}

// together is how many calls may leave at once: spacing below 10 ms is not promised.
func (r Rate) localBurst() int {
	return max(r.Burst, int(math.Ceil(r.PerSecond*minSlack.Seconds())), 1)
}

// Change changes what was agreed, for what is granted from now on. Instances with
// different rates share one schedule: each grant moves it on by its own interval, so that
// the fleet is between the slowest and the fastest of them.
func (l *Limiter) Change(r Rate, maxPause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.MaxPause = r, maxPause
	l.local.SetLimit(rate.Limit(r.PerSecond))
	l.local.SetBurst(r.localBurst())
}

func (l *Limiter) agreed() Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

// Begin takes nothing. It lets the schedule begin, if it hasn't, and this process learn
// Redis' clock, which the first call would have to wait for. What goes wrong, Take tells.
func (l *Limiter) Begin(ctx context.Context) {
	_, _, _ = l.grant(ctx, request{ahead: takeAhead})
}

// Take asks for up to n tickets for calls. If none is free it answers how long to wait before
// asking again. A ticket's moment is granted already where it may be used so late that the
// way to the call doesn't matter; else it is only reserved, and Wait asks for it once the call
// is ready.
//
// While the provider refuses the sends there is one ticket for the whole fleet, for the probe
// that looks whether that is over (refused.go).
func (l *Limiter) Take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	if l.Refusing() {
		return l.takeProbe(ctx)
	}
	if tickets, wait, err = l.take(ctx, n); l.Refusing() { // it has just heard of it
		return nil, minRequestGap, err
	}
	return tickets, wait, err
}

func (l *Limiter) take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	if r := l.agreed(); r.grantsDirectly() {
		var all []grantedMoment
		all, wait, err = l.grant(ctx, request{n: n, ahead: takeAhead, callDelay: r.slack() / 2})
		for _, g := range all {
			tickets = append(tickets, Ticket{limiter: l, at: g.at, granted: true})
		}
	} else {
		tickets, wait, err = l.reserve(ctx, n)
	}
	if err == nil {
		l.Count(Denied, n-len(tickets))
	}
	return tickets, wait, err
}

// pace keeps to the rate within this process, and tells whether the moment can be used
// so: one that this makes too late would meet those of other instances, and the process
// has to rest before it tries another one.
func (l *Limiter) keepLocalRate(ctx context.Context, moment time.Time) (used bool, pause time.Duration, err error) {
	now, slack := time.Now(), l.agreed().slack()
	if now.Sub(moment) > slack {
		return false, 0, nil
	}
	r := l.local.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if now.Add(delay).Sub(moment) > slack {
		r.CancelAt(now)
		return false, delay, nil
	}
	if delay > 0 {
		if err = l.sleep(ctx, delay); err == nil && time.Since(moment) > slack { // overslept
			return false, 0, nil
		}
	}
	return true, 0, err
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
