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
	mostRefused = 15 * time.Minute

	// probeFor is how long a probe may be without an answer before another one is made: a
	// lease's time, its call's, and a good deal more.
	probeFor = time.Minute

	// refusedLook is how often an instance looks whether another one's probe went well.
	refusedLook = 5 * time.Second

	// refusedKept is for how long nobody need have anything to send until it is forgotten.
	refusedKept = 24 * time.Hour
)

var errRefused = errors.New("ratelimit: the provider refuses the merchant's sends: this one is not the probe")

// refusals are what the whole fleet knows of them. Its times are Redis'. The zero value:
// sends aren't refused.
type refusals struct {
	row   int       // how often in a row the sends were laid to rest
	at    time.Time // the last time
	probe time.Time // when the probe of now began to be made ready, zero for none
	until time.Time // no probe before
	token string    // of the probe, so that two who claim one at the same moment aren't both believed
}

// again is after a refusal of a call that began then: the first one lays the sends to rest,
// later ones count if they are the probe's. Others were under way before.
func (r refusals) again(began, now time.Time, first time.Duration) refusals {
	if r.row > 0 && (r.probe.IsZero() || began.Before(r.probe)) {
		return r
	}
	rest := mostRefused
	if r.row < 20 {
		rest = min(first<<r.row, mostRefused)
	}
	return refusals{row: r.row + 1, at: now, until: now.Add(rest)}
}

// accepted is after a send that began then and wasn't refused.
func (r refusals) accepted(began time.Time) refusals {
	if began.Before(r.at) { // it says nothing about now
		return r
	}
	return refusals{}
}

// claimed is with a probe of the caller's.
func (r refusals) claimed(now time.Time) refusals {
	r.probe, r.until, r.token = now, now.Add(probeFor), rand.Text()[:8]
	return r
}

// Refused passes on that the provider refuses one send after the other, of which one began
// then; or, while sends rest, that it has refused this one. first is the first rest.
func (l *Limiter) Refused(ctx context.Context, began time.Time, first time.Duration) error {
	return l.change(ctx, func(o outlook, now time.Time) pace {
		o.pace.refused = o.pace.refused.again(began.Add(o.ahead), now, first)
		return o.pace
	})
}

// Accepted passes on that the provider has not refused a send that began then.
func (l *Limiter) Accepted(ctx context.Context, began time.Time) error {
	return l.change(ctx, func(o outlook, _ time.Time) pace {
		o.pace.refused = o.pace.refused.accepted(began.Add(o.ahead))
		return o.pace
	})
}

// Refusing tells whether the fleet's sends rest because they are refused, as far as this
// instance has heard.
func (l *Limiter) Refusing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.pace.refused.row > 0
}

// refused is the error of a call that is made ready though only the probe may be made.
func (l *Limiter) refused(t *Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard.pace.refused.row > 0 && (t.probe == "" || t.probe != l.probe) {
		return errRefused
	}
	return nil
}

// takeProbe takes a ticket for the one probe of the fleet, if it is time for it.
func (l *Limiter) takeProbe(ctx context.Context) (tickets []Ticket, wait time.Duration, err error) {
	before, now := l.shared()
	if rest := before.pace.refused.until.Sub(now); rest > 0 {
		if time.Since(l.lookedAt()) > refusedLook {
			err = l.look(ctx)
		}
		return nil, min(rest, refusedLook), err
	}
	tickets, wait, err = l.take(ctx, 1)
	if len(tickets) == 0 || err != nil {
		return nil, wait, err
	}
	claim := before.pace
	claim.refused = claim.refused.claimed(now)
	won, err := l.write(ctx, before.text, claim, now)
	if !won || err != nil { // somebody else's
		return nil, refusedLook, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probe = claim.refused.token
	tickets[0].probe = l.probe
	return tickets, 0, nil
}

func (l *Limiter) lookedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reading.asked
}

// look asks Redis for the pace, and changes nothing.
func (l *Limiter) look(ctx context.Context) error {
	o, now := l.shared()
	_, err := l.write(ctx, o.text, o.pace, now)
	return err
}

// change makes the shared pace what f makes of it, unless others keep changing it.
func (l *Limiter) change(ctx context.Context, f func(o outlook, now time.Time) pace) error {
	l.slowing.Lock()
	defer l.slowing.Unlock()
	for range paceTries {
		before, now := l.shared()
		after := f(before, now)
		if after == before.pace {
			return nil
		}
		if done, err := l.write(ctx, before.text, after, now); done || err != nil {
			return err
		}
	}
	return nil // others were told the same
}

// write puts a pace in the place of the one that is seen, and tells whether it stands there.
func (l *Limiter) write(ctx context.Context, seen string, p pace, now time.Time) (bool, error) {
	matters := p.gone()
	if p.refused.row > 0 && matters.Before(p.refused.until.Add(refusedKept)) {
		matters = p.refused.until.Add(refusedKept)
	}
	asked, text := time.Now(), p.String()
	answer, err := setPace.Run(ctx, l.client, l.keys, seen, text, (max(0, matters.Sub(now)) + time.Minute).Milliseconds()).Slice()
	if err != nil {
		return false, fmt.Errorf("ratelimit: change the pace of %s: %w", l.keys[0], err)
	}
	l.learn(float(answer, 0), asked, time.Now(), word(answer, 1))
	return word(answer, 1) == text, nil
}
