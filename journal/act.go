package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// actKept is how long it is remembered what became of an action, once that stands in Kafka. It only has to be read
// there; and a person may look.
const actKept = 7 * 24 * time.Hour

// Act sees an action, and claims it for so long if it may be carried out now. The same token claims it again.
// Without a token nothing is claimed.
func (j *Journal) Act(ctx context.Context, a leases.Act, token string, claim time.Duration) (leases.Acted, error) {
	epoch, lasts := j.epoch.id(), ""
	if a.Lasts > 0 {
		lasts = strconv.FormatInt(a.Lasts.Milliseconds(), 10)
	}
	if !a.Complete {
		token = ""
	}
	answer, err := j.runAs(ctx, "act", []any{epoch, a.ID, a.Order, a.Recorded.UnixMilli(), lasts, token, claim.Milliseconds()})
	if err != nil {
		return leases.Acted{}, err
	}
	return leases.Acted{
		Claim: leases.Claim{Action: a.ID, Token: token, Epoch: epoch}, Mine: word(answer, 0) == "y", Made: word(answer, 1) == "1", Note: word(answer, 2),
		Mark: leases.Mark(word(answer, 3)), Said: word(answer, 4), MarkedAt: instant(answer, 5), Told: word(answer, 6) == "1",
		Left: time.Duration(number(answer, 7)) * time.Millisecond, Old: word(answer, 8) == "1", Touched: int(number(answer, 9)),
	}, nil
}

// NoteAct notes how far the owner of a claim is. It answers false if the claim is somebody else's now.
func (j *Journal) NoteAct(ctx context.Context, c leases.Claim, note string) (bool, error) {
	return j.mark(ctx, c, "note", note)
}

// BeginAct passes an action's point of no return, unless it is too late. From here on it only can be done.
func (j *Journal) BeginAct(ctx context.Context, c leases.Claim, note string) (bool, error) {
	return j.mark(ctx, c, "begin", note)
}

// MarkAct notes what became of an action. Done may be said only of what was decided, acknowledged and looked at.
// It answers false where the claim is somebody else's, or where refused or expired is said of what was made.
func (j *Journal) MarkAct(ctx context.Context, c leases.Claim, mark leases.Mark, said string) (bool, error) {
	return j.mark(ctx, c, string(mark), said)
}

func (j *Journal) mark(ctx context.Context, c leases.Claim, what, text string) (bool, error) {
	answer, err := j.runAs(ctx, "mark", []any{c.Epoch, c.Action, c.Token, what, text})
	return err == nil && word(answer, 0) == "1", err
}

// TouchAct counts payouts that are about to end by a batch's cancel that can't be refused any more. From here on it
// isn't: a mark that refuses it is void. A payout counts once, however often it is named.
func (j *Journal) TouchAct(ctx context.Context, epoch, action string, tradeNos []string) error {
	args := []any{epoch, action, actKept.Milliseconds()}
	for _, tradeNo := range tradeNos {
		args = append(args, tradeNo)
	}
	_, err := j.runAs(ctx, "touch", args)
	return err
}

// ToldAct notes that what is marked stands in Kafka.
func (j *Journal) ToldAct(ctx context.Context, c leases.Claim) error {
	_, err := j.runAs(ctx, "told", []any{c.Epoch, c.Action, actKept.Milliseconds()})
	return err
}

// CarryAct makes the effect of an action on one leased payout. The same script checks that the claim still holds,
// that it isn't too late, and that the payout is as it was leased.
func (j *Journal) CarryAct(ctx context.Context, c leases.Claim, change leases.Change) (leases.Carried, error) {
	p := change.After
	answer, err := j.runAs(ctx, "carry", []any{
		c.Epoch, c.Action, c.Token, p.TradeNo, change.Token, string(change.Before), millis(p.Due), head(p, change.Token, time.Time{}), progressOf(p).text(),
	})
	if err != nil {
		return 0, err
	}
	return leases.Carried(word(answer, 0)[0]), nil
}

// LeaseByName leases payouts of one merchant by their tradeNos, in whatever lane they wait. A received one isn't
// sent while it is leased.
func (j *Journal) LeaseByName(ctx context.Context, r leases.ByName) (leases.LeasedByName, error) {
	b := leases.LeasedByName{Lease: leases.Lease{Token: NewToken(), Epoch: j.epoch.id(), Asked: time.Now()}}
	states := ""
	for _, s := range r.States {
		states += string(s)
	}
	args := []any{b.Epoch, j.window.Milliseconds(), b.Token, r.For.Milliseconds(), states}
	for _, tradeNo := range r.TradeNos {
		args = append(args, tradeNo, bucket(tradeNo))
	}
	answer, err := j.runAs(ctx, "take", args)
	if err != nil {
		return leases.LeasedByName{}, err
	}
	b.Took = time.Since(b.Asked)
	b.LeasedAt, b.EndsAt = instant(answer, 0), instant(answer, 1)
	b.Evidence = leases.Evidence{ServedAt: instant(answer, 2), About: word(answer, 3), Settled: word(answer, 4)}
	b.Served = accountOf(word(answer, 5))
	for i, tradeNo := range r.TradeNos {
		named, record := leases.Named((word(answer, 6+2*i) + " ")[0]), word(answer, 7+2*i)
		n := leases.NamedPayout{Found: named, Payout: payout.Payout{Command: payout.Command{TradeNo: tradeNo}}}
		switch {
		case named == leases.NamedEnded && record != "":
			n.Payout.State = payout.State(record[0])
		case record != "":
			if n.Payout, err = decode(tradeNo, record); err != nil {
				return leases.LeasedByName{}, err
			}
			if named == leases.NamedLeased && record[tokenAt:tokenAt+len(b.Token)] != b.Token {
				return leases.LeasedByName{}, fmt.Errorf("journal: take: the answer is about %s, which this lease doesn't have: it is another call's", tradeNo)
			}
		}
		b.Payouts = append(b.Payouts, n)
	}
	return b, nil
}

// decided notes which actions a replay has found decisions of, for the epoch that is being built under id.
func (j *Journal) decided(ctx context.Context, id string, items []epochs.Restored) error {
	args, known := []any{id, "", actKept.Milliseconds()}, map[string]bool{}
	for _, r := range items {
		if r.Kind != epochs.WasAnnounced && r.Action != "" && !known[r.Action] {
			known[r.Action] = true
			args = append(args, r.Action)
		}
	}
	if len(known) == 0 {
		return nil
	}
	_, err := j.runAs(ctx, "decided", args)
	return err
}

// openLook is how many open payouts one call of openof looks at.
const openLook = 500

// OpenOf answers a page of the open payouts of a batch, for all merchants. The cursor is the page's before, "" at the
// beginning. A payout may come twice; what comes in meanwhile is not among them. A cancel says its order among the
// actions: whoever hasn't read it inserts nothing from the first page on. Others say 0.
func (j *Journal) OpenOf(ctx context.Context, batch, cursor string, order int64) (page leases.OpenPage, err error) {
	answer, err := j.run(ctx, "openof", strings.ReplaceAll(batch, "\n", " "), cursor, openLook, order)
	if err != nil {
		return page, err
	}
	page.Next = word(answer, 0)
	for i := 1; i+1 < len(answer); i += 2 {
		p, err := decode(word(answer, i), word(answer, i+1))
		if err != nil {
			continue // Lease reports it
		}
		page.Payouts = append(page.Payouts, p)
	}
	return page, nil
}
