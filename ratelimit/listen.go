package ratelimit

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

// throttleTries is how often a request is repeated because another instance just changed the
// throttle. It changes at most once a second, pauses apart.
const throttleTries = 4

//go:embed lua/throttle.lua
var throttleSource string

var setThrottle = redis.NewScript(throttleSource)

// Direction is how the fleet's rate changes, or what happens to the fleet's sends.
type Direction string

// The directions.
const (
	Slower Direction = "slower" // the provider said "too fast"
	Faster Direction = "faster" // it hasn't said so for a while
	Agreed Direction = "agreed" // the agreed rate is reached again
	Paused Direction = "rests"  // the provider asked for a pause (Retry-After)

	Refused  Direction = "refused"  // the fleet's sends pause after refusals; a probe follows
	Accepted Direction = "accepted" // the probe was not refused: sends go on

	// Forgotten tells that Redis has no throttle any more: nothing was sent for long, or Redis
	// was wiped. Sends go on, and it isn't known whether the provider accepts them.
	Forgotten Direction = "forgotten"
)

// RateChange is a change of direction.
type RateChange struct {
	To    Direction
	Rate  float64       // calls a second of the whole fleet
	Pause time.Duration // what is left of the pause, for Paused and Refused
}

// sharedThrottle is the fleet's throttle as this instance saw it last.
type sharedThrottle struct {
	text        string        // as it stands in Redis
	throttle    throttle      // text, decoded
	clockOffset time.Duration // how far Redis' clock is ahead of ours
	direction   Direction     // "" = it never left the agreed rate
	lastFactor  float64       // the factor at the last look
	paused      bool
}

// Told reports the provider's answer to a call that began at that time: "too fast", or a pause
// that it asked for, or both. The fleet's rate of this operation falls at once and rises slowly
// (AIMD). The error is that of Redis.
func (l *Limiter) Told(ctx context.Context, began time.Time, tooFast bool, pause time.Duration) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, now time.Time) throttle {
		l.mu.Lock()
		perSecond, maxPause := l.rate.PerSecond, l.MaxPause
		l.mu.Unlock()
		return o.throttle.afterAnswer(began.Add(o.clockOffset), now, tooFast, pause, maxPause, perSecond)
	})
}

// PerSecond is the fleet's rate in calls a second, as this instance saw it last; 0 during a
// pause.
func (l *Limiter) PerSecond() float64 {
	r, _, pause := l.current()
	if o, now := l.seenThrottle(); pause > 0 || o.throttle.refusals.nextProbe.After(now) {
		return 0
	}
	return r.PerSecond
}

// current returns the rate to use now, the text of the throttle that it was computed from, and
// what is left of a pause.
func (l *Limiter) current() (r Rate, seen string, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Add(l.seen.clockOffset)
	r = l.rate
	r.PerSecond *= l.seen.throttle.factorAt(now)
	return r, l.seen.text, max(0, l.seen.throttle.pausedUntil.Sub(now))
}

// seenThrottle returns the throttle as seen last, and the time on Redis' clock.
func (l *Limiter) seenThrottle() (o sharedThrottle, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen, time.Now().Add(l.seen.clockOffset)
}

// LastReading returns the latest reading of Redis' clock, and when it was requested on our clock.
// Both are zero before the first reading. Right before a call it is the reading of the grant of
// its moment.
func (l *Limiter) LastReading() (redis, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading.redis, l.reading.asked
}

// learn takes the throttle and Redis' time from a reply, and reports a change of direction.
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
	change, changed := o.detectChange(now)
	change.Rate *= l.rate.PerSecond
	refused := o.throttle.refusals
	l.mu.Unlock()
	if changed {
		l.OnChange(change)
	}
	switch {
	case refused.count > before:
		l.OnChange(RateChange{To: Refused, Pause: refused.nextProbe.Sub(now)})
	case refused.count == 0 && before > 0 && text == "":
		l.OnChange(RateChange{To: Forgotten})
	case refused.count == 0 && before > 0:
		l.OnChange(RateChange{To: Accepted})
	}
}

// detectChange tells whether the direction changed. The Rate of its RateChange is a factor of the
// agreed rate.
func (o *sharedThrottle) detectChange(now time.Time) (RateChange, bool) {
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
	changed := going != o.direction && !(going == Agreed && o.direction == "")
	o.lastFactor, o.direction, o.paused = factor, going, pause > 0
	switch {
	case pauses:
		return RateChange{Paused, factor, pause}, true
	case changed:
		return RateChange{going, factor, 0}, true
	}
	return RateChange{}, false
}
