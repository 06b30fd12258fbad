package disburse

import (
	"context"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// What a batch's pause or a payout's own stops is parked: it waits apart, in no lane (protocol A4). A lane of sends
// parks what it finds stopped, before it leases. One goroutine of each loop, keepParkedRight, brings it back.

const (
	// siftPage is how many due payouts are looked at together, and siftPages how many of these pages
	// are for one group. What isn't stopped behind them waits for the next group.
	siftPage, siftPages = 200, 10

	// stoppedNamed is how many batches and payouts that are stopped a lease is told of, for it to leave them. To
	// name more would cost Redis as much as a look at what is due.
	stoppedNamed = 64

	// parkedEvery is how often everything that is parked is asked about, whether anything has changed or not.
	parkedEvery = time.Minute

	// parkedAgain is the pause after a sweep that failed, or while nobody knows what is in force. fullPause
	// is the one while too many payouts are open.
	parkedAgain = time.Second
	fullPause   = 250 * time.Millisecond

	// parkedPage is how many parked payouts are brought back by one call.
	parkedPage = 200
)

// fate is the step that a received payout is to wait for, by what people say. It is 0 where that isn't
// known, or where it makes no difference: all of its merchant waits.
func fate(stop acts.Stop) payout.Step {
	_, ends := stop.Ends()
	switch {
	case !stop.Any():
		return payout.StepSend
	case ends:
		return payout.StepReview
	case stop.Narrow():
		return payout.StepParked
	}
	return 0
}

// leaseToSend leases up to n payouts that are due. What people stop is left where it waits. A lease writes sending,
// and after a crash what is stopped would be asked about. A lane that has met any of it, or that would have to name
// very much, looks at what is due before it leases. Where nothing is leased, other says what the group was.
func (l *Loop) leaseToSend(working context.Context, la *lane, n int) (leased leases.Leased, other group, err error) {
	stopped, follows := l.Actions.Narrow()
	if !la.sifts && stopped.N() <= stoppedNamed {
		r := leases.Request{Step: payout.StepSend, Merchant: la.Merchant, N: n, LeaveBatches: stopped.Batches, LeavePayouts: stopped.Payouts}
		if leased, err = l.lease(working, r); err != nil {
			return leased, group{}, err
		}
		if la.sifts = leased.LeftBehind > 0; !la.sifts {
			la.leased(n, len(leased.Payouts))
			return leased, group{}, nil
		}
		if len(leased.Payouts) > 0 { // the next group looks
			la.left.Add(-int64(len(leased.Payouts)))
			return leased, group{}, nil
		}
	}
	ctx, cancel := context.WithTimeout(working, l.Lease/3)
	free, other, err := l.sift(ctx, la, n, follows)
	cancel()
	if err != nil || len(free) == 0 {
		return leases.Leased{}, other, err
	}
	leased, err = l.lease(working, leases.Request{Step: payout.StepSend, Merchant: la.Merchant, N: len(free), Only: free})
	la.left.Add(-int64(len(leased.Payouts)))
	return leased, other, err
}

// sift looks at what is due in a lane of sends. It parks what people have stopped, gives to the reviews what they
// have cancelled, and answers up to n others.
func (l *Loop) sift(ctx context.Context, la *lane, n int, follows int64) (free []string, did group, err error) {
	la.sifts = false
	for range siftPages {
		due, err := l.Journal.Peek(ctx, la.Merchant, len(free), siftPage)
		if err != nil {
			return nil, did, err
		}
		stopped := map[payout.Step][]string{}
		for _, p := range due {
			switch to := fate(l.Actions.Stops(la.Merchant, p.BatchID, p.TradeNo)); to {
			case payout.StepSend:
				free = append(free, p.TradeNo)
			case 0: // everything is stopped meanwhile
				return nil, group{rest: stoppedRest}, nil
			default:
				stopped[to] = append(stopped[to], p.TradeNo)
				la.sifts = true // there may be more of it
			}
		}
		moved, wanted := 0, 0
		for to, tradeNos := range stopped {
			m, err := l.Journal.Move(ctx, leases.Move{To: to, Follows: follows}, tradeNos)
			if err != nil {
				return nil, did, err
			}
			moved, wanted = moved+m.N, wanted+len(tradeNos)
		}
		did.done += moved
		la.left.Add(-int64(moved))
		if len(due) < siftPage { // that is all
			la.left.Store(int64(len(free)))
		}
		if len(due) < siftPage || len(free) >= n || moved < wanted {
			break
		}
	}
	if did.done == 0 {
		did.rest = leastRest // somebody has read more of the actions: so will this instance, in a moment
	}
	return free[:min(n, len(free))], did, nil
}

// Sweep has everything that is parked asked about: something else is in force, or an epoch has opened. It never
// blocks.
func (l *Loop) Sweep() {
	select {
	case l.sweeps <- struct{}{}:
	default:
	}
}

// keepParkedRight brings back what nobody stops any more, until taking ends. Nothing stays parked without a reason.
func (l *Loop) keepParkedRight(taking context.Context) {
	for wait := time.Duration(0); ; {
		again := time.NewTimer(wait)
		select {
		case <-taking.Done():
			again.Stop()
			return
		case <-l.sweeps:
			again.Stop()
		case <-again.C:
		}
		wait = l.sweepOnce(taking)
	}
}

// sweepOnce sweeps, and answers when to do it again at the latest.
func (l *Loop) sweepOnce(taking context.Context) (wait time.Duration) {
	wait = parkedAgain
	defer l.survive("what is parked")
	if l.Actions.Stops("", "", "").Why == acts.NotFresh {
		return wait
	}
	full, err := l.sweep(taking)
	l.full.Store(full)
	switch {
	case err != nil:
		l.reportError(taking, err, "bring back what is parked")
		return parkedAgain
	case full:
		return fullPause
	}
	return parkedEvery
}

// KeptParked tells that payouts stay parked because max_open are open.
func (l *Loop) KeptParked() bool { return l.full.Load() }

// sweep asks about everything that is parked. full says that some of it stays though nobody stops it, because too
// many payouts are open. What another instance parks by newer actions is left to it.
func (l *Loop) sweep(ctx context.Context) (full bool, err error) {
	_, follows := l.Actions.Narrow()
	// Also where nothing is parked: whoever has read less parks nothing from here on.
	if m, err := l.Journal.Move(ctx, leases.Move{To: payout.StepSend, Follows: follows}, nil); err != nil || m.Followed > follows {
		return false, err
	}
	parked, err := l.Journal.Parked(ctx)
	if err != nil {
		return false, err
	}
	for _, b := range parked {
		switch fate(l.Actions.Stops(b.Merchant, b.BatchID, "")) {
		case payout.StepParked: // all of it stays
			continue
		default:
			if full, err = l.sweepBatch(ctx, b.Batch, follows); full || err != nil {
				return full, err
			}
		}
	}
	return false, nil
}

// sweepBatch asks about each parked payout of a batch. Without knowing what is in force it changes nothing.
func (l *Loop) sweepBatch(ctx context.Context, b leases.Batch, follows int64) (full bool, err error) {
	for kept := 0; ; {
		tradeNos, err := l.Journal.ParkedOf(ctx, b, kept, parkedPage)
		if err != nil || len(tradeNos) == 0 {
			return false, err
		}
		goes := map[payout.Step][]string{}
		for _, tradeNo := range tradeNos {
			stop := l.Actions.Stops(b.Merchant, b.BatchID, tradeNo)
			to := fate(stop)
			switch {
			case stop.Why == acts.NotFresh:
				return false, nil
			case to == payout.StepParked:
				kept++
				continue
			case to == 0: // its merchant is paused: there it waits as due
				to = payout.StepSend
			}
			goes[to] = append(goes[to], tradeNo)
		}
		for to, some := range goes {
			m, err := l.Journal.Move(ctx, leases.Move{To: to, From: &b, Follows: follows, MaxOpen: l.MaxOpen}, some)
			switch {
			case err != nil:
				return false, err
			case m.Full:
				return true, nil
			case m.Followed > follows && to != payout.StepReview:
				return false, nil
			case m.N == 0: // somebody else has moved them, or nobody can
				kept += len(some)
			}
		}
		l.Nudge()
	}
}
