package decisions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"disburser/internal/partition"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

const (
	// portionClaim is how long a worker may be silent about its portion before another one
	// gets it. Two on one portion do no harm, but the slower one's page is thrown away. So the
	// claim is longer than a fetch (5.5 s) and the restore of a page of 4 MB. A helper that
	// dies costs this much, no more than a dead builder.
	portionClaim = claimFor

	// portionAgain is the pause before a worker that found nothing to do looks again.
	portionAgain = 20 * time.Millisecond

	// workers is how many portions an instance works off at once: while one waits for
	// Kafka, the other restores.
	workers = 2
)

// rebuild is an instance's share in the replay of one building, its own or another's.
type rebuild struct {
	keeper *Keeper
	id     string // of the building
	began  time.Time

	moved chan struct{} // a worker of this instance has got on; the other one may wait for it

	mu   sync.Mutex
	said time.Time
}

func (k *Keeper) newRebuild(id string) *rebuild {
	return &rebuild{keeper: k, id: id, began: time.Now(), moved: make(chan struct{}, workers)}
}

// plan divides a replay into portions, one for each partition, up to the given ends. A Redis
// that lost only its latest writes is read to from its watermarks, which takes about a second.
// A wiped one gets the whole window, and so does a topic that is another one than it was.
// reach says how far back the journal knows finals afterwards; zero: as far as before.
func (k *Keeper) plan(ctx context.Context, s epochs.Standing, gap *gap, decisionEnds, resultEnds map[int]int64) (portions []epochs.Portion, reach time.Time, err error) {
	fence := s.Was // who wrote what stands in this Redis; "" where it was wiped
	if s.Epoch.ID != "" {
		fence = s.Epoch.ID
	}
	whole := len(s.Decisions) == 0
	add := func(decisions bool, source func(int) partition.Source, ends, marks map[int]int64) error {
		for number, end := range ends {
			from, trimmed, err := begins(ctx, source(number), end, marks, whole)
			if err != nil {
				return err
			}
			if trimmed.After(reach) {
				reach = trimmed
			}
			gap.unsent = gap.unsent || decisions && !whole && !s.Whole && !trimmed.IsZero()
			p := epochs.Portion{Decisions: decisions, Partition: number, From: from, Next: from, End: end}
			// Where records behind the mark are gone, so may a fence be: decisions count then.
			if mark, known := marks[number]; decisions && (!known || from <= mark) {
				p.Fence = fence
			}
			portions = append(portions, p)
		}
		return nil
	}
	results, decided := s.Results, s.Decisions
	if gap.results != "" {
		results = nil
	}
	if gap.decisions != "" {
		decided = nil
	}
	if err := add(false, k.results, resultEnds, results); err != nil {
		return nil, reach, err
	}
	return portions, reach, add(true, k.Log.source, decisionEnds, decided)
}

// begins answers where the replay of a partition begins. trimmed says how far back it reaches
// where something is missing before it. A partition that still begins at offset 0 holds all
// there ever was; a trimmed one reaches back to its earliest record (protocol I4).
func begins(ctx context.Context, source partition.Source, end int64, marks map[int]int64, whole bool) (from int64, trimmed time.Time, err error) {
	start, _, err := source.Bounds(ctx)
	if err != nil {
		return 0, trimmed, err
	}
	mark, known := marks[source.Partition]
	if !whole && (!known || mark >= start) {
		return max(mark, start), trimmed, nil // a partition added since has no mark: all of it
	}
	if start == 0 {
		return 0, trimmed, nil
	}
	trimmed = time.Now() // all of it deleted: nothing is known
	if start < end {
		page, err := source.Fetch(ctx, start, lookWait)
		if err != nil {
			return 0, trimmed, err
		}
		if len(page.Records) > 0 {
			trimmed = page.Records[0].Time
		}
	}
	return start, trimmed, nil
}

// replay lays the plan out for all instances, works, and answers when everything is done,
// by whomever, what was learned of the topics themselves.
func (r *rebuild) replay(ctx context.Context, portions []epochs.Portion) (learned replayed, err error) {
	if err := r.keeper.Journal.Plan(ctx, r.id, r.keeper.Shards, portions); err != nil {
		return learned, err
	}
	all, err := r.work(ctx, true)
	if err != nil {
		return learned, err
	}
	var records, lost int64
	for _, p := range all {
		learned.highest, learned.worked = max(learned.highest, p.Highest), max(learned.worked, p.Worked)
		lost = max(lost, p.Lost)
		learned.action = latestAction(learned.action, acts.ParsePlace(p.Action))
		records += p.End - p.From
	}
	if lost > 0 {
		learned.lost = time.UnixMilli(lost)
	}
	r.keeper.Logger.Info().Int64("records", records).Dur("took", time.Since(r.began)).Int("shard", r.keeper.Log.shard).Msg("replayed")
	return learned, nil
}

// replayed is what a replay learned of the topics.
type replayed struct {
	highest int        // number of an epoch
	worked  int        // the same, of those that did more than begin
	action  acts.Place // the latest that is on record in the decisions
	lost    time.Time  // of what came before, something is gone; zero if nothing is known to be
}

// errElsewhere says that another instance builds; how far it is stands in the reason.
var errElsewhere = errors.New("another instance is rebuilding the journal")

