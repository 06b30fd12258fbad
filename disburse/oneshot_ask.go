package disburse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// askable are the states in which the provider may know of a payout.
var askable = []payout.State{payout.StateSending, payout.StateProcessing, payout.StateHeld}

// asked is what an ask of a task has found, and what became of the payout.
type asked struct {
	finding finding.Finding
	after   payout.Payout
	at      time.Time // by the journal's clock
}

// askPayout asks about one payout now, within the rate.
func (e *executor) askPayout(taking, ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	tradeNo := o.Scope.Name
	leased, err := e.leaseOne(ctx, tradeNo, askable)
	if err != nil {
		return attemptFailed(err)
	}
	p := leased.Payouts[0].Payout
	switch leased.Payouts[0].Found {
	case leases.NamedLeased:
	case leases.NamedUnknown:
		return refusedAs(unknownPayout)
	case leases.NamedBusy:
		return tryAgain
	case leases.NamedEnded:
		return e.askEnded(acted, p)
	default:
		switch {
		case p.State.Final():
			return e.askEnded(acted, p)
		case p.State == payout.StateReceived:
			return refusedAs("it was not sent yet: there is nothing to ask about")
		}
		return tryAgain // held, and being announced
	}
	got, again := e.askLeased(taking, ctx, leased, acted)
	if got == nil {
		return again
	}
	a := doneAs(fmt.Sprintf("asked: %s; it is %s", got.finding.Kind, got.after.State))
	a.said.Evidence = evidenceOf(*got)
	return a
}

const unknownPayout = "no payout with this tradeNo is known here, or it ended so long ago that it is forgotten: check the tradeNo"

// askEnded is for what has ended before it could be asked about: by an ask of this action, whose owner died, or
// without it.
func (e *executor) askEnded(acted leases.Acted, p payout.Payout) attempt {
	if acted.Made {
		return doneAs("asked; it is " + p.State.String())
	}
	return refusedAs("it has ended as " + p.State.String() + ": there is nothing left to ask")
}

// leaseOne leases a payout by name.
func (e *executor) leaseOne(ctx context.Context, tradeNo string, states []payout.State) (leases.LeasedByName, error) {
	leased, err := e.Journal.LeaseByName(ctx, leases.ByName{TradeNos: []string{tradeNo}, States: states, For: e.loop.Lease})
	if err == nil && len(leased.Payouts) != 1 {
		err = fmt.Errorf("lease %s by name: %d answers", tradeNo, len(leased.Payouts))
	}
	return leased, err
}

// evidenceOf is what an outcome says of an ask.
func evidenceOf(a asked) *acts.Evidence {
	return &acts.Evidence{
		Finding: strings.ReplaceAll(a.finding.Kind.String(), " ", "_"), Code: a.after.Status, Asks: a.after.Asks, At: a.at,
	}
}

// askLeased asks about a payout that is leased by name. Without an answer it says what comes of the action now.
func (e *executor) askLeased(taking, ctx context.Context, leased leases.LeasedByName, acted leases.Acted) (*asked, attempt) {
	l, p := e.loop, leased.Payouts[0].Payout
	m := l.merchants[p.Merchant]
	t := l.newTask(payout.StepAsk, m, leases.Leased{Lease: leased.Lease}, p)
	if m == nil || p.Country == "" && !p.Orphan() {
		l.putBack(t, p.Due)
		return nil, refusedAs("its merchant " + p.Merchant + " isn't configured: nobody can be asked")
	}
	t.evidence = leased.EvidenceOf(m.Policy.Account)
	permits, err := e.permit(taking, ctx, m, 1, acted)
	defer permits.end()
	begun := false
	if err == nil && permits.len() > 0 {
		begun, err = e.Journal.BeginAct(ctx, acted.Claim, acted.Note)
	}
	if !begun {
		l.putBack(t, t.lease.LatestJournalTime(time.Now()))
		return nil, attempt{err: err}
	}
	over := make(chan struct{})
	l.call(t, permits.next(), func() {
		defer close(over)
		l.ask(taking, ctx, t)
	})
	<-over
	return t.asked, tryAgain
}

// permit waits for up to n permits to ask, as long as the action may wait for them.
func (e *executor) permit(taking, ctx context.Context, m *merchant, n int, acted leases.Acted) (permits, error) {
	until := time.Now().Add(e.loop.Lease / 3)
	if left := acted.Left; left > 0 && !acted.Made {
		until = time.Now().Add(min(left, e.loop.Lease/3))
	}
	issuer := e.loop.issuer(m, payout.StepAsk)
	for {
		taken, wait, err := issuer.take(ctx, n, m.Query.TakeNow)
		if err != nil || taken.len() > 0 || !time.Now().Before(until) || taking.Err() != nil {
			return taken, err
		}
		pause(taking, min(max(wait, leastRest), longestRest))
	}
}

// batchPass is how far a pass through the open payouts is; it is kept with the claim.
type batchPass struct {
	Cursor string         `json:"cursor"`
	Counts map[string]int `json:"counts"`
}

