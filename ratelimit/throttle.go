package ratelimit

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What the fleet does about "you call too often". Half at once and a little at a time
// back up finds the rate that a provider bears, and keeps many callers fair to each
// other (it is what TCP does); it settles between three quarters and all of that rate.
const (
	// lowered is the factor of one "too fast".
	lowerFactor = 0.5

	// settling is the least time between two lowerings: what was under way at the old rate
	// is still being answered.
	lowerEvery = time.Second

	// The rate comes back by a twentieth of the agreed one every five seconds: from half to
	// all of it in 50 s, so that a limit below the agreed rate is run into twice a minute.
	riseStep  = 1.0 / 20
	riseEvery = 5 * time.Second

	// The floor: a call a second, or a 32nd of the agreed rate where that is more. Slower
	// would stop a payroll for good, on the word of a gateway; Retry-After can still rest it.
	floorRate  = 1.0
	floorShare = 1.0 / 32
)

// pace is how fast the fleet calls for now, by what the provider said. Its times are
// Redis', so that all instances mean the same by it. The zero pace is the agreed rate.
type throttle struct {
	factor      float64   // of the agreed rate, at since; 0 = it was never lowered
	loweredAt   time.Time // of the last lowering
	risesFrom   time.Time // from here on it rises again
	pausedUntil time.Time // until here nothing is granted

	refusals refusalPause
}

// now is the factor at a moment: nothing has to be written for the rate to rise.
func (t throttle) factorAt(now time.Time) float64 {
	if t.factor == 0 {
		return 1
	}
	steps := max(0, now.Sub(t.risesFrom)) / riseEvery
	return min(1, t.factor+riseStep*float64(steps))
}

// heard is the pace after an answer to a call that began then: "too fast", or "not
// again for so long", or both. perSecond is the agreed rate, maxPause bounds the pause.
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
	if t.risesFrom.Before(t.pausedUntil) { // resting, nothing was learned of a higher rate
		t.factor, t.risesFrom = t.factorAt(now), t.pausedUntil
	}
	return t
}

// tolerated is how inexactly an instance may know Redis' clock when it writes a pace.
const clockTolerance = time.Second

// bounded is the pace at a moment that Redis has just told. Its clock may have been set back
// since the pace was written: a rest that ends later than any rest can is over, and what
// happened in the future has happened now. So nothing stops for the size of the step.
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

// gone is when nothing is left of it: full rate, no rest.
func (t throttle) endsAt() time.Time {
	full := t.risesFrom.Add(time.Duration((1-t.factorAt(t.risesFrom))/riseStep+1) * riseEvery)
	if t.pausedUntil.After(full) {
		return t.pausedUntil
	}
	return full
}

// String is how it stands in Redis: factor, then at, since and rest in microseconds. It is
// never empty, so that a pace that has ended is told from one that was lost.
func (t throttle) String() string {
	text := fmt.Sprintf("%.6f %d %d %d", t.factor, unixMicro(t.loweredAt), unixMicro(t.risesFrom), unixMicro(t.pausedUntil))
	if r := t.refusals; r.count > 0 {
		text += fmt.Sprintf(" %d %d %d %d %s", r.count, unixMicro(r.pausedAt), unixMicro(r.probeBegan), unixMicro(r.nextProbe), cmp.Or(r.token, "-"))
	}
	return text
}

// readPace reads what String wrote; what nobody can read is the agreed rate.
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

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
