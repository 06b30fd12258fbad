package ratelimit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// While the provider refuses one send after the other (an empty account, a revoked key), all
// sends of the fleet pause. Then one send of the whole fleet, the probe, tests whether sends are
// accepted again. Each probe is a payout that may end failed, so the pauses double.

const (
	// maxRefusalPause is the longest pause between two probes.
	maxRefusalPause = 15 * time.Minute

	// probeTimeout is how long a probe may have no answer before another one is made. It is
	// longer than a lease and a call together.
	probeTimeout = time.Minute

	// refusalLookEvery is how often an instance looks whether another one's probe was accepted.
	refusalLookEvery = 5 * time.Second

	// refusalKeptFor is how long the pause is stored after its last probe was due, if nobody
	// sends anything.
	refusalKeptFor = 24 * time.Hour
)

var errNotTheProbe = errors.New("ratelimit: the provider refuses the merchant's sends: this one is not the probe")

// refusalPause is the pause of the fleet's sends after refusals. Its times are on Redis' clock.
// The zero value is no pause.
type refusalPause struct {
	count      int       // pauses in a row; 0 = none
	pausedAt   time.Time // when the latest pause began
	probeBegan time.Time // when the present probe was claimed; zero = none
	nextProbe  time.Time // no probe before
	token      string    // of the probe: of two claims at the same time only one is believed
}

// afterRefusal is the pause after a refusal of a call that began at that time. first is the
// length of the first pause; each next one is twice as long. During a pause only a refusal of
// the probe counts: other calls were in flight before.
func (r refusalPause) afterRefusal(began, now time.Time, first time.Duration) refusalPause {
	if r.count > 0 && (r.probeBegan.IsZero() || began.Before(r.probeBegan)) {
		return r
	}
	pause := maxRefusalPause
	if r.count < 20 {
		pause = min(first<<r.count, maxRefusalPause)
	}
	return refusalPause{count: r.count + 1, pausedAt: now, nextProbe: now.Add(pause)}
}

// afterAccepted is the pause after a send that began at that time and was not refused: none. A
// send that began before the pause says nothing.
func (r refusalPause) afterAccepted(began time.Time) refusalPause {
	if began.Before(r.pausedAt) { // it began before the pause
		return r
	}
	return refusalPause{}
}

// withProbe is the pause with a probe claimed by this instance.
func (r refusalPause) withProbe(now time.Time) refusalPause {
	r.probeBegan, r.nextProbe, r.token = now, now.Add(probeTimeout), rand.Text()[:8]
	return r
}

// Refused reports that the provider refuses one send after the other; one of them began at that
// time. During a pause it reports that this send was refused. first is the length of the first
// pause. The error is that of Redis.
func (l *Limiter) Refused(ctx context.Context, began time.Time, first time.Duration) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, now time.Time) throttle {
		o.throttle.refusals = o.throttle.refusals.afterRefusal(began.Add(o.clockOffset), now, first)
		return o.throttle
	})
}

// Accepted reports that the provider did not refuse a send that began at that time. The error
// is that of Redis.
func (l *Limiter) Accepted(ctx context.Context, began time.Time) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, _ time.Time) throttle {
		o.throttle.refusals = o.throttle.refusals.afterAccepted(began.Add(o.clockOffset))
		return o.throttle
	})
}

// Refusing tells whether the fleet's sends pause after refusals, as far as this instance knows.
func (l *Limiter) Refusing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen.throttle.refusals.count > 0
}

// checkProbe returns an error during a pause, unless the ticket is the fleet's latest probe.
func (l *Limiter) checkProbe(t *Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen.throttle.refusals.count > 0 && (t.probe == "" || t.probe != l.probe) {
		return errNotTheProbe
	}
	return nil
}

// takeProbe returns the ticket for the fleet's one probe, if it is due. It claims the probe by
// writing the throttle. If another instance wrote first, that one has the probe.
func (l *Limiter) takeProbe(ctx context.Context) (tickets []Ticket, wait time.Duration, err error) {
	before, now := l.seenThrottle()
	if pause := before.throttle.refusals.nextProbe.Sub(now); pause > 0 {
		if time.Since(l.lastRead()) > refusalLookEvery {
			err = l.refreshThrottle(ctx)
		}
		return nil, min(pause, refusalLookEvery), err
	}
	tickets, wait, err = l.take(ctx, 1)
	if len(tickets) == 0 || err != nil {
		return nil, wait, err
	}
	claim := before.throttle
	claim.refusals = claim.refusals.withProbe(now)
	won, err := l.writeThrottle(ctx, before.text, claim, now)
	if !won || err != nil { // another instance has the probe
		return nil, refusalLookEvery, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probe = claim.refusals.token
	tickets[0].probe = l.probe
	return tickets, 0, nil
}

// lastRead is when this instance last asked Redis for the throttle.
func (l *Limiter) lastRead() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading.asked
}

// refreshThrottle reads the throttle from Redis: it writes what stands there already.
func (l *Limiter) refreshThrottle(ctx context.Context) error {
	o, now := l.seenThrottle()
	_, err := l.writeThrottle(ctx, o.text, o.throttle, now)
	return err
}

// changeThrottle replaces the fleet's throttle by the result of f. It gives up after
// throttleTries, because others then heard the same from the provider.
func (l *Limiter) changeThrottle(ctx context.Context, f func(o sharedThrottle, now time.Time) throttle) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	for range throttleTries {
		before, now := l.seenThrottle()
		after := f(before, now)
		if after == before.throttle {
			return nil
		}
		if done, err := l.writeThrottle(ctx, before.text, after, now); done || err != nil {
			return err
		}
	}
	return nil // other instances heard the same from the provider
}

// writeThrottle writes a throttle if Redis still has the one that was seen, and tells whether
// it did.
func (l *Limiter) writeThrottle(ctx context.Context, seen string, t throttle, now time.Time) (bool, error) {
	matters := t.endsAt()
	if t.refusals.count > 0 && matters.Before(t.refusals.nextProbe.Add(refusalKeptFor)) {
		matters = t.refusals.nextProbe.Add(refusalKeptFor)
	}
	asked, text := time.Now(), t.String()
	answer, err := setThrottle.Run(ctx, l.client, l.keys, seen, text, (max(0, matters.Sub(now)) + time.Minute).Milliseconds()).Slice()
	if err != nil {
		return false, fmt.Errorf("ratelimit: change the throttle of %s: %w", l.keys[0], err)
	}
	l.learn(float(answer, 0), asked, time.Now(), word(answer, 1))
	return word(answer, 1) == text, nil
}
