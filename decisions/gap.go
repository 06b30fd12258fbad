package decisions

import (
	"context"
	"fmt"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/epochs"
)

// gap is what a rebuild can't read because the topics have lost it.
type gap struct {
	loss
	reach  time.Time // a command that is unknown afterwards, and older, may have been paid
	unsent bool      // what waits to be sent may have been sent: Redis has lost its end, and so has the log
}

// trusted are the witnesses that still count: none, where a history is another one.
func (g *gap) trusted(witnesses map[string]string) map[string]string {
	if g.any() {
		return nil
	}
	return witnesses
}

// gap finds out whether the topics still hold what they are known to have held. The journal
// knows, this instance knows, and the topics of a wiped journal are compared with each other.
//
// A loss is written into every partition of the decisions before anything else is done. So
// each later rebuild knows of it, also that of a wiped journal. Until the dedup window has
// passed, such a rebuild must hold what it doesn't know (protocol E9).
func (k *Keeper) gap(ctx context.Context, s epochs.Standing, e epochs.Epoch, fences map[int]int64) (*gap, error) {
	g := &gap{}
	var err error
	for _, m := range []knowledge{knowledgeOf(s), k.known} {
		if g.any() {
			break
		}
		if g.loss, err = k.missing(ctx, m); err != nil {
			return nil, err
		}
	}
	wiped := len(s.Decisions) == 0
	if wiped && !g.any() {
		if g.decisions, g.reach, err = k.mismatch(ctx, e, fences); err != nil {
			return nil, err
		}
	}
	if !g.any() {
		return g, nil
	}
	if g.reach.IsZero() {
		g.reach = time.Now()
	}
	g.unsent = g.decisions != "" && !wiped && !s.Whole
	k.Logger.Error().Str("gone", g.String()).Int("shard", k.Log.shard).Bool("journal_whole", s.Whole).
		Str("to_do", toDo(wiped)).
		Msg("kafka has lost what was decided or announced: if redis is lost too within redis.dedup_window, commands of before are held")
	for p := range fences {
		if _, err := k.Log.append(ctx, p, []message.Decision{{Kind: message.KindLost, Epoch: e, Why: g.String()}}); err != nil {
			return nil, err
		}
	}
	// Only this history is remembered from here on: the loss is on record.
	k.known = knowledge{}
	return g, nil
}

func toDo(wiped bool) string {
	const topics = "see to it that nobody makes these topics anew, renames, cuts or compacts them"
	if wiped {
		return topics + "; if this is the first start of a fleet: see docs/operations.md, Before the first start"
	}
	return topics
}

// reaches answers how far back a rebuilt journal knows finals; zero: as far as before. One
// that is whole knows all that the topics ever lost, also what an earlier attempt has put on
// record.
func (g *gap) reaches(whole bool, trimmed, lost time.Time) time.Time {
	if whole {
		return time.Time{}
	}
	return latest(trimmed, lost, g.reach)
}

// slack is by how much clocks of instances may differ that wrote results and decisions.
const slack = time.Minute

// mismatch compares the topics of a wiped journal with each other, and answers why they don't belong
// together, "" if they may. Before the first result there
// was a fence, and before the first committed offset too. Where results or commits are older
// than the decisions, these are not the decisions that belong to them. A first start finds
// neither.
func (k *Keeper) mismatch(ctx context.Context, e epochs.Epoch, fences map[int]int64) (why string, reach time.Time, err error) {
	onlyFences := true
	var first time.Time
	for p, fence := range fences {
		start, _, err := k.Log.source(p).Bounds(ctx)
		if err != nil || start > 0 { // it is old enough to have been trimmed: see begins
			return "", reach, err
		}
		page, err := k.Log.source(p).Fetch(ctx, start, lookWait)
		if err != nil {
			return "", reach, err
		}
		for i, r := range page.Records {
			if i == 0 && (first.IsZero() || r.Time.Before(first)) {
				first = r.Time
			}
			onlyFences = onlyFences && (r.Offset >= fence || isFence(r.Value))
		}
	}
	result, ever, err := k.earliestResult(ctx)
	switch {
	case err != nil:
		return "", reach, err
	case onlyFences && ever:
		return fmt.Sprintf("%s holds nothing, but %s holds results", k.Log.topic, k.Results), reach, nil
	case !onlyFences && !result.IsZero() && result.Add(slack).Before(first):
		return fmt.Sprintf("%s begins at %s, but %s at %s", k.Log.topic, first.UTC().Format(time.RFC3339), k.Results, result.UTC().Format(time.RFC3339)), first, nil
	case !onlyFences || k.Lived == nil:
		return "", reach, nil
	}
	lived, err := k.Lived(ctx)
	if err != nil {
		return "", reach, fmt.Errorf("was anything read before? %w", err)
	}
	if lived {
		why = k.Log.topic + " holds nothing, but offsets of the commands are committed"
	}
	return why, reach, nil
}

// earliestResult answers when the first result of a disburser that is still there was
// written, and whether there ever was one.
func (k *Keeper) earliestResult(ctx context.Context) (at time.Time, ever bool, err error) {
	ends, err := k.resultEnds(ctx)
	if err != nil {
		return at, false, err
	}
	for p, end := range ends {
		start, _, err := k.results(p).Bounds(ctx)
		if err != nil {
			return at, false, err
		}
		first, found, err := firstOwn(ctx, k.results(p), start, end)
		if err != nil {
			return at, false, err
		}
		ever = ever || found || end > 0 && start >= end // of what is deleted nobody knows whose it was
		if found && (at.IsZero() || first.Before(at)) {
			at = first
		}
	}
	return at, ever, nil
}

// firstOwn answers when the first result of a disburser was written. Others may write to
// the topic too.
func firstOwn(ctx context.Context, source partition.Source, start, end int64) (at time.Time, found bool, err error) {
	reader := partition.Reader{Source: source}
	defer reader.Release()
	for from := start; from < end; {
		page, err := reader.Next(ctx, from, lookWait)
		if err != nil {
			return at, false, err
		}
		if page.Next == from {
			return at, false, fmt.Errorf("%s/%d: the broker didn't return the records at %d that it has acknowledged", source.Topic, source.Partition, from)
		}
		for _, r := range page.Records {
			if _, ours := fingerprintOf(r); ours {
				return r.Time, true, nil
			}
		}
		from = page.Next
	}
	return at, false, nil
}

// presumedAtOnce is how many payouts are taken at a time.
const presumedAtOnce = 200

// presumeSent makes what waits to be sent something that may have been sent: it is asked
// about. While one of them stays as it is the epoch doesn't open.
func (k *Keeper) presumeSent(ctx context.Context, id string) error {
	presumed := map[string]bool{}
	for {
		unsent, err := k.Journal.Unsent(ctx, id, presumedAtOnce)
		if err != nil || len(unsent) == 0 {
			return err
		}
		for i := range unsent {
			if presumed[unsent[i].TradeNo] {
				return fmt.Errorf("decisions: %s may have been sent, and can't be kept from being sent: ask about it, and report a bug", unsent[i].TradeNo)
			}
			presumed[unsent[i].TradeNo] = true
			unsent[i].Time = time.Now()
		}
		if err := k.Journal.Restore(ctx, id, k.Lease, unsent); err != nil {
			return err
		}
	}
}

// latest answers the latest of some times, zero if all are.
func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
