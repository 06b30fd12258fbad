package ratelimit

import (
	"context"
	"time"
)

// Ticket is what Take returns: one call may be made ready, and Wait returns when it may be
// made.
type Ticket struct {
	limiter *Limiter
	at      time.Time // its moment, or when that can be expected, on our clock

	// granted tells that the moment belongs to this ticket. Else it is only reserved, and Wait
	// requests one.
	granted bool

	// prepared counts this ticket until it is waited for or returned; nil = it doesn't count.
	prepared *preparedCalls

	// probe is the claim of the fleet's one send during a pause after refusals; "" = no probe.
	probe string
}

// Return says that the ticket's call will not be made. So another call may be made ready at once.
// Once Wait was called, Return does nothing.
func (t *Ticket) Return() {
	if t.prepared != nil {
		t.limiter.unprepare(t.prepared, false)
		t.prepared = nil
	}
}

// Wait returns when the ticket's call may be made. The call must be ready. On an error it must
// not be made; the error is ctx's or that of Redis, or says that the provider refuses sends.
func (t *Ticket) Wait(ctx context.Context) error {
	l, ready := t.limiter, time.Now()
	if t.prepared != nil {
		l.unprepare(t.prepared, true)
		t.prepared = nil
		defer l.endWait()
	}
	m, ours := grantedMoment{at: t.at}, t.granted
	for {
		err := l.checkProbe(t)
		if err != nil {
			return err
		}
		if !ours {
			if m, err = l.waitInQueue(ctx, ready); err != nil {
				return err
			}
		}
		used, pause := false, time.Duration(0)
		if err = l.sleep(ctx, time.Until(m.at)); err == nil {
			used, pause, err = l.keepLocalRate(ctx, m.at)
		}
		if used && err == nil {
			err = l.checkProbe(t) // the grant may have brought news of a pause
		}
		if used {
			return err
		}
		l.giveBack(m)
		if err != nil {
			return err
		}
		l.Count(Late, 1)
		if err = l.sleep(ctx, max(pause, time.Millisecond)); err != nil { // no busy loop, whatever the clocks say
			return err
		}
		ours = false
	}
}
