// Package ratelimit promises that all instances together call no more often than agreed. Within
// any second the provider sees at most rate × 1.02 + burst calls. While there is work, nearly
// all of the rate is used.
//
// The fleet shares one schedule in Redis: it grants moments for calls, one interval apart
// (virtual scheduling, as in GCRA). Take reserves a call and returns a Ticket. When the call is
// ready, Ticket.Wait gets its moment. TakeNow gets moments for calls that are ready already.
//
// Moments are granted at most 250 ms ahead, and only as far as the burst can make up for them. So
// an instance that is slow or dies wastes little of the rate, and the others use the rest. A
// missed moment is used again if possible; it never makes a burst later. What was granted ahead
// and isn't allowed any more is not used. Without Redis nothing is granted.
//
// The throttle lowers the rate of the whole fleet when the provider says "too fast"
// (throttle.go). Why the promise holds stands in docs/design.md, "Why the rate's promise
// holds".
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
	// mostAhead is how far ahead moments are granted at most, at any rate.
	mostAhead = 250 * time.Millisecond

	// leastAhead is how far ahead moments are granted at least. It covers the reply of Redis and
	// the time to the next request.
	leastAhead = 20 * time.Millisecond

	// aheadMoments is how many moments an instance has at most, where leastAhead isn't longer.
	aheadMoments = 5

	// prepareSpan covers the time from Take to the call: a lease and an acknowledged decision.
	prepareSpan = 100 * time.Millisecond

	// maxQueueTime is how long calls may wait for their moments while more are made ready. It
	// is that long because each of many instances has a few. Calls that wait occupy slots, and
	// use up some of their leases.
	maxQueueTime = 500 * time.Millisecond

	// readySurplus is how many more calls are made ready than the rate allows: 5 %. They
	// replace calls that are reserved and never made, because a lease found fewer payouts or an
	// instance died. If none is lost, the queue grows and reservations pause.
	readySurplus = 1.05

	// minRequestGap is the least time between two requests for calls that wait. Half of
	// leastAhead, so that one late request leaves no gap. maxRequestGap is the longest, because
	// the rate may be changed meanwhile.
	minRequestGap = leastAhead / 2

	// requestLead is how long before the last granted moment the next ones are requested.
	requestLead   = 25 * time.Millisecond
	maxRequestGap = time.Second

	// replyMargin is the part of the slack that is left for the reply of Redis when past
	// moments are granted. 5 ms are enough for a Redis and a scheduler with some load.
	replyMargin = 5 * time.Millisecond

	// epochPause is how long the schedule grants nothing in a new epoch. If Redis is split,
	// calls decided on its other half may still wait for maxQueueTime, and are then in flight.
	// A restart of Redis costs this pause too.
	epochPause = 2 * maxQueueTime

	// maxReadingAge is how long before a call Redis' clock was read at the latest. A machine that
	// stopped with its clocks learns from it that its lease is over.
	maxReadingAge = mostAhead + 50*time.Millisecond

	// maxGivenBack limits how many moments one request gives back. Only the latest can be used
	// again.
	maxGivenBack = 16

	// directRate is the rate, in calls a second, from which a second request for each leased
	// group costs too much.
	directRate = 2000

	// maxCatchUps limits how many catch-ups Redis stores.
	maxCatchUps = 32

	// minSlack is the slack where the burst allows none, because timers are not more exact. It
	// costs 1 % of a second's calls, half of the 2 % that the promise allows.
	minSlack = 10 * time.Millisecond

	// maxExtraUncertainty is how much greater than usual the clock uncertainty may be. An
	// instance that places its moments too late adds calls to the next second of the others. 10
	// ms are the other half of the 2 %.
	maxExtraUncertainty = 10 * time.Millisecond
)

// Rate is what the provider agreed to.
type Rate struct {
	PerSecond float64 // calls a second, more than 0
	Burst     int     // calls that the provider may see at one moment, at least 1
}

// interval is the time between two moments.
func (r Rate) interval() time.Duration { return time.Duration(float64(time.Second) / r.PerSecond) }

// slack is how much later than its moment a call may be made.
func (r Rate) slack() time.Duration {
	burst := time.Duration(r.Burst-1) * r.interval()
	if !r.fast() {
		burst /= 2 // the other half is for catch-ups
	}
	return max(minSlack, burst)
}

// together is how much later than its moment a call may be made so that others are made with it: a
// quarter of the slack. What is left is for whatever else delays it.
func (r Rate) together() time.Duration { return r.slack() / 4 }

// replyDelay is the part of the slack that is not used for past moments if their calls are ready.
func (r Rate) replyDelay() time.Duration { return min(replyMargin, r.slack()/2) }

// catchUp is how many catch-ups are allowed at any time. A catch-up is a call made at once for
// a past moment that nobody used. The limit is what the burst leaves besides the slack and one
// call.
func (r Rate) catchUp() int {
	left := float64(r.Burst-1) - r.PerSecond*r.slack().Seconds()
	return min(maxCatchUps, max(0, int(left+1e-6)))
}

// ahead is how far ahead moments are granted. An instance that stops misses those that it has.
// The slack and catch-ups make up for most of them. More than aheadMoments would cost more of the
// rate than requests are worth.
func (r Rate) ahead() time.Duration {
	least := leastAhead
	if r.grantsDirectly() {
		least = prepareSpan
	}
	recovered := leastAhead + r.slack() + 2*time.Duration(r.catchUp())*r.interval()
	return min(mostAhead, max(least, min(recovered, aheadMoments*r.interval())))
}

// lostAhead is how much later a schedule begins that was lost. It begins behind all moments that instances
// still have. Those of version 0.1 may have some that are prepareSpan ahead, at any rate.
func (r Rate) lostAhead() time.Duration { return max(prepareSpan, r.ahead()) }

