package ratelimit

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The fleet reacts to "you call too often" by AIMD, as TCP does: it halves its rate at once and
// raises it in small steps. That finds the rate that a provider accepts, and is fair to other
// callers. On average the fleet uses three quarters of that rate or more.
const (
	// lowerFactor is the factor of one "too fast".
	lowerFactor = 0.5

	// lowerEvery is the least time between two lowerings: calls in flight at the old rate are
	// still answered meanwhile.
	lowerEvery = time.Second

	// riseStep is how much of the agreed rate comes back every riseEvery. From half to all of
	// the rate takes 50 s. So a limit below the agreed rate is exceeded about twice a minute.
	riseStep  = 1.0 / 20
	riseEvery = 5 * time.Second

	// floorRate and floorShare are the floor: a call a second, or 1/32 of the agreed rate if
	// that is more. A slower rate would stop a payroll for good because of a gateway's answer.
	// A Retry-After can still pause it.
	floorRate  = 1.0
	floorShare = 1.0 / 32
)

// throttle is how far the fleet's rate is lowered now. Its times are on Redis' clock, so that
// all instances agree on them. The zero value is the agreed rate.
type throttle struct {
	factor      float64   // of the agreed rate, at risesFrom; 0 = never lowered
	loweredAt   time.Time // when it was lowered last
	risesFrom   time.Time // from then on it rises
	pausedUntil time.Time // until then nothing is granted

	refusals refusalPause
}

// factorAt is the factor at a moment. It rises as a function of time: nothing is written for
// it.
func (t throttle) factorAt(now time.Time) float64 {
	if t.factor == 0 {
		return 1
	}
	steps := max(0, now.Sub(t.risesFrom)) / riseEvery
	return min(1, t.factor+riseStep*float64(steps))
}

// afterAnswer is the throttle after an answer to a call that began at that time. tooFast and
// pause are what the answer said, perSecond is the agreed rate, and maxPause limits the pause.
func (t throttle) afterAnswer(began, now time.Time, tooFast bool, pause, maxPause time.Duration, perSecond float64) throttle {
	if until := now.Add(min(pause, maxPause)); pause > 0 && until.After(t.pausedUntil) {
		t.pausedUntil = until
	}
	// A call that began before the last lowering says nothing about the rate since.
	if tooFast && !began.Before(t.loweredAt) && now.Sub(t.loweredAt) >= lowerEvery {
		factor := t.factorAt(now)
		floor := min(1, max(floorRate/perSecond, floorShare))
		t.factor, t.loweredAt = min(factor, max(factor*lowerFactor, floor)), now
		t.risesFrom = now
	}
	if t.risesFrom.Before(t.pausedUntil) { // during a pause nothing shows that a higher rate is accepted
		t.factor, t.risesFrom = t.factorAt(now), t.pausedUntil
	}
	return t
}

// clockTolerance is how far off an instance's idea of Redis' clock may be when it writes a
// throttle.
const clockTolerance = time.Second

// withoutFuture corrects times that lie too far in the future, at a time just read from Redis.
// Redis' clock may have been set back after the throttle was written. A pause that ends later
// than any pause can has ended, and events of the future happened now. So nothing stops for as
// long as the clock was set back.
func (t throttle) withoutFuture(now time.Time, maxPause time.Duration) throttle {
	if t.pausedUntil.Sub(now) > maxPause+clockTolerance {
		t.pausedUntil = now
	}
	if t.risesFrom.After(now) && t.risesFrom.After(t.pausedUntil) {
		t.risesFrom = now
	}
	if t.refusals.nextProbe.Sub(now) > maxRefusalPause+clockTolerance {
		t.refusals.nextProbe = now
	}
	for _, at := range []*time.Time{&t.loweredAt, &t.refusals.pausedAt, &t.refusals.probeBegan} {
		if at.After(now) {
			*at = now
		}
	}
	return t
}

// endsAt is when the throttle has no effect any more: full rate and no pause.
func (t throttle) endsAt() time.Time {
	full := t.risesFrom.Add(time.Duration((1-t.factorAt(t.risesFrom))/riseStep+1) * riseEvery)
	if t.pausedUntil.After(full) {
		return t.pausedUntil
	}
	return full
}

// String is the text in Redis: factor, then loweredAt, risesFrom and pausedUntil in
// microseconds, then the pause after refusals, if any. It is never empty: so a throttle without
// effect differs from a lost one.
func (t throttle) String() string {
	text := fmt.Sprintf("%.6f %d %d %d", t.factor, unixMicro(t.loweredAt), unixMicro(t.risesFrom), unixMicro(t.pausedUntil))
	if r := t.refusals; r.count > 0 {
		text += fmt.Sprintf(" %d %d %d %d %s", r.count, unixMicro(r.pausedAt), unixMicro(r.probeBegan), unixMicro(r.nextProbe), cmp.Or(r.token, "-"))
	}
	return text
}

// readThrottle reads what String wrote. An unreadable text is the agreed rate.
func readThrottle(text string) throttle {
	parts := strings.Fields(text)
	if len(parts) != 4 && len(parts) != 9 {
		return throttle{}
	}
	factor, err := strconv.ParseFloat(parts[0], 64)
	if err != nil || !(factor >= 0 && factor <= 1) {
		return throttle{}
	}
	t := throttle{factor: factor}
	times, words := []*time.Time{&t.loweredAt, &t.risesFrom, &t.pausedUntil}, parts[1:4]
	if len(parts) == 9 {
		if t.refusals.count, err = strconv.Atoi(parts[4]); err != nil || t.refusals.count < 1 {
			return throttle{}
		}
		times, words = append(times, &t.refusals.pausedAt, &t.refusals.probeBegan, &t.refusals.nextProbe), append(words, parts[5:8]...)
		if parts[8] != "-" {
			t.refusals.token = parts[8]
		}
	}
	for i, to := range times {
		micros, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return throttle{}
		}
		if micros != 0 {
			*to = time.UnixMicro(micros)
		}
	}
	return t
}

// unixMicro is a time in microseconds since 1970, 0 for the zero time.
func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
