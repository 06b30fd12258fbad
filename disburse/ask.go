package disburse

import (
	"context"
	"math/rand/v2"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// askGroup asks the query endpoint about payouts that may have been sent. First come those that
// it has in hand since it sent them, then what is due in the journal.
func (l *Loop) askGroup(taking, working context.Context, la *lane, due int) (group, error) {
	m := la.merchant
	if late := m.toAsk.late(time.Now()); len(late) > 0 {
		l.putBackAll(late)
		return group{}, nil // the next round finds them in the journal
	}
	stored, tickets := la.stored(), m.Query.Take
	if stored == 0 { // what is in hand needs no lease
		tickets = m.Query.TakeNow
	}
	permits, wait, err := la.permits.take(taking, due, tickets)
	defer permits.end() // what no worker has got, also after a panic
	n := permits.len()
	if n == 0 {
		return group{rest: wait}, err
	}
	for _, t := range m.toAsk.take(time.Now(), n-ofJournal(n, stored)) {
		t.step = payout.StepAsk
		l.move(t, stagePrepared)
		l.call(t, permits.next(), func() { l.ask(taking, working, t) })
	}
	own := n - permits.len()
	if own == n || stored == 0 {
		return group{done: own}, nil
	}
	leased, err := l.lease(working, leases.Request{Step: payout.StepAsk, Merchant: m.Name, N: n - own})
	if err == nil {
		la.leased(n-own, len(leased.Payouts))
	}
	permits.limit(len(leased.Payouts))
	for _, p := range leased.Payouts {
		t := l.newTask(payout.StepAsk, m, leased, p)
		l.call(t, permits.next(), func() { l.ask(taking, working, t) })
	}
	return group{done: own + len(leased.Payouts)}, err
}

// ofJournal is how many of n asks belong at least to what is due in the journal: a quarter. What
// doesn't divide by four is drawn. The script shares them out between young and old in the
// same way, and what is in hand is the youngest.
func ofJournal(n, stored int) int {
	quarter := n / 4
	if rand.IntN(4) < n%4 {
		quarter++
	}
	return min(stored, quarter)
}

// ask makes one call; an ask that can't be made is put back as it was.
func (l *Loop) ask(taking, working context.Context, t *task) {
	m, permit := t.merchant, t.permit
	v := l.begin(taking, t)
	if v.reason != mayCall {
		l.putBack(t, t.lease.LatestJournalTime(time.Now()))
		return
	}
	f := l.query(working, m, t.payout.Command, v.latest)
	permit.answered(f)
	found := f
	if t.payout.Orphan() {
		found = f.Wordless()
	}
	if f.Kind == finding.NoRecord && !l.believable(taking, working, t, v.at) {
		found.Kind = finding.Unclear
		found.Detail = "no record, but nothing shows that the provider serves this merchant at all"
	}
	l.found(t, payout.Ask, found, v.at)
	l.listen(working, m.Query, v.at, f)
}

func (l *Loop) query(ctx context.Context, m *merchant, c payout.Command, latest time.Time) finding.Finding {
	began := time.Now()
	f := m.Provider.Ask(ctx, c, latest)
	l.Metrics.called(m.Name, OperationQuery, f, time.Since(began))
	return f
}

// judging is what the answer to a call that began then is judged by: the moment, and the policy
// with the uncertainty of the clocks. Where Redis' clock and this process' disagree, one
// of them has stepped, and less time may have passed than Redis' clock says.
func (l *Loop) judging(t *task, began time.Time) (now time.Time, policy payout.Policy) {
	now, policy = t.lease.LatestJournalTime(time.Now()), t.merchant.policy()
	policy.ClockUncertainty = now.Sub(t.lease.EarliestJournalTime(began)) + l.ClockDifference().Abs()
	policy.Refusing = t.merchant.Send.Refusing()
	return now, policy
}

// believable tells whether "no such order" is about this payout, and no refusal of the whole
// merchant. It is if somebody else of the merchant was answered lately. Where nobody was, the
// merchant's latest settled payout is asked about.
func (l *Loop) believable(taking, working context.Context, t *task, asked time.Time) bool {
	now, policy := l.judging(t, asked)
	p := t.payout
	if !p.NoRecordMayCount(now, policy) {
		return true // too early to count; the table only asks again
	}
	if p.NotOnlyAtAccount(policy.Account) {
		return true // it proves nothing, and a person is told; nobody else may ever be served here
	}
	if p.Corroborated(t.merchant.servedOther(t.evidence, p.TradeNo), now, policy) {
		return true
	}
	settled := t.evidence.Settled
	if settled == "" || settled == p.TradeNo {
		return false
	}
	return l.askAbout(taking, working, t, settled)
}

// askAbout asks about another payout, which is settled, under a task's lease and in its slot. It
// tells whether the provider answered about it, and drops what the provider said.
func (l *Loop) askAbout(taking, working context.Context, t *task, tradeNo string) bool {
	m := t.merchant
	settled := task{step: payout.StepAsk, merchant: m, lease: t.lease, margin: t.margin}
	settled.payout.TradeNo = tradeNo
	by := settled.turnBy(time.Now())
	tickets, _, err := m.Query.Take(taking, 1)
	if err != nil || len(tickets) == 0 {
		return false
	}
	turn := itsTurn(taking, tickets[0], by)
	v := mayBegin(&settled, callConditions{now: time.Now(), turn: turn, good: true}) // the ask before it was answered
	if v.reason != mayCall || !l.move(&settled, stageCalling) {
		return false
	}
	f := l.query(working, m, settled.payout.Command, by)
	l.listen(working, m.Query, v.at, f)
	if !f.Served {
		return false
	}
	m.serve(leases.Served{Merchant: m.Name, At: t.lease.EarliestJournalTime(v.at), About: tradeNo})
	return true
}
