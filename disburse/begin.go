package disburse

import (
	"context"
	"errors"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// reason is why a call may not begin.
type reason byte

const (
	mayCall          reason = iota
	notDecided              // a send before its decision is acknowledged
	notItsTurn              // its ticket's moment didn't come in time
	breakerOpened           // since the permit was given
	leaseOver               // or there is too little of it left for the call
	leaseOverByGrant        // the same, but only by the clock of the Redis that grants the calls
	notItsTime              // by the payout's notBefore or expiresAt
	stopped                 // a person forbids it, or nobody knows whether one does
	notAllowed              // a mistake of this package, which is logged
)

// callConditions are what is known right before a call.
type callConditions struct {
	now   time.Time
	turn  error // nil if the ticket's moment has come
	good  bool  // no breaker has opened since the permit was given
	stop  acts.Stop
	redis time.Time
	asked time.Time // when Redis' clock was asked for that reading; both zero if nobody did
}

// verdict says whether a call may begin.
type verdict struct {
	reason reason // mayCall, or why not
	at     time.Time
	latest time.Time     // not one byte of the request may be written after it
	lease  leases.Lease  // after what the grant has told about the clock
	missed time.Duration // by the grant's clock, where that is the reason
	stop   acts.Stop     // what a person forbids, where that is the reason
}

// mayBegin is the last check of this package before a request, of sends and asks alike. Whatever
// forbids calls (to one merchant, or all) is checked here. Connecting may take up to the timeout
// afterwards. Then the deadline for writing is checked, and once more what people forbid (paypro/conn.go).
func mayBegin(t *task, at callConditions) verdict {
	v := verdict{at: at.now, lease: t.lease, latest: t.latest(t.lease, at.now)}
	switch {
	case t.step == payout.StepSend && t.stage != stageDecided:
		v.reason = notDecided
	case at.turn != nil:
		v.reason = notItsTurn
	case !at.good:
		v.reason = breakerOpened
	case t.step == payout.StepSend && at.stop.Any():
		v.reason, v.stop = stopped, at.stop
	case t.step == payout.StepSend:
		return maySend(t, at, v)
	case !at.now.Before(v.latest):
		v.reason = leaseOver
	}
	return v
}

// maySend checks what only a send needs. A send begins only while half of its time is left. A
// shorter one would often be cut off: its outcome would be unclear, and the payout held.
func maySend(t *task, at callConditions, v verdict) verdict {
	v.lease = t.lease.WithReading(at.redis, at.asked)
	v.latest = lastByte(v.lease, t.payout, t.latest(v.lease, at.now), at.now)
	missed := v.lease.Missed - t.lease.Missed
	switch {
	case at.now.Before(t.mustBegin(v.lease)) && at.now.Before(v.latest):
		if early(v.lease, t.payout, at.now) > 0 {
			v.reason = notItsTime
		}
	case missed > 0 && at.now.Before(t.mustBegin(t.lease)):
		v.reason, v.lease, v.missed = leaseOverByGrant, t.lease, missed // by the journal's own clock it may still be given back
	case at.now.Before(t.mustBegin(v.lease)):
		v.reason = notItsTime
	default:
		v.reason = leaseOver
	}
	return v
}

// latest is the write deadline of a call that begins now: no byte of the request is written
// after it. It is the timeout, and in any case before the lease ends. The answer may come later;
// if the lease is over by then, it isn't written, and the payout is asked about.
func (t *task) latest(lease leases.Lease, now time.Time) time.Time {
	end := lease.Deadline().Add(-t.margin)
	if byTimeout := now.Add(t.merchant.Timeout); byTimeout.Before(end) {
		return byTimeout
	}
	return end
}

// mustBegin is the moment by which a send must have begun to have half of its time.
func (t *task) mustBegin(lease leases.Lease) time.Time {
	return lease.Deadline().Add(-t.margin - t.merchant.Timeout/2)
}

// turnBy is until when a call waits for its turn. A send has a slot meanwhile, so it
// waits for turnWait at most, or for half of its timeout if that is longer.
func (t *task) turnBy(now time.Time) time.Time {
	if t.step != payout.StepSend {
		return t.latest(t.lease, now)
	}
	end := t.mustBegin(t.lease)
	if impatient := now.Add(max(turnWait, t.merchant.Timeout/2)); impatient.Before(end) {
		return impatient
	}
	return end
}

// begin waits for the turn of a task's call, and says whether it may be made. If so, the task
// is calling and its permit is used.
func (l *Loop) begin(taking context.Context, t *task) verdict {
	at := callConditions{turn: itsTurn(taking, t.permit.ticket, t.turnBy(time.Now())), good: t.permit.good()}
	readsClock := t.step == payout.StepSend && at.turn == nil && at.good
	if readsClock {
		at.redis, at.asked = t.merchant.Send.LastReading()
		l.sawStandstill(&t.merchant.stoodStill, at.redis, at.asked, time.Now())
	}
	if t.step == payout.StepSend {
		at.stop = l.stops(t.payout)
	}
	at.now = time.Now()
	if readsClock {
		l.sawGrantClock(at.redis, at.asked, at.now)
	}
	v := mayBegin(t, at)
	t.lease = v.lease
	if v.reason == mayCall && !(l.move(t, stageCalling) && t.permit.begin()) {
		v.reason = notAllowed
	}
	return v
}

var errTooLate = errors.New("the lease leaves no time for the call")

// itsTurn waits until a ticket's call may be made, and refuses if that is too late.
func itsTurn(taking context.Context, ticket Ticket, by time.Time) error {
	ctx := newPatience(taking, by)
	defer ctx.end()
	if err := ticket.Wait(ctx); err != nil {
		return err
	}
	if !time.Now().Before(by) {
		return errTooLate
	}
	return nil
}
