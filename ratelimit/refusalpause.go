package ratelimit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// What the fleet does while the provider refuses one send after the other (an empty
// account, a revoked key): all sends rest, then one probe of the whole fleet looks whether
// it is over. Each probe is a payout that may end failed, so the rests double.

const (
	// mostRefused is the longest rest between two probes.
	maxRefusalPause = 15 * time.Minute

	// probeFor is how long a probe may be without an answer before another one is made: a
	// lease's time, its call's, and a good deal more.
	probeTimeout = time.Minute

	// refusedLook is how often an instance looks whether another one's probe went well.
	refusalLookEvery = 5 * time.Second

	// refusedKept is for how long nobody need have anything to send until it is forgotten.
	refusalKeptFor = 24 * time.Hour
)

var errNotTheProbe = errors.New("ratelimit: the provider refuses the merchant's sends: this one is not the probe")

// refusals are what the whole fleet knows of them. Its times are Redis'. The zero value:
// sends aren't refused.
type refusalPause struct {
	count      int       // how often in a row the sends were laid to pause
	pausedAt   time.Time // the last time
	probeBegan time.Time // when the probe of now began to be made ready, zero for none
	nextProbe  time.Time // no probe before
	token      string    // of the probe, so that two who claim one at the same moment aren't both believed
}

// again is after a refusal of a call that began then: the first one lays the sends to rest,
// later ones count if they are the probe's. Others were under way before.
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

// accepted is after a send that began then and wasn't refused.
func (r refusalPause) afterAccepted(began time.Time) refusalPause {
	if began.Before(r.pausedAt) { // it says nothing about now
		return r
	}
	return refusalPause{}
}

// claimed is with a probe of the caller's.
func (r refusalPause) withProbe(now time.Time) refusalPause {
	r.probeBegan, r.nextProbe, r.token = now, now.Add(probeTimeout), rand.Text()[:8]
	return r
}

// Refused passes on that the provider refuses one send after the other, of which one began
// then; or, while sends rest, that it has refused this one. first is the first rest.
func (l *Limiter) Refused(ctx context.Context, began time.Time, first time.Duration) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, now time.Time) throttle {
		o.throttle.refusals = o.throttle.refusals.afterRefusal(began.Add(o.clockOffset), now, first)
		return o.throttle
	})
}

// Accepted passes on that the provider has not refused a send that began then.
func (l *Limiter) Accepted(ctx context.Context, began time.Time) error {
	return l.changeThrottle(ctx, func(o sharedThrottle, _ time.Time) throttle {
		o.throttle.refusals = o.throttle.refusals.afterAccepted(began.Add(o.clockOffset))
		return o.throttle
	})
}

// Refusing tells whether the fleet's sends rest because they are refused, as far as this
// instance has heard.
func (l *Limiter) Refusing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen.throttle.refusals.count > 0
}

// refused is the error of a call that is made ready though only the probe may be made.
func (l *Limiter) checkProbe(t *Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen.throttle.refusals.count > 0 && (t.probe == "" || t.probe != l.probe) {
		return errNotTheProbe
	}
	return nil
}

// takeProbe takes a ticket for the one probe of the fleet, if it is time for it.
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
	if !won || err != nil { // somebody else's
		return nil, refusalLookEvery, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probe = claim.refusals.token
	tickets[0].probe = l.probe
	return tickets, 0, nil
}

func (l *Limiter) lastRead() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading.asked
}

// look asks Redis for the pace, and changes nothing.
func (l *Limiter) refreshThrottle(ctx context.Context) error {
	o, now := l.seenThrottle()
	_, err := l.writeThrottle(ctx, o.text, o.throttle, now)
	return err
}

// change makes the shared pace what f makes of it, unless others keep changing it.
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
	return nil // others were told the same
}

// write puts a pace in the place of the one that is seen, and tells whether it stands there.
func (l *Limiter) writeThrottle(ctx context.Context, seen string, t throttle, now time.Time) (bool, error) {
	matters := t.endsAt()
	if t.refusals.count > 0 && matters.Before(t.refusals.nextProbe.Add(refusalKeptFor)) {
		matters = t.refusals.nextProbe.Add(refusalKeptFor)
	}
	asked, text := time.Now(), t.String()
	answer, err := setThrottle.Run(ctx, l.client, l.keys, seen, text, (max(0, matters.Sub(now)) + time.Minute).Milliseconds()).Slice()
	if err != nil {
		return false, fmt.Errorf("ratelimit: change the pace of %s: %w", l.keys[0], err)
	}
	l.learn(float(answer, 0), asked, time.Now(), word(answer, 1))
	return word(answer, 1) == text, nil
}
