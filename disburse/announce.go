package disburse

import (
	"context"
	"errors"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/leases"
)

// announceLargest bounds a batch of announcements: they take no slots.
const announceLargest = 500

// announceAgain is when an event that was not acknowledged is published again.
const announceAgain = time.Second

// announceRarely is when an event is published again that the results topic takes not even
// alone: somebody must raise its limit first.
const announceRarely = 10 * time.Minute

// announceBatch publishes what ended or is held, and then lets the journal forget what
// is final. What ended by our own word is written down as a decision first (protocol O2).
func (l *Loop) announceBatch(_, working context.Context, _ *lane, due int) (int, error) {
	batch, err := l.lease(working, payout.StepAnnounce, "", min(due, announceLargest))
	if len(batch.Payouts) == 0 {
		return 0, err
	}
	if err != nil { // some records can't be read; the others go on
		l.refused(working, err, "read a record")
	}
	ctx, cancel := context.WithDeadline(working, batch.Deadline().Add(-l.margin()))
	defer cancel()
	ready, own, err := l.decideOwn(ctx, batch)
	if err != nil {
		for _, p := range own {
			l.announceLater(leased{p, batch.Lease}, announceAgain)
		}
	}
	all := make([]leased, len(ready))
	for i, p := range ready {
		all[i] = leased{p, batch.Lease}
	}
	if e := l.announce(ctx, all); e != nil {
		err = e
	}
	return len(ready), err
}

// decideOwn has the ends by our own word acknowledged. It answers what may be announced
// and, with an error, what may not.
func (l *Loop) decideOwn(ctx context.Context, batch leases.Leased) (ready, undecided []payout.Payout, err error) {
	var own []payout.Payout
	for _, p := range batch.Payouts {
		if p.Own() {
			own = append(own, p)
		} else {
			ready = append(ready, p)
		}
	}
	if len(own) == 0 {
		return ready, nil, nil
	}
	if err := l.Decisions.Final(ctx, batch.Epoch, own); err != nil {
		return ready, own, err
	}
	return append(ready, own...), nil, nil
}

// leased is a payout and the lease under which it is worked on.
type leased struct {
	payout.Payout
	lease leases.Lease
}

// announce publishes and, for each event that is acknowledged, ends the lease.
func (l *Loop) announce(ctx context.Context, payouts []leased) error {
	events := make([]message.Event, 0, len(payouts))
	said := make([]leased, 0, len(payouts))
	for _, p := range payouts {
		if e, speaks := message.EventOf(p.Payout); speaks {
			events = append(events, e)
			said = append(said, p)
		}
	}
	if len(events) == 0 {
		return nil
	}
	acknowledged, err := l.Announcer.Results(ctx, events)
	answered := time.Now()
	tooLarge, waiting := l.oversize(err), 0
	for i, p := range said {
		if i >= len(acknowledged) || !acknowledged[i] {
			if tooLarge[p.TradeNo] {
				l.announceLater(p, announceRarely)
			} else {
				l.announceLater(p, announceAgain)
				waiting++
			}
			continue
		}
		now := p.lease.Now(answered)
		l.Metrics.announced(p.Payout, events[i], now)
		after := p.Announced(now, l.policyOf(p.Payout))
		l.writer.put(change{Change: leases.Change{Token: p.lease.Token, Epoch: p.lease.Epoch, Before: p.State, After: after, Forget: p.State.Final()}, until: p.lease.Deadline()})
		line := l.Logger.Info()
		if events[i].Contradiction != "" {
			line = l.Logger.Warn().Str("contradiction", events[i].Contradiction)
		}
		line.Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Str("merchant", events[i].Merchant).Str("type", string(events[i].Type)).
			Str("reason", p.Reason).Int("sends", p.Sends).Int("asks", p.Asks).Msg("announced")
	}
	if len(tooLarge) > 0 && waiting == 0 { // said already, and no reason to let the others wait
		return nil
	}
	return err
}

// oversize answers which events the results topic takes not even alone, and says so: the
// payouts stay to be announced, and hold up no others.
func (l *Loop) oversize(err error) map[string]bool {
	var e *message.OversizeError
	if !errors.As(err, &e) {
		return nil
	}
	tooLarge := make(map[string]bool, len(e.Keys))
	for _, tradeNo := range e.Keys {
		tooLarge[tradeNo] = true
	}
	l.Metrics.tooLarge.Add(float64(len(e.Keys)))
	l.warning.Store(&warning{e.Error(), time.Now()})
	l.Logger.Error().Err(e).Int("results", len(e.Keys)).Dur("again_in", announceRarely).Msg("results are too large for their topic: these payouts are over, and nobody is told")
	return tooLarge
}

// warning is what somebody should mend though the loop works.
type warning struct {
	text string
	at   time.Time
}

// Warning says which results can't be published, "" if all can.
func (l *Loop) Warning() string {
	w := l.warning.Load()
	if w == nil || time.Since(w.at) > 2*announceRarely {
		return ""
	}
	return w.text
}

func (l *Loop) announceLater(p leased, again time.Duration) {
	after := p.Payout
	after.Due = p.lease.Now(time.Now()).Add(again)
	l.writer.put(change{Change: leases.Change{Token: p.lease.Token, Epoch: p.lease.Epoch, Before: p.State, After: after}, until: p.lease.Deadline()})
}

// policyOf is the payout's merchant's; of a merchant that isn't configured (any more)
// the zero policy: nobody is asked about it.
func (l *Loop) policyOf(p payout.Payout) payout.Policy {
	if m := l.merchants[p.Merchant]; m != nil {
		return m.policy()
	}
	return payout.Policy{}
}
