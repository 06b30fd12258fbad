package decisions

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
	"github.com/rs/zerolog"
)

const (
	// claim is how long a builder keeps others from building at the same time; a dead
	// one is replaced after it.
	claim = 10 * time.Second

	// again is the pause between attempts to find or begin an epoch.
	again = 500 * time.Millisecond
)

// Journal is what the keeper needs of the memory.
type Journal interface {
	Standing(ctx context.Context) (payout.Standing, error)
	Build(ctx context.Context, id, ending string, claim time.Duration) error
	OpenEpoch(ctx context.Context, e payout.Epoch, shards int, fences map[int]int64) error
	Believe(id string)
}

// Keeper keeps one shard in an epoch: it joins the open one, or begins the first.
type Keeper struct {
	journal Journal
	log     *Log
	shards  int
	logger  zerolog.Logger
	lost    chan struct{}

	mu      sync.Mutex
	current payout.Epoch // zero while none is joined
	why     string       // why none is, for /readyz
}

// NewKeeper makes a keeper for the shard that log decides for.
func NewKeeper(journal Journal, log *Log, shards int, logger zerolog.Logger) *Keeper {
	return &Keeper{journal: journal, log: log, shards: shards, logger: logger, lost: make(chan struct{}, 1), why: "no epoch has been joined yet"}
}

// Epoch answers the joined epoch, or why there is none.
func (k *Keeper) Epoch() (payout.Epoch, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current, k.why
}

// Lost tells the keeper that somebody met payout.ErrEpoch. It never blocks.
func (k *Keeper) Lost() {
	select {
	case k.lost <- struct{}{}:
	default:
	}
}

// Run keeps the shard in an epoch until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var last payout.Epoch
	for ctx.Err() == nil {
		e, err := k.establish(ctx)
		if err != nil {
			k.say(ctx, err)
			sleep(ctx, again)
			continue
		}
		k.set(e, "")
		if e == last { // a false alarm: the same epoch is still open
			sleep(ctx, again/10)
		} else {
			k.logger.Info().Int("epoch", e.Number).Str("epoch_id", e.ID).Int("shard", k.log.shard).Msg("in an epoch")
			last = e
		}
		select {
		case <-ctx.Done():
			return
		case <-k.lost:
			k.set(payout.Epoch{}, "the epoch is being checked")
		}
	}
}

// say logs a reason once, until it changes.
func (k *Keeper) say(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	changed := k.why != err.Error()
	k.mu.Unlock()
	k.set(payout.Epoch{}, err.Error())
	if changed {
		k.logger.Warn().Err(err).Int("shard", k.log.shard).Msg("no epoch: nothing is sent until there is one")
	}
}

func (k *Keeper) set(e payout.Epoch, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.why = e, why
}

// establish joins the open epoch, or begins the first one where there has never been
// any.
func (k *Keeper) establish(ctx context.Context) (payout.Epoch, error) {
	s, err := k.journal.Standing(ctx)
	if err != nil {
		return payout.Epoch{}, err
	}
	if s.Shards != 0 && s.Shards != k.shards {
		return payout.Epoch{}, fmt.Errorf("the journal was opened with %d shards, the configuration says %d: set redis.shards back, or let every payout end and take another redis.namespace", s.Shards, k.shards)
	}
	if s.Open() {
		return k.join(s)
	}
	return k.begin(ctx, s)
}

func (k *Keeper) join(s payout.Standing) (payout.Epoch, error) {
	if len(s.Fences) == 0 {
		return payout.Epoch{}, fmt.Errorf("the open epoch %d doesn't say where its fences stand: was it written by another version?", s.Epoch.Number)
	}
	k.log.Enter(s.Epoch, s.Fences)
	k.journal.Believe(s.Epoch.ID)
	return s.Epoch, nil
}

// begin takes the steps of protocol E4 for a first epoch: building record, a fence in
// every partition, the check that they stand last, open.
func (k *Keeper) begin(ctx context.Context, s payout.Standing) (payout.Epoch, error) {
	if err := k.neverDecided(ctx, s); err != nil {
		return payout.Epoch{}, err
	}
	e := payout.Epoch{Number: s.Epoch.Number + 1, ID: newID()}
	if err := k.journal.Build(ctx, e.ID, s.Epoch.ID, claim); err != nil {
		return payout.Epoch{}, err
	}
	fences, err := k.fence(ctx, e)
	if err != nil {
		return payout.Epoch{}, err
	}
	if err := k.journal.OpenEpoch(ctx, e, k.shards, fences); err != nil {
		return payout.Epoch{}, err
	}
	for p := range fences {
		if _, err := k.log.append(ctx, p, []Record{{Kind: KindOpen, Epoch: e}}); err != nil {
			return payout.Epoch{}, err
		}
	}
	return k.join(payout.Standing{Epoch: e, Fences: fences})
}

// fence writes the epoch's fence into every partition and answers where they stand,
// provided that each is the last fence there.
func (k *Keeper) fence(ctx context.Context, e payout.Epoch) (map[int]int64, error) {
	n, err := partition.Count(ctx, k.log.client, k.log.topic)
	if err != nil {
		return nil, err
	}
	fences := make(map[int]int64, n)
	for p := range n {
		offset, err := k.log.append(ctx, p, []Record{{Kind: KindFence, Epoch: e}})
		if err != nil {
			return nil, err
		}
		fences[p] = offset
	}
	for p, offset := range fences {
		_, end, err := k.log.source(p).Bounds(ctx)
		if err != nil {
			return nil, err
		}
		overtaken, err := fencedWithin(ctx, k.log.source(p), k.log.shard, e, offset+1, end)
		if err != nil {
			return nil, err
		}
		if overtaken {
			return nil, fmt.Errorf("another instance has begun an epoch after this one")
		}
	}
	return fences, nil
}

// neverDecided refuses to begin a first epoch over a history: what has been decided
// before must be replayed first.
func (k *Keeper) neverDecided(ctx context.Context, s payout.Standing) error {
	if s.Epoch.ID != "" {
		return errors.New("redis was restarted or replaced since its epoch was opened: its last writes may be lost, and what was decided meanwhile must be replayed")
	}
	n, err := partition.Count(ctx, k.log.client, k.log.topic)
	if err != nil {
		return err
	}
	for p := range n {
		decided, err := decidedIn(ctx, k.log.source(p), k.log.shard)
		if err != nil {
			return err
		}
		if decided {
			return errors.New("redis holds no journal, but the decisions topic does: the journal was lost and must be rebuilt from it")
		}
	}
	return nil
}

// decidedIn tells whether a partition holds any decision of a shard; fences of epochs
// that never decided don't count.
func decidedIn(ctx context.Context, source partition.Source, shard int) (bool, error) {
	from, end, err := source.Bounds(ctx)
	if err != nil {
		return false, err
	}
	if from > 0 {
		return true, nil // older ones were deleted by retention
	}
	for from < end {
		page, err := source.Fetch(ctx, from, lookWait)
		if err != nil {
			return false, err
		}
		for _, r := range page.Records {
			if isDecision(r.Value, shard) {
				return true, nil
			}
		}
		if page.Next == from {
			return false, nil
		}
		from = page.Next
	}
	return false, nil
}

// newID makes an epoch's id: 96 random bits, new for each attempt.
func newID() string {
	var raw [12]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// sleep pauses, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
