package decisions

import (
	"context"
	"fmt"
	"time"

	"disburser/payout/epochs"
)

// Leases, due times and the dedup window go by Redis' clock, which may step (protocol E11).
// The journal has a stamp of what it has shown, and of how far an instance's own clock vouches
// for it. Outside of these bounds every script refuses. A single instance whose clock is wrong
// ends nothing: as long as another one vouches, all go on.

// clockBound is by how much Redis' clock may be ahead of an instance's own to be vouched for.
// After it has gone back it is by how much it may be behind. CLOCK_AHEAD in journal/lua is the
// same.
const clockBound = time.Hour

// clockReading is what Redis' clock showed in an epoch, and when the answer came by this instance's
// clock.
type clockReading struct {
	epoch     string
	shown, at time.Time
}

// clockOf says what a standing's clock means for an instance that wants to join or begin an epoch. An error
// that wraps errDeadEpoch lets another epoch begin. Any other error must be waited out: a clock
// that stays wrong must not begin epochs without end.
func clockOf(s epochs.Standing, own time.Time) error {
	ahead, back := s.Now.Sub(own.Round(0)), s.ClockFrom.Sub(s.Now)
	vouched := !s.ClockUntil.IsZero() && !s.Now.After(s.ClockUntil) && s.Open()
	switch {
	case s.Now.IsZero():
		return nil
	case ahead > clockBound && (back > 0 || !vouched):
		return fmt.Errorf("the clock of Redis is %v ahead of this instance's, and no instance's clock vouches for it: set the wrong one", ahead.Round(time.Second))
	case back > 0 && ahead < -clockBound:
		return fmt.Errorf("the clock of Redis has gone back by %v and more, and is %v behind this instance's: set the wrong one", back.Round(time.Second), -ahead.Round(time.Second))
	case back > 0:
		return fmt.Errorf("%w: the clock of Redis has gone back by %v and more", errDeadEpoch, back.Round(time.Second))
	case s.ClockJumped:
		return fmt.Errorf("%w: the clock of Redis has jumped ahead", errDeadEpoch)
	}
	return nil
}

// forgets tells that finals may have left the dedup window before their time: the clock has
// been far ahead.
func forgets(s epochs.Standing) bool {
	return s.ClockJumped || s.ClockFrom.Sub(s.Now) > clockBound
}

// vouch stamps Redis' clock, if this instance's own doesn't say otherwise. A clock that has
// moved on by much more than this instance's clocks has jumped, though it may be right now.
func (k *Keeper) vouch(ctx context.Context, epoch string) error {
	own, last := time.Now(), k.lastReading
	if last.epoch != epoch {
		last = clockReading{}
	}
	shown, vouched, err := k.Journal.Clock(ctx, epoch, own, false)
	if err != nil {
		return err
	}
	k.lastReading = clockReading{epoch, shown, own}
	if last.shown.IsZero() {
		return nil
	}
	passed := max(own.Sub(last.at), own.Round(0).Sub(last.at.Round(0))) // a suspended machine stops the first
	// Where nobody vouches for it, it may be this instance that stood still.
	if jumped := shown.Sub(last.shown) - passed; jumped > clockBound && vouched {
		if _, _, err := k.Journal.Clock(ctx, epoch, own, true); err != nil {
			return err
		}
		return fmt.Errorf("decisions: %w: the clock of Redis has jumped %v ahead", epochs.ErrOver, jumped.Round(time.Second))
	}
	return nil
}
