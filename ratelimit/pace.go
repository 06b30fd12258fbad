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
	lowered = 0.5

	// settling is the least time between two lowerings: what was under way at the old rate
	// is still being answered.
	settling = time.Second

	// The rate comes back by a twentieth of the agreed one every five seconds: from half to
	// all of it in 50 s, so that a limit below the agreed rate is run into twice a minute.
	stepUp      = 1.0 / 20
	stepUpEvery = 5 * time.Second

	// The floor: a call a second, or a 32nd of the agreed rate where that is more. Slower
	// would stop a payroll for good, on the word of a gateway; Retry-After can still rest it.
	leastRate  = 1.0
	leastShare = 1.0 / 32
)

// pace is how fast the fleet calls for now, by what the provider said. Its times are
// Redis', so that all instances mean the same by it. The zero pace is the agreed rate.
type pace struct {
	factor float64   // of the agreed rate, at since; 0 = it was never lowered
	at     time.Time // of the last lowering
	since  time.Time // from here on it rises again
	rest   time.Time // until here nothing is granted

	refused refusals
}

// now is the factor at a moment: nothing has to be written for the rate to rise.
func (p pace) now(now time.Time) float64 {
	if p.factor == 0 {
		return 1
	}
	steps := max(0, now.Sub(p.since)) / stepUpEvery
	return min(1, p.factor+stepUp*float64(steps))
}

// heard is the pace after an answer to a call that began then: "too fast", or "not
// again for so long", or both. perSecond is the agreed rate, mostRest bounds the pause.
func (p pace) heard(began, now time.Time, tooFast bool, pause, mostRest time.Duration, perSecond float64) pace {
	if until := now.Add(min(pause, mostRest)); pause > 0 && until.After(p.rest) {
		p.rest = until
	}
	// A call that began before the last lowering says nothing about the rate since.
	if tooFast && !began.Before(p.at) && now.Sub(p.at) >= settling {
		factor := p.now(now)
		floor := min(1, max(leastRate/perSecond, leastShare))
		p.factor, p.at = min(factor, max(factor*lowered, floor)), now
		p.since = now
	}
	if p.since.Before(p.rest) { // resting, nothing was learned of a higher rate
		p.factor, p.since = p.now(now), p.rest
	}
	return p
}

// tolerated is how inexactly an instance may know Redis' clock when it writes a pace.
const tolerated = time.Second

// bounded is the pace at a moment that Redis has just told. Its clock may have been set back
// since the pace was written: a rest that ends later than any rest can is over, and what
// happened in the future has happened now. So nothing stops for the size of the step.
func (p pace) bounded(now time.Time, mostRest time.Duration) pace {
	if p.rest.Sub(now) > mostRest+tolerated {
		p.rest = now
	}
	if p.since.After(now) && p.since.After(p.rest) {
		p.since = now
	}
	if p.refused.until.Sub(now) > mostRefused+tolerated {
		p.refused.until = now
	}
	for _, at := range []*time.Time{&p.at, &p.refused.at, &p.refused.probe} {
		if at.After(now) {
			*at = now
		}
	}
	return p
}

// gone is when nothing is left of it: full rate, no rest.
func (p pace) gone() time.Time {
	full := p.since.Add(time.Duration((1-p.now(p.since))/stepUp+1) * stepUpEvery)
	if p.rest.After(full) {
		return p.rest
	}
	return full
}

// String is how it stands in Redis: factor, then at, since and rest in microseconds. It is
// never empty, so that a pace that has ended is told from one that was lost.
func (p pace) String() string {
	text := fmt.Sprintf("%.6f %d %d %d", p.factor, unixMicro(p.at), unixMicro(p.since), unixMicro(p.rest))
	if r := p.refused; r.row > 0 {
		text += fmt.Sprintf(" %d %d %d %d %s", r.row, unixMicro(r.at), unixMicro(r.probe), unixMicro(r.until), cmp.Or(r.token, "-"))
	}
	return text
}

// readPace reads what String wrote; what nobody can read is the agreed rate.
func readPace(text string) pace {
	parts := strings.Fields(text)
	if len(parts) != 4 && len(parts) != 9 {
		return pace{}
	}
	factor, err := strconv.ParseFloat(parts[0], 64)
	if err != nil || !(factor >= 0 && factor <= 1) {
		return pace{}
	}
	p := pace{factor: factor}
	times, words := []*time.Time{&p.at, &p.since, &p.rest}, parts[1:4]
	if len(parts) == 9 {
		if p.refused.row, err = strconv.Atoi(parts[4]); err != nil || p.refused.row < 1 {
			return pace{}
		}
		times, words = append(times, &p.refused.at, &p.refused.probe, &p.refused.until), append(words, parts[5:8]...)
		if parts[8] != "-" {
			p.refused.token = parts[8]
		}
	}
	for i, to := range times {
		micros, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return pace{}
		}
		if micros != 0 {
			*to = time.UnixMicro(micros)
		}
	}
	return p
}

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
