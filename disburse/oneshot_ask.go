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
	p, found := leased.Payouts[0].Payout, leased.Payouts[0].Found
	unasked := "" // why it can't be asked about
	switch {
	case found == leases.NamedLeased:
	case found == leases.NamedUnknown:
		unasked = unknownPayout
	case found == leases.NamedBusy:
		return tryAgain
	case found == leases.NamedEnded || p.State.Final():
		unasked = "it has ended as " + p.State.String() + ": there is nothing left to ask"
	case p.State == payout.StateReceived:
		unasked = "it was not sent yet: there is nothing to ask about"
	default:
		return tryAgain // held, and being announced
	}
	if unasked != "" && acted.Made {
		return askedBefore(p)
	} else if unasked != "" {
		return refusedAs(unasked)
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

// askedBefore is for what can't be asked about any more once the action was begun. Its ask may have made it so, and whoever
// asked has died since. So it is never refused.
func askedBefore(p payout.Payout) attempt {
	if p.State == 0 {
		return doneAs("it was being asked about; nothing of it is known here any more")
	}
	return doneAs("it was being asked about; it is " + p.State.String())
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
		if acted.Made {
			return nil, askedBefore(p)
		}
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

// batchAsk is one attempt to ask about the payouts of a batch that may have been sent.
type batchAsk struct {
	*executor
	shot  acts.OneShot
	acted leases.Acted
	seen  time.Time // when the journal was asked for acted
	batchPass
}

// askBatch asks page by page, until the deadline. A page may take long, so the claim is renewed meanwhile, and each step
// has a time of its own. While nobody can be asked, the pass waits where it is: it goes on only behind what was asked about.
func (e *executor) askBatch(taking, working context.Context, o acts.OneShot, acted leases.Acted) attempt {
	a, before := batchAsk{e, o, acted, time.Now(), passOf(acted.Note)}, acted.Made
	for taking.Err() == nil && working.Err() == nil {
		whole, err := a.page(taking, working)
		switch {
		case err != nil:
			return attemptFailed(err)
		case a.over():
			return a.asked(before, ", then its time was over")
		case !whole:
			return tryAgain
		case a.Cursor == "":
			return a.asked(before, "")
		}
	}
	return tryAgain
}

// over tells that its time is over. What hasn't passed the point of no return by then expires, which the journal says.
func (a *batchAsk) over() bool { return a.acted.Made && a.acted.Left <= time.Since(a.seen) }

// asked is what came of it. before says that somebody had begun with it, who may have asked more than is noted.
func (a *batchAsk) asked(before bool, then string) attempt {
	if len(a.Counts) == 0 && !before {
		return a.unknownBatch(a.shot, a.acted, "no open payout of this batch is known here: check the batch's name")
	}
	done := doneAs(fmt.Sprintf("%d asked about%s", a.Counts[countAsked], then))
	if before && a.Counts[countAsked] == 0 {
		done = doneAs("it was being asked about when its instance stopped" + then)
	}
	a.Counts[countAsked] += 0 // it is known here: see unknownBatch
	done.said.Counts = a.Counts
	return done
}

// page asks about those payouts of the next page that may have been sent. It is whole once nobody of it is left to be
// asked about.
func (a *batchAsk) page(taking, working context.Context) (whole bool, err error) {
	var page leases.OpenPage
	err = inTimeForAct(working, func(ctx context.Context) (err error) {
		page, err = a.Journal.OpenOf(ctx, a.shot.Scope.Name, a.Cursor, 0)
		return err
	})
	counts, byMerchant := map[string]int{}, map[string][]string{}
	for _, p := range page.Payouts {
		switch {
		case p.State == payout.StateReceived:
			counts["not sent"]++
		case p.State.Final() || a.loop.merchants[p.Merchant] == nil || p.Step != payout.StepAsk:
			counts["ended"]++
		default:
			byMerchant[p.Merchant] = append(byMerchant[p.Merchant], p.TradeNo)
		}
	}
	for name, tradeNos := range byMerchant {
		for len(tradeNos) > 0 && err == nil {
			n := 0
			err = inTimeForAct(working, func(ctx context.Context) (err error) {
				n, err = a.some(taking, ctx, a.loop.merchants[name], tradeNos, counts)
				return err
			})
			if n == 0 {
				return false, err
			}
			tradeNos = tradeNos[n:]
		}
	}
	if err != nil {
		return false, err
	}
	for what, n := range counts {
		a.Counts[what] += n
	}
	if a.Cursor = page.Next; page.Next == "" {
		return true, nil
	}
	err = inTimeForAct(working, func(ctx context.Context) (err error) {
		whole, err = a.Journal.NoteAct(ctx, a.acted.Claim, a.note())
		return err
	})
	return whole, err
}

// renew has the claim last on. The pass ends if it is somebody else's.
func (a *batchAsk) renew(ctx context.Context) (mine bool, err error) {
	if time.Since(a.seen) < actClaim/6 {
		return true, nil
	}
	seen := time.Now()
	acted, err := a.Journal.Act(ctx, actOf(a.shot), a.token, actClaim)
	if err == nil {
		a.acted, a.seen = acted, seen
	}
	return err == nil && acted.Mine, err
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

// some asks about the first ones of some payouts, and answers about how many.
func (a *batchAsk) some(taking, ctx context.Context, m *merchant, tradeNos []string, counts map[string]int) (int, error) {
	mine, err := a.renew(ctx)
	if err != nil || !mine || a.over() {
		return 0, err
	}
	permits, err := a.permit(taking, ctx, m, len(tradeNos), a.acted)
	defer permits.end()
	if err != nil || permits.len() == 0 {
		return 0, err
	}
	begun, err := a.Journal.BeginAct(ctx, a.acted.Claim, a.note())
	if err != nil || !begun {
		return 0, err
	}
	a.acted.Made = true
	n := permits.len()
	leased, err := a.Journal.LeaseByName(ctx, leases.ByName{TradeNos: tradeNos[:n], States: askable, For: a.loop.Lease})
	if err != nil {
		return 0, err
	}
	over := make(chan *task, n)
	calls := 0
	for _, named := range leased.Payouts {
		if named.Found != leases.NamedLeased {
			counts["somebody is at it"]++
			continue
		}
		t := a.loop.newTask(payout.StepAsk, m, leases.Leased{Lease: leased.Lease, Evidence: leased.EvidenceOf(m.Policy.Account)}, named.Payout)
		calls++
		a.loop.call(t, permits.next(), func() {
			defer func() { over <- t }()
			a.loop.ask(taking, ctx, t)
		})
	}
	for range calls {
		if t := <-over; t.asked != nil {
			a.Counts[countAsked]++
		} else {
			counts["somebody is at it"]++
		}
	}
	return n, nil
}
