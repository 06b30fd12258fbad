package disburse

import (
	"context"
	"errors"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/leases"
)

// announceLargest bounds a group of announcements: they take no slots.
const announceLargest = 500

// announceLinger is how long the first one in hand waits for more that are about to settle. A
// request costs Kafka and this process as much as a dozen results, and each partition of the
// topic gets one of its own. Where nothing else is about to settle, nothing is waited for.
const announceLinger = 40 * time.Millisecond

// announceEnough are not waited for: what more would save is less than what the wait holds up.
const announceEnough = 250

// announceAgain is when an event that was not acknowledged is published again.
const announceAgain = time.Second

// announceRarely is when an event is published again that the results topic takes not even
// alone: somebody must raise its limit first.
const announceRarely = 10 * time.Minute

// announceGroup publishes what ended or is held, and then lets the journal forget what
// is final. An end by our own word is written down as a decision first (protocol O2).
func (l *Loop) announceGroup(_, working context.Context, la *lane, due int) (group, error) {
	due = min(due, announceLargest)
	leased, err := l.lease(working, leases.Request{Step: payout.StepAnnounce, N: due})
	if err == nil {
		la.leased(due, len(leased.Payouts))
	}
	if len(leased.Payouts) == 0 {
		return group{}, err
	}
	if err != nil { // some records can't be read; the others go on
		l.reportError(working, err, "read a record")
	}
	ctx, cancel := context.WithDeadline(working, leased.Deadline().Add(-l.margin()))
	defer cancel()
	tasks := make([]*task, len(leased.Payouts))
	for i, p := range leased.Payouts {
		tasks[i] = l.newTask(payout.StepAnnounce, nil, leased, p)
	}
	ready, err := l.decideOwn(ctx, leased.Epoch, tasks)
	if e := l.announce(ctx, ready); e != nil {
		err = e
	}
	return group{done: len(ready)}, err
}

// decideOwn has the ends by our own word acknowledged. It answers what may be announced; the
// others it gives back.
func (l *Loop) decideOwn(ctx context.Context, epoch string, tasks []*task) (ready []*task, err error) {
	var undecided []*task
	var own []payout.Payout
	for _, t := range tasks {
		if t.payout.Own() {
			undecided, own = append(undecided, t), append(own, t.payout)
		} else {
			ready = append(ready, t)
		}
	}
	if len(own) == 0 {
		return ready, nil
	}
	if err := l.Decisions.Final(ctx, epoch, own); err != nil {
		for _, t := range undecided {
			l.announceLater(t, announceAgain)
		}
		return ready, err
	}
	for _, t := range undecided {
		l.move(t, stageDecided)
	}
	return append(ready, undecided...), nil
}

// announceInHand publishes what settles, as much at once as has come while the last group
// was being acknowledged, and a moment longer.
func (l *Loop) announceInHand(working context.Context) {
	for l.toAnnounce.wait() {
		l.toAnnounce.linger(announceLinger, announceEnough)
		l.announceNow(working, l.toAnnounce.take(time.Now(), announceLargest))
	}
}

// announceNow leaves those alone whose lease leaves no time for it: somebody else may be
// at them already.
func (l *Loop) announceNow(working context.Context, tasks []*task) {
	defer l.survive("an announcement") // without this goroutine each one would wait for its lease's end
	now := time.Now()
	inTime, end := tasks[:0], time.Time{}
	for _, t := range tasks {
		t.step = payout.StepAnnounce
		if !now.Before(t.end()) {
			l.move(t, stageLost)
			continue
		}
		if inTime = append(inTime, t); end.IsZero() || t.end().Before(end) {
			end = t.end()
		}
	}
	if len(inTime) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(working, end)
	defer cancel()
	if err := l.announce(ctx, inTime); err != nil {
		l.reportError(working, err, "announce")
	}
}

// announce publishes and, for each event that is acknowledged, ends the lease.
func (l *Loop) announce(ctx context.Context, tasks []*task) error {
	events := make([]message.Event, 0, len(tasks))
	said := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		if e, speaks := message.EventOf(t.payout); speaks && l.mayAnnounce(t) && l.move(t, stageAnnouncing) {
			events = append(events, e)
			said = append(said, t)
		}
	}
	if len(events) == 0 {
		return nil
	}
	acknowledged, err := l.Announcer.Results(ctx, events)
	answered := time.Now()
	tooLarge, waiting := l.oversize(err), 0
	for i, t := range said {
		if i >= len(acknowledged) || !acknowledged[i] {
			if tooLarge[t.payout.TradeNo] {
				l.announceLater(t, announceRarely)
			} else {
				l.announceLater(t, announceAgain)
				waiting++
			}
			continue
		}
		l.announced(t, events[i], answered)
	}
	if len(tooLarge) > 0 && waiting == 0 { // said already, and no reason to let the others wait
		return nil
	}
	return err
}

// mayAnnounce tells whether a task's result may be published: an end by our own word only once
// it is decided (protocol O2). Any other such task is a mistake of this package. It is left
// alone, and its payout comes due after the lease.
func (l *Loop) mayAnnounce(t *task) bool {
	if t.payout.Own() && t.stage != stageDecided {
		l.Logger.Error().Str("trade_no", t.payout.TradeNo).Str("batch_id", t.payout.BatchID).Stringer("stage", t.stage).
			Msg(programmingError + "an end by our own word isn't announced before its decision")
		return false
	}
	return true
}

// announced has the journal forget what is final now that its event is acknowledged.
func (l *Loop) announced(t *task, e message.Event, answered time.Time) {
	p, now := t.payout, t.lease.LatestJournalTime(answered)
	l.Metrics.announced(p, e, now)
	c := t.change(p.Announced(now, l.policyOf(p)))
	c.Forget = p.State.Final()
	l.write(t, c)
	line := l.Logger.Info()
	if e.Contradiction != "" {
		line = l.Logger.Warn().Str("contradiction", e.Contradiction)
	}
	line.Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Str("merchant", e.Merchant).Str("type", string(e.Type)).
		Str("reason", p.Reason).Int("sends", p.Sends).Int("asks", p.Asks).Msg("announced")
}

// oversize answers which events the results topic takes not even alone, and says so: the
// payouts stay to be announced, and delay no others.
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

func (l *Loop) announceLater(t *task, again time.Duration) {
	l.putBack(t, t.lease.LatestJournalTime(time.Now()).Add(again))
}

// policyOf is the payout's merchant's; of a merchant that isn't configured (any more)
// the zero policy: nobody is asked about it.
func (l *Loop) policyOf(p payout.Payout) payout.Policy {
	if m := l.merchants[p.Merchant]; m != nil {
		return m.policy()
	}
	return payout.Policy{}
}
