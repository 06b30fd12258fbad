package ratelimit

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

// paceTries is how often a pace that somebody else has just changed is looked at again.
// It changes once a second at most, but for pauses.
const throttleTries = 4

//go:embed lua/throttle.lua
var throttleSource string

var setThrottle = redis.NewScript(throttleSource)

// Direction is where a rate goes.
type Direction string

// The directions.
const (
	Slower Direction = "slower" // the provider said "too fast"
	Faster Direction = "faster" // it has said nothing of the kind for a while
	Agreed Direction = "agreed" // as fast as was agreed, again
	Paused Direction = "rests"  // the provider asked for a pause

	Refused  Direction = "refused"  // sends rest, and then one probe is made
	Accepted Direction = "accepted" // the probe was not refused: sends go on

	// Forgotten: what was known of refusals is gone, because nothing was sent for long or Redis
	// was wiped. Sends go on, and nobody knows yet what the provider makes of them.
	Forgotten Direction = "forgotten"
)

// Turn is a change of direction.
type Turn struct {
	To    Direction
	Rate  float64       // per second, of the whole fleet
	Pause time.Duration // what is left of the pause
}

// outlook is what this instance knows of the shared pace.
type sharedThrottle struct {
	text        string        // as it stands in Redis
	throttle    throttle      // the same, read
	clockOffset time.Duration // Redis' clock before ours
	direction   Direction     // "" = as agreed, from the start
	lastFactor  float64       // the factor when it was looked at last
	paused      bool
}

// Told passes on what the provider answered to a call that began then: that it is called
// too often, or that it wants to be left alone for a while. The fleet's rate of this
// operation falls at once, and comes back slowly.
func (l *Limiter) Told(ctx context.Context, began time.Time, tooFast bool, pause time.Duration) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, now time.Time) throttle {
		l.mu.Lock()
		perSecond, maxPause := l.rate.PerSecond, l.MaxPause
		l.mu.Unlock()
		return o.throttle.afterAnswer(began.Add(o.clockOffset), now, tooFast, pause, maxPause, perSecond)
	})
}

// PerSecond is the fleet's rate as this instance saw it last; 0 while it rests.
func (l *Limiter) PerSecond() float64 {
	r, _, pause := l.current()
	if o, now := l.seenThrottle(); pause > 0 || o.throttle.refusals.nextProbe.After(now) {
		return 0
	}
	return r.PerSecond
}

// current is the rate to call at, the pace that it is made of, and how long nothing may
// be asked for at all.
func (l *Limiter) current() (r Rate, seen string, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Add(l.seen.clockOffset)
	r = l.rate
	r.PerSecond *= l.seen.throttle.factorAt(now)
	return r, l.seen.text, max(0, l.seen.throttle.pausedUntil.Sub(now))
}

func (l *Limiter) seenThrottle() (o sharedThrottle, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen, time.Now().Add(l.seen.clockOffset)
}

// Heard is the latest reading of Redis' clock, and when it was asked for by this process';
// both zero before the first. Right before a call it is what the grant of its moment said.
func (l *Limiter) Heard() (redis, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading.redis, l.reading.asked
}

// learn takes in the shared pace and Redis' clock, and tells of a turn.
func (l *Limiter) learn(redisMicros float64, asked, received time.Time, text string) {
	l.mu.Lock()
	if asked.After(l.reading.asked) {
		l.reading = clockReading{time.UnixMicro(int64(redisMicros)), asked}
	}
	o := &l.seen
	o.clockOffset = time.UnixMicro(int64(redisMicros)).Sub(received)
	now, before := time.UnixMicro(int64(redisMicros)), o.throttle.refusals.count
	if text != o.text {
		o.text, o.throttle = text, readThrottle(text)
	}
	o.throttle = o.throttle.withoutFuture(now, l.MaxPause)
	turn, turned := o.detectTurn(now)
	turn.Rate *= l.rate.PerSecond
	refused := o.throttle.refusals
	l.mu.Unlock()
	if turned {
		l.Turned(turn)
	}
	switch {
	case refused.count > before:
		l.Turned(Turn{To: Refused, Pause: refused.nextProbe.Sub(now)})
	case refused.count == 0 && before > 0 && text == "":
		l.Turned(Turn{To: Forgotten})
	case refused.count == 0 && before > 0:
		l.Turned(Turn{To: Accepted})
	}
}

// turn tells whether the rate goes another way than it did. Its Rate is a factor.
func (o *sharedThrottle) detectTurn(now time.Time) (Turn, bool) {
	factor, pause := o.throttle.factorAt(now), max(0, o.throttle.pausedUntil.Sub(now))
	if o.lastFactor == 0 { // the first look
		o.lastFactor = 1
	}
	going := o.direction
	switch {
	case factor < o.lastFactor:
		going = Slower
	case factor == 1 && going != "":
		going = Agreed
	case factor > o.lastFactor:
		going = Faster
	}
	pauses := pause > 0 && !o.paused
	turned := going != o.direction && !(going == Agreed && o.direction == "")
	o.lastFactor, o.direction, o.paused = factor, going, pause > 0
	switch {
	case pauses:
		return Turn{Paused, factor, pause}, true
	case turned:
		return Turn{going, factor, 0}, true
	}
	return Turn{}, false
}
