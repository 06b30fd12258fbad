package disburse

import (
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

// What people forbid is one answer (protocol A0). This package asks for it three times:
//   - for the merchant, before anything is leased to be sent;
//   - for each payout that was leased, before anything is decided about it;
//   - last before each call (begin.go). The provider's client asks once more before the first byte.
//
// Asks and announcements go on.

const (
	// stoppedRest is how long the sends of a merchant rest before they look again. A resume should be felt within a
	// second, and a thousand merchants may rest.
	stoppedRest = 250 * time.Millisecond

	// aloneFor is how long a payout is left alone whose own pause, or whose batch's, has stopped it. What else its
	// merchant has due goes on meanwhile.
	aloneFor = 5 * time.Second
)

// stops says why a payout may not be sent now.
func (l *Loop) stops(p payout.Payout) acts.Stop {
	return l.Actions.Stops(p.Merchant, p.BatchID, p.TradeNo)
}

// whyStopped says the same to the provider's client, "" if it may be sent.
func (l *Loop) whyStopped(p payout.Payout) string {
	if stop := l.stops(p); stop.Any() {
		return stop.String()
	}
	return ""
}

// giveBackStopped makes received again what was leased to be sent and is stopped. Where all of its merchant is
// stopped it stays due: nothing more is leased then.
func (l *Loop) giveBackStopped(t *task, stop acts.Stop) {
	alone := aloneFor
	if stop.Wide() {
		alone = 0
	}
	l.Logger.Debug().Str("trade_no", t.payout.TradeNo).Str("batch_id", t.payout.BatchID).Stringer("stop", stop).Msg("not sent")
	l.giveBackFor(t, false, alone)
}
