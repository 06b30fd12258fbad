package ratelimit

import (
	"context"
	"time"

	"disburser/internal/grid"
)

// Ticket is what Take returns: one call may be made ready, and Wait returns when it may be
// made.
type Ticket struct {
	limiter *Limiter

	// granted tells that the moment belongs to this ticket. Else Wait requests one, and moment only
	// tells when that can be expected.
	granted bool
	moment  grantedMoment

	// prepared counts this ticket until it is waited for or returned; nil = it doesn't count.
	prepared *preparedCalls

	// probe is the claim of the fleet's one send during a pause after refusals; "" = no probe.
	probe string
}

// Return says that the ticket's call will not be made. So another call may be made ready at once,
// or gets the moment. Once Wait was called, Return does nothing.
func (t *Ticket) Return() {
	if t.granted {
		t.granted = false
		t.limiter.giveBack(t.moment)
	}
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
	m, ours := t.moment, t.granted
	t.granted = false
	for {
		err := l.checkProbe(t)
		if err == nil && !ours {
			m, err = l.waitInQueue(ctx, ready)
			ours = err == nil
		}
		used, pause := false, time.Duration(0)
		if err == nil {
			used, pause, err = l.mayCall(ctx, t, m)
		}
		if used {
			return nil
		}
		if ours {
			l.giveBack(m)
		}
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

// mayCall waits for a moment and tells whether it can be used: what was granted may not hold any
// more. pause is then the delay before the next try.
func (l *Limiter) mayCall(ctx context.Context, t *Ticket, m grantedMoment) (used bool, pause time.Duration, err error) {
	if err = l.sleep(ctx, grid.UntilFine(m.at, l.agreed().together())); err != nil {
		return false, 0, err
	}
	if time.Since(l.lastRead()) > maxReadingAge {
		if _, _, err = l.grant(ctx, request{ahead: leastAhead}); err != nil { // grants nothing, and reads the clock
			return false, 0, err
		}
	}
	if !l.holds(m) {
		return false, 0, nil
	}
	if used, pause, err = l.keepLocalRate(ctx, m.at); !used || err != nil {
		return false, pause, err
	}
	if err = l.checkProbe(t); err != nil { // the latest reply may have brought news of a pause
		return false, 0, err
	}
	return l.holds(m), 0, nil
}
