package disburse

import (
	"context"
	"math/rand/v2"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// askBatch asks the query endpoint about payouts that may have been sent: about those that
// this instance has kept since it sent them, and about what is due in the journal.
func (l *Loop) askBatch(taking, working context.Context, la *lane, due int) (int, error) {
	m := la.merchant
	if late := m.kept.late(time.Now()); len(late) > 0 {
		l.handBack(late)
		return 0, nil // the next look finds them in the journal
	}
	permits, wait, err := la.permits.take(taking, due)
	defer permits.end() // what no worker has got, also after a panic
	n := permits.len()
	if n == 0 {
		if err == nil {
			pause(taking, min(wait, longestWait))
		}
		return 0, err
	}
	stored := int(m.stored.Load())
	for _, k := range m.kept.take(time.Now(), n-ofJournal(n, stored)) {
		permit := permits.next()
		l.worker(func() { l.ask(taking, working, m, k.batch, k.Payout, permit) })
	}
	own := n - permits.len()
	if own == n || stored == 0 {
		return own, nil
	}
	batch, err := l.lease(working, payout.StepAsk, m.Name, n-own)
	if len(batch.Payouts) < n-own {
		m.stored.Store(0)
	}
	permits.limit(len(batch.Payouts))
	for _, p := range batch.Payouts {
		permit := permits.next()
		l.worker(func() { l.ask(taking, working, m, batch, p, permit) })
	}
	return own + len(batch.Payouts), err
}

// ofJournal is how many of n asks belong to what is due in the journal, at the least: a
// quarter, what is left of it drawn. The script shares them out between young and old in
// the same way, and what was kept is the youngest.
func ofJournal(n, stored int) int {
	quarter := n / 4
	if rand.IntN(4) < n%4 {
		quarter++
	}
	return min(stored, quarter)
}

// ask makes one call; an ask that can't be made is put back as it was.
func (l *Loop) ask(taking, working context.Context, m *merchant, batch leases.Leased, p payout.Payout, permit *permit) {
	defer permit.end()
	defer l.survive("an ask")
	if err := ready(taking, permit.ticket, l.latestFor(batch, m.Timeout)); err != nil || !permit.good() || !permit.begin() {
		l.putBack(batch, p)
		return
	}
	began := time.Now()
	f := l.query(working, m, p.Command, l.latestFor(batch, m.Timeout))
	permit.answered(f)
	found := f
	if p.Orphan() {
		found = f.Wordless()
	}
	if f.Kind == finding.NoRecord && !l.believable(taking, working, m, batch, p, began) {
		found.Kind = finding.Unclear
		found.Detail = "no record, but nothing shows that the provider serves this merchant at all"
	}
	l.found(m, batch, p, payout.Ask, found, began)
	l.listen(working, m.Query, began, f)
}

func (l *Loop) query(ctx context.Context, m *merchant, c payout.Command, latest time.Time) finding.Finding {
	began := time.Now()
	f := m.Provider.Ask(ctx, c, latest)
	l.Metrics.called(m.Name, OperationQuery, f, time.Since(began))
	return f
}

// judging is what an answer of a merchant is judged by, of a call that began then: the
// moment, and the policy with the doubt about it. Where Redis' clock and this process'
// disagree, one of them has stepped, and less time may have passed than Redis' clock says.
func (l *Loop) judging(m *merchant, batch leases.Leased, began time.Time) (now time.Time, policy payout.Policy) {
	now, policy = batch.Now(time.Now()), m.policy()
	policy.Doubt = now.Sub(batch.Earliest(began)) + l.ClockDifference().Abs()
	policy.Refusing = m.Send.Refusing()
	return now, policy
}

// believable tells whether "no such order" is about this payout and not a refusal of
// the whole merchant: somebody else of the merchant was answered lately. Where nobody
// was, the merchant's latest settled payout is asked about.
func (l *Loop) believable(taking, working context.Context, m *merchant, batch leases.Leased, p payout.Payout, asked time.Time) bool {
	now, policy := l.judging(m, batch, asked)
	if !p.NoRecordMayCount(now, policy) {
		return true // too early to count; the table only asks again
	}
	if p.AtAnotherAccount(policy.Account) {
		return true // it proves nothing, and a person is told; nobody else may ever be served here
	}
	if p.Corroborated(m.servedOther(batch.Evidence, p.TradeNo), now, policy) {
		return true
	}
	witness := batch.Evidence.Settled
	if witness == "" || witness == p.TradeNo {
		return false
	}
	latest := l.latestFor(batch, m.Timeout)
	tickets, _, err := m.Query.Take(taking, 1)
	if err != nil || len(tickets) == 0 || ready(taking, tickets[0], latest) != nil {
		return false
	}
	began := time.Now()
	f := l.query(working, m, payout.Command{TradeNo: witness}, latest) // of its words nothing is kept
	l.listen(working, m.Query, began, f)
	if !f.Served {
		return false
	}
	m.serve(leases.Served{Merchant: m.Name, At: batch.Earliest(began), About: witness})
	return true
}

// putBack ends the lease of a payout with which nothing was done.
func (l *Loop) putBack(batch leases.Leased, p payout.Payout) {
	after := p
	after.Due = batch.Now(time.Now())
	l.writer.put(change{Change: leases.Change{Token: batch.Token, Epoch: batch.Epoch, Before: p.State, After: after}, until: batch.Deadline()})
}