// assist works for another instance's building while there is something to do.
func (k *Keeper) assist(ctx context.Context, id string) error {
	r := k.newRebuild(id)
	all, err := r.work(ctx, false)
	switch {
	case err != nil && !errors.Is(err, epochs.ErrOver): // that is how it ends
		return fmt.Errorf("helping another instance to rebuild the journal: %w", err)
	case len(all) == 0:
		k.set(epochs.Epoch{}, errElsewhere.Error())
	default:
		k.set(epochs.Epoch{}, progress(all))
	}
	return errElsewhere
}

// work runs the workers. The builder's stay until every portion is done, a helper's leave
// when there is none to be had. It answers all portions as they stand then.
func (r *rebuild) work(ctx context.Context, builder bool) ([]epochs.Portion, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	var last []epochs.Portion
	for n := range workers {
		running.Go(func() {
			var all []epochs.Portion
			err := r.keeper.survive("rebuilding", func() (err error) {
				all, err = r.worker(ctx, builder)
				return err
			})
			if err != nil {
				stop(err)
			}
			if n == 0 {
				last = all
			}
		})
	}
	running.Wait()
	return last, context.Cause(ctx)
}

func (r *rebuild) worker(ctx context.Context, builder bool) ([]epochs.Portion, error) {
	name := newID()
	for {
		portion, all, err := r.keeper.Journal.Share(ctx, r.id, r.keeper.Shards, name, portionClaim, nil)
		switch {
		case err != nil:
			return nil, err
		case portion != nil:
			r.tell(all)
			if err := r.restore(ctx, name, portion); err != nil {
				return nil, err
			}
		case !builder || done(all):
			return all, nil
		default: // another instance is at the last ones, or was, until its claim ends
			r.tell(all)
			r.wait(ctx)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// wait pauses until the other worker has got on, or another instance may have.
func (r *rebuild) wait(ctx context.Context) {
	timer := time.NewTimer(portionAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.moved:
	case <-timer.C:
	}
}

func done(all []epochs.Portion) bool {
	if len(all) == 0 { // the plan is gone: that is no rebuild
		return false
	}
	for _, p := range all {
		if !p.Done {
			return false
		}
	}
	return true
}

// restore works off a portion, page by page, until it is done or somebody else's.
func (r *rebuild) restore(ctx context.Context, worker string, p *epochs.Portion) error {
	var reader partition.Reader
	defer func() { reader.Release() }()
	for {
		if p.Next >= p.End {
			p.Done = true
		} else if err := r.page(ctx, r.reader(&reader, p), p); err != nil {
			return err
		}
		left, all, err := r.keeper.Journal.Share(ctx, r.id, r.keeper.Shards, worker, portionClaim, p)
		if err != nil {
			return err
		}
		r.tell(all)
		select {
		case r.moved <- struct{}{}:
		default:
		}
		if left == nil || left.Decisions != p.Decisions || left.Partition != p.Partition {
			if left == nil {
				return nil
			}
			p = left
		}
	}
}

// reader answers the one of a portion: the same one as long as the portion is.
func (r *rebuild) reader(last *partition.Reader, p *epochs.Portion) *partition.Reader {
	source := r.keeper.results(p.Partition)
	if p.Decisions {
		source = r.keeper.Log.source(p.Partition)
	}
	if last.Source != source {
		last.Release()
		*last = partition.Reader{Source: source}
	}
	return last
}

// page restores the next page of a portion.
func (r *rebuild) page(ctx context.Context, reader *partition.Reader, p *epochs.Portion) error {
	page, err := reader.Next(ctx, p.Next, lookWait)
	if err != nil {
		return err
	}
	if page.Next == p.Next {
		return fmt.Errorf("%s/%d: the broker didn't return the records at %d that it has acknowledged", reader.Topic, reader.Partition, p.Next)
	}
	reading := reading{keeper: r.keeper, epoch: r.id}
	var learned []epochs.Restored
	if page.Holes { // offsets that aren't there any more: these were compacted away
		p.Lost = max(p.Lost, r.began.UnixMilli())
	}
	var seen time.Time // no earlier than what stands before: a writer's clock may be slow
	for _, record := range page.Records {
		if record.Offset >= p.End { // written since: its writer was of a later epoch, or is refused
			continue
		}
		if record.Time.After(seen) {
			seen = record.Time
		}
		items, err := reading.read(record, p)
		if err != nil {
			return err
		}
		for _, item := range items {
			item.Seen = seen
			learned = append(learned, item)
		}
	}
	p.Next = page.Next
	return r.put(ctx, learned)
}

// put restores what was learned, sends by the lease that they were decided under.
func (r *rebuild) put(ctx context.Context, learned []epochs.Restored) error {
	if len(learned) == 0 {
		return nil
	}
	longest := r.keeper.Lease
	for _, item := range learned {
		longest = max(longest, item.Lease)
	}
	return r.keeper.Journal.Restore(ctx, r.id, longest, learned)
}

// tell says, for /readyz and once a second in the log, how far all of it is.
func (r *rebuild) tell(all []epochs.Portion) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.said) < time.Second {
		return
	}
	r.said = time.Now()
	r.keeper.set(epochs.Epoch{}, progress(all))
	if time.Since(r.began) > time.Second {
		r.keeper.Logger.Info().Int("shard", r.keeper.Log.shard).Msg(progress(all))
	}
}

func progress(all []epochs.Portion) string {
	var done, records int64
	for _, p := range all {
		done += min(p.Next, p.End) - p.From
		records += p.End - p.From
	}
	return fmt.Sprintf("the journal is being rebuilt: %d of %d records replayed", done, records)
}
