package ratelimit

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

// paceTries is how often a pace that somebody else has just changed is looked at again.
// It changes once a second at most, but for pauses.
const paceTries = 4

//go:embed lua/pace.lua
var paceSource string

var setPace = redis.NewScript(paceSource)

// Direction is where a rate goes.
type Direction string

// The directions.
const (
	Slower Direction = "slower" // the provider said "too fast"
	Faster Direction = "faster" // it has said nothing of the kind for a while
	Agreed Direction = "agreed" // as fast as was agreed, again
	Rests  Direction = "rests"  // the provider asked for a pause

	Refused  Direction = "refused"  // sends rest, and then one probe is made
	Accepted Direction = "accepted" // the probe was not refused: sends go on

	// Forgotten: what was known of refusals is gone, because nothing was sent for long or Redis
	// was wiped. Sends go on, and nobody knows yet what the provider makes of them.
	Forgotten Direction = "forgotten"
)

// Turn is a change of direction.
type Turn struct {
	To   Direction
	Rate float64       // per second, of the whole fleet
	Rest time.Duration // what is left of the pause
}

// outlook is what this instance knows of the shared pace.
type outlook struct {
	text  string        // as it stands in Redis
	pace  pace          // the same, read
	ahead time.Duration // Redis' clock before ours
	going Direction     // "" = as agreed, from the start
	last  float64       // the factor when it was looked at last
	rests bool
}

// Told passes on what the provider answered to a call that began then: that it is called
// too often, or that it wants to be left alone for a while. The fleet's rate of this
// operation falls at once, and comes back slowly.
func (l *Limiter) Told(ctx context.Context, began time.Time, tooFast bool, pause time.Duration) error {
	return l.change(ctx, func(o outlook, now time.Time) pace {
		l.mu.Lock()
		perSecond, mostRest := l.rate.PerSecond, l.MostRest
		l.mu.Unlock()
		return o.pace.heard(began.Add(o.ahead), now, tooFast, pause, mostRest, perSecond)
	})
}

// PerSecond is the fleet's rate as this instance saw it last; 0 while it rests.
func (l *Limiter) PerSecond() float64 {
	r, _, rest := l.current()
	if o, now := l.shared(); rest > 0 || o.pace.refused.until.After(now) {
		return 0
	}
	return r.PerSecond
}

// current is the rate to call at, the pace that it is made of, and how long nothing may
// be asked for at all.
func (l *Limiter) current() (r Rate, seen string, rest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().Add(l.heard.ahead)
	r = l.rate
	r.PerSecond *= l.heard.pace.now(now)
	return r, l.heard.text, max(0, l.heard.pace.rest.Sub(now))
}

func (l *Limiter) shared() (o outlook, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard, time.Now().Add(l.heard.ahead)
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
		l.reading = reading{time.UnixMicro(int64(redisMicros)), asked}
	}
	o := &l.heard
	o.ahead = time.UnixMicro(int64(redisMicros)).Sub(received)
	now, before := time.UnixMicro(int64(redisMicros)), o.pace.refused.row
	if text != o.text {
		o.text, o.pace = text, readPace(text)
	}
	o.pace = o.pace.bounded(now, l.MostRest)
	turn, turned := o.turn(now)
	turn.Rate *= l.rate.PerSecond
	refused := o.pace.refused
	l.mu.Unlock()
	if turned {
		l.Turned(turn)
	}
	switch {
	case refused.row > before:
		l.Turned(Turn{To: Refused, Rest: refused.until.Sub(now)})
	case refused.row == 0 && before > 0 && text == "":
		l.Turned(Turn{To: Forgotten})
	case refused.row == 0 && before > 0:
		l.Turned(Turn{To: Accepted})
	}
}

// turn tells whether the rate goes another way than it did. Its Rate is a factor.
func (o *outlook) turn(now time.Time) (Turn, bool) {
	factor, rest := o.pace.now(now), max(0, o.pace.rest.Sub(now))
	if o.last == 0 { // the first look
		o.last = 1
	}
	going := o.going
	switch {
	case factor < o.last:
		going = Slower
	case factor == 1 && going != "":
		going = Agreed
	case factor > o.last:
		going = Faster
	}
	rests := rest > 0 && !o.rests
	turned := going != o.going && !(going == Agreed && o.going == "")
	o.last, o.going, o.rests = factor, going, rest > 0
	switch {
	case rests:
		return Turn{Rests, factor, rest}, true
	case turned:
		return Turn{going, factor, 0}, true
	}
	return Turn{}, false
}
