package ratelimit

import (
	"context"
	"time"
)

// Ticket is an answer to Take: one call may be made ready, and Wait says when it may be made.
// It knows what it stands for, so that nobody has to find that out from its time.
type Ticket struct {
	limiter *Limiter
	at      time.Time // of its moment, by this process' clock

	// granted tells that the moment is this ticket's. Else it is only reserved: Wait asks for one.
	granted bool

	// probe is the claim of the fleet's one call while the provider refuses the sends; "" for
	// every other ticket.
	probe string
}

// Wait returns when the ticket's call may be made; it must be ready. The error is ctx's, or
// Redis'; then the call must not be made.
func (t *Ticket) Wait(ctx context.Context) error {
	l, ready := t.limiter, time.Now()
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
			err = l.checkProbe(t) // which the grant may have told
		}
		if used {
			return err
		}
		l.giveBack(m)
		if err != nil {
			return err
		}
		l.Count(Late, 1)
		if err = l.sleep(ctx, max(pause, time.Millisecond)); err != nil { // not again and again at once, whatever the clocks say
			return err
		}
		ours = false
	}
}