// fast tells whether a second request for each leased group costs too much. The slack must be
// longer than the time from Take to the call.
func (r Rate) fast() bool {
	return r.PerSecond >= directRate && time.Duration(r.Burst)*r.interval() >= prepareSpan
}

// grantsDirectly tells whether Take grants moments itself, before the call is ready. It does so
// if a moment may be used long after that: a machine may stand still besides.
func (r Rate) grantsDirectly() bool {
	return r.fast() || time.Duration(r.Burst-1)*r.interval()/2 >= 2*prepareSpan
}

// Outcomes of requests for moments, used as values of a metric's label.
const (
	Granted = "granted" // the shared schedule granted a moment
	Denied  = "denied"  // no moment was free yet
	Late    = "late"    // a moment was granted and not used in time, and another one was requested
)

// Options are what a limiter needs.
type Options struct {
	Namespace, Name string // they name the schedule, which all instances share
	Rate            Rate
	MaxPause        time.Duration               // the longest pause that a Retry-After can ask for
	Count           func(outcome string, n int) // counts outcomes for the metric; may be nil
	OnChange        func(RateChange)            // is called when the fleet's rate changes direction; may be nil; must not block

	// Epoch returns the number of the journal's epoch of this process, 0 for none. It only
	// grows. May be nil.
	Epoch func() int
}

// Limiter limits one operation (send or query) of one merchant. It is safe for concurrent use.
type Limiter struct {
	Options
	client  redis.Scripter
	keys    []string  // the schedule, the throttle, the queue, the catch-ups, the epoch; reservations have their own
	started time.Time // the zero of this process' clock readings

	// local limits the calls of this process alone (a token bucket). A Redis that was wiped or
	// split grants the same moments twice.
	local *rate.Limiter

	mu               sync.Mutex
	rate             Rate
	clock            clockEstimate
	usualUncertainty time.Duration  // least clock uncertainty of late; 0 = none yet
	seen             sharedThrottle // the throttle as this instance saw it last
	reading          clockReading   // the latest one
	probe            string         // the claim of this process' latest probe
	queue            queue
	ready            readyCalls
	turns            directTurns

	sleep func(context.Context, time.Duration) error // replaced by tests that sleep too long

	writing sync.Mutex // one goroutine at a time writes the throttle: many calls hear the same at once
}

// New makes a limiter. It requests nothing from Redis.
func New(client redis.Scripter, o Options) *Limiter {
	if o.Count == nil {
		o.Count = func(string, int) {}
	}
	if o.OnChange == nil {
		o.OnChange = func(RateChange) {}
	}
	if o.Epoch == nil {
		o.Epoch = func() int { return 0 }
	}
	key := scheduleKey(o)
	own := rate.NewLimiter(rate.Limit(o.Rate.PerSecond), o.Rate.localBurst())
	own.AllowN(time.Now(), o.Rate.localBurst()) // begin without tokens: a restart must not cause a burst
	return &Limiter{Options: o, client: client, keys: []string{key, throttleOf(key), key + ":queue", key + ":caught", key + ":epoch"}, started: time.Now(),
		rate: o.Rate, local: own, queue: queue{wake: make(chan struct{}, 1)}, sleep: sleep}
}

// scheduleKey names the schedule in Redis.
func scheduleKey(o Options) string { return fmt.Sprintf("%s:{rate:%s}", o.Namespace, o.Name) }

// throttleOf names the throttle of a schedule.
func throttleOf(schedule string) string { return schedule + ":pace" }

// localBurst is how many calls may leave this process at once. It covers 10 ms of the rate,
// because shorter gaps are not promised.
func (r Rate) localBurst() int {
	return max(r.Burst, int(math.Ceil(r.PerSecond*minSlack.Seconds())), 1)
}

// Change changes the agreed rate for moments granted from now on. Instances with different
// rates share one schedule: each grant moves it on by the interval of its instance. So the
// fleet's rate is between that of the slowest and of the fastest instance.
func (l *Limiter) Change(r Rate, maxPause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.MaxPause, l.turns = r, maxPause, directTurns{}
	l.local.SetLimit(rate.Limit(r.PerSecond))
	l.local.SetBurst(r.localBurst())
}

// agreed returns the agreed rate, without the throttle.
func (l *Limiter) agreed() Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

// Begin starts the schedule, if it isn't running, and reads Redis' clock. Otherwise the first
// call would wait for both. It takes no moment. It returns no error, because the next Take
// does.
func (l *Limiter) Begin(ctx context.Context) {
	_, _, _ = l.grant(ctx, request{ahead: leastAhead})
}

// Take requests tickets for up to n calls. If there is none, wait is the time until it should
// be called again. The error is that of Redis.
//
// A ticket's moment is usually only reserved, and Wait requests it once the call is ready.
// Where a moment may be used later than the time from Take to the call, Take grants it itself.
//
// While the fleet's sends pause after refusals, there is one ticket for the whole fleet: the
// probe (refusalpause.go).
func (l *Limiter) Take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	if l.Refusing() {
		return l.takeProbe(ctx)
	}
	tickets, wait, err = l.take(ctx, n)
	return l.unlessRefusing(tickets, wait, err)
}

// keepLocalRate keeps the rate of this process, and tells whether the moment can still be used.
// If this delays the call beyond the slack, the moment is lost: the call would meet those of
// other instances. pause is then the delay before the next try.
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
		if err = l.sleep(ctx, delay); err == nil && time.Since(moment) > slack { // the sleep took too long
			return false, 0, nil
		}
	}
	return true, 0, err
}

// sleep waits for d, or until ctx ends; then it returns ctx's cause.
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