func passOf(note string) batchPass {
	var b batchPass
	_ = json.Unmarshal([]byte(note), &b) // an empty note is the beginning
	if b.Counts == nil {
		b.Counts = map[string]int{}
	}
	return b
}

func (b batchPass) note() string {
	text, _ := json.Marshal(b) // text and numbers can always be written
	return string(text)
}

// askBatch asks about the payouts of a batch that may have been sent, one page after the other, until the deadline.
func (e *executor) askBatch(taking, ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	b, began := passOf(acted.Note), time.Now()
	for ctx.Err() == nil && taking.Err() == nil {
		if acted.Left <= time.Since(began) {
			break
		}
		page, err := e.Journal.OpenOf(ctx, o.Scope.Name, b.Cursor, 0)
		if err != nil {
			return attemptFailed(err)
		}
		if err := e.askPage(taking, ctx, page.Payouts, acted, &b); err != nil {
			return attemptFailed(err)
		}
		if b.Cursor = page.Next; page.Next == "" {
			return e.askedBatch(o, acted, b, "")
		}
		holds, err := e.Journal.NoteAct(ctx, acted.Claim, b.note())
		if err != nil || !holds {
			return attemptFailed(err)
		}
	}
	if b.Counts["asked"] > 0 && acted.Left <= time.Since(began) {
		return e.askedBatch(o, acted, b, ", then its time was over")
	}
	return tryAgain
}

func (e *executor) askedBatch(o acts.OneShot, acted leases.Acted, b batchPass, then string) attempt {
	if len(b.Counts) == 0 {
		return e.unknownBatch(o, acted, "no open payout of this batch is known here: check the batch's name")
	}
	a := doneAs(fmt.Sprintf("%d asked about%s", b.Counts["asked"], then))
	a.said.Counts = b.Counts
	return a
}

// unknownBatch is for a batch of which this shard knows nothing open. Shard 0 speaks last: only if no other shard
// knows the batch, nobody does. In an epoch that began after the action nobody can tell: a wiped journal may not know
// the batch yet. Such a shard counts none, where one that knows nothing of the batch counts nothing.
func (e *executor) unknownBatch(o acts.OneShot, acted leases.Acted, why string) attempt {
	a := doneAs("nothing of it was open in this shard")
	switch {
	case acted.Old:
		a = doneAs("nothing of it was open in this shard since its journal began anew")
		a.said.Counts = map[string]int{countCancelled: 0}
		return a
	case e.Shard != 0 || o.Firm:
		a.said.Counts = map[string]int{}
		return a
	}
	for shard := 1; shard < e.Shards; shard++ {
		ended, told := o.In(shard)
		if !told {
			return tryAgain
		}
		if len(ended.Counts) > 0 {
			return a
		}
	}
	return refusedAs(why)
}

// askPage asks about those payouts of a page that may have been sent, as many at once as there are permits.
func (e *executor) askPage(taking, ctx context.Context, all []payout.Payout, acted leases.Acted, b *batchPass) error {
	byMerchant := map[string][]string{}
	for _, p := range all {
		switch {
		case p.State == payout.StateReceived:
			b.Counts["not sent"]++
		case p.State.Final() || e.loop.merchants[p.Merchant] == nil || p.Step != payout.StepAsk:
			b.Counts["ended"]++
		default:
			byMerchant[p.Merchant] = append(byMerchant[p.Merchant], p.TradeNo)
		}
	}
	for name, tradeNos := range byMerchant {
		for len(tradeNos) > 0 {
			n, err := e.askSome(taking, ctx, e.loop.merchants[name], tradeNos, acted, b)
			if err != nil || n == 0 {
				return err
			}
			tradeNos = tradeNos[n:]
		}
	}
	return nil
}

// askSome asks about the first ones of some payouts, and answers about how many.
func (e *executor) askSome(taking, ctx context.Context, m *merchant, tradeNos []string, acted leases.Acted, b *batchPass) (int, error) {
	permits, err := e.permit(taking, ctx, m, len(tradeNos), acted)
	defer permits.end()
	if err != nil || permits.len() == 0 {
		return 0, err
	}
	begun, err := e.Journal.BeginAct(ctx, acted.Claim, acted.Note)
	if err != nil || !begun {
		return 0, err
	}
	n := permits.len()
	leased, err := e.Journal.LeaseByName(ctx, leases.ByName{TradeNos: tradeNos[:n], States: askable, For: e.loop.Lease})
	if err != nil {
		return 0, err
	}
	over := make(chan *task, n)
	calls := 0
	for _, named := range leased.Payouts {
		if named.Found != leases.NamedLeased {
			b.Counts["somebody is at it"]++
			continue
		}
		t := e.loop.newTask(payout.StepAsk, m, leases.Leased{Lease: leased.Lease, Evidence: leased.EvidenceOf(m.Policy.Account)}, named.Payout)
		calls++
		e.loop.call(t, permits.next(), func() {
			defer func() { over <- t }()
			e.loop.ask(taking, ctx, t)
		})
	}
	for range calls {
		if t := <-over; t.asked != nil {
			b.Counts["asked"]++
		} else {
			b.Counts["somebody is at it"]++
		}
	}
	return n, nil
}
