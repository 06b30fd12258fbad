package decisions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"disburser/internal/partition"
	"disburser/payout/epochs"
)

const (
	// claim is how long a builder keeps others from building at the same time; it renews
	// it while it works, and a dead one is replaced after it.
	claim = 10 * time.Second

	// again is the pause between attempts to find or begin an epoch, with as much jitter.
	again = 300 * time.Millisecond

	// silence is how long a stale half waits without a word of the later epoch before it
	// begins one itself (protocol E7).
	silence = time.Minute

	// rival is the longest pause of those that begin epochs against each other.
	rival = 16 * again

	// aliveEvery is how long the decisions may be silent before somebody says that the epoch
	// lives: less than half of silence, so that one lost record doesn't end a live epoch.
	aliveEvery = 20 * time.Second

	// keepEvery is how long one partition of them may be silent, so that retention never
	// empties it: where nothing is left to read, a rebuild can vouch for nothing.
	keepEvery = time.Hour

	// markEvery is how often the watermarks are moved: it bounds what a restart replays.
	markEvery = 5 * time.Second
)

// Journal is what the keeper needs of the memory.
type Journal interface {
	Resident
	Founder
	Sharer
}

// Resident is what it needs while an epoch lasts.
type Resident interface {
	Dweller
	Observer
}

// Founder is what it needs to begin one, on whatever Redis still holds.
type Founder interface {
	Builder
	Recoverer
}

// Dweller is what it needs to live in an epoch.
type Dweller interface {
	Standing(ctx context.Context) (epochs.Standing, error)
	Believe(id string)
}

// Observer notes how far the topics were known, what identifies them, and how Redis' clock goes.
type Observer interface {
	Watermark(ctx context.Context, decisions, results map[int]int64) error
	Witness(ctx context.Context, witnesses map[string]string) error
	Clock(ctx context.Context, epoch string, own time.Time, jumped bool) (shown time.Time, vouched bool, err error)
}

// Builder is what it needs to begin one.
type Builder interface {
	Build(ctx context.Context, id, ending string, claim time.Duration) error
	Restore(ctx context.Context, id string, lease time.Duration, items []epochs.Restored) error
	OpenEpoch(ctx context.Context, o epochs.Opening) error
}

// Recoverer is what a beginning needs of what Redis still holds of the epoch before.
type Recoverer interface {
	Unsent(ctx context.Context, id string, n int) ([]epochs.Restored, error)
	Upgrade(ctx context.Context, id string, far func(converted int)) (converted int, unread []error, err error)
}

// Sharer is what the instances need to do the work of a building together.
type Sharer interface {
	Plan(ctx context.Context, id string, shards int, portions []epochs.Portion) error
	Share(ctx context.Context, id string, shards int, worker string, claim time.Duration, held *epochs.Portion) (given *epochs.Portion, all []epochs.Portion, err error)
}

// KeeperConfig says what a keeper keeps.
type KeeperConfig struct {
	Journal Journal
	Log     *Log
	Results string // the results topic
	Shards  int
	Owns    func(tradeNo string) bool  // whether a payout belongs to this shard
	Knows   func(merchant string) bool // whether a merchant is configured
	Lease   time.Duration              // disburse.lease
	Logger  zerolog.Logger

	// Lived tells whether the commands were ever read: an offset is committed. Only a wiped
	// journal beside empty topics is asked; nil: it can't be told.
	Lived func(ctx context.Context) (bool, error)

	// Joined is told when another epoch was joined, before anything is done in it. It must
	// not block; may be nil.
	Joined func(ctx context.Context)
}

// Keeper keeps one shard in an epoch: it joins the open one, or begins the next when
// Redis can't be believed any more.
type Keeper struct {
	KeeperConfig
	lost   chan struct{}
	barred bool          // an attempt to begin met records of a newer version; owned by Run
	newest map[int]int64 // where these stand, by partition; owned by Run
	warned string        // why there was no epoch, when it was last logged; owned by Run
	heard  hearing       // of Redis' clock; owned by Run
	known  memory        // of the topics, since this instance was last in an epoch; owned by Run

	mu      sync.Mutex
	current epochs.Epoch // zero while none is joined
	why     string       // why none is, for /readyz
}

// NewKeeper makes a keeper; Run starts it.
func NewKeeper(c KeeperConfig) *Keeper {
	return &Keeper{KeeperConfig: c, lost: make(chan struct{}, 1), why: "no epoch has been joined yet"}
}

// Epoch answers the joined epoch, or why there is none.
func (k *Keeper) Epoch() (epochs.Epoch, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current, k.why
}

// Lost tells the keeper that somebody met epochs.ErrOver. It never blocks.
func (k *Keeper) Lost() {
	select {
	case k.lost <- struct{}{}:
	default:
	}
}

// Run keeps the shard in an epoch until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var last epochs.Epoch
	pause := again
	for ctx.Err() == nil {
		e, looked, results, err := k.establish(ctx)
		if err != nil {
			if pause *= 2; !errors.Is(err, errRival) {
				pause = again
			}
			k.say(ctx, err)
			sleep(ctx, min(pause, rival)+rand.N(min(pause, rival)))
			continue
		}
		pause, k.warned = again, ""
		k.set(e, "")
		if e != last {
			k.Logger.Info().Int("epoch", e.Number).Str("epoch_id", e.ID).Int("shard", k.Log.shard).Msg("in an epoch")
			if k.Joined != nil {
				k.Joined(ctx)
			}
		}
		last = e
		k.known.decisions, k.known.results = looked, results
		if err := k.see(ctx, k.known.witnesses, looked, results); err != nil && ctx.Err() == nil {
			k.Logger.Debug().Err(err).Msg("what stands in the topics isn't noted yet, trying again")
		}
		k.live(ctx, e, looked, results)
	}
}

// survive makes an error of a panic in a goroutine of the keeper's: it would end the process.
func (k *Keeper) survive(doing string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			k.Logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic while " + doing)
			err = errors.New("a panic while " + doing)
		}
	}()
	return f()
}

// live stays in an epoch, moving its watermarks and saying now and then that it lives,
// until somebody says that it is lost.
func (k *Keeper) live(ctx context.Context, e epochs.Epoch, looked, results map[int]int64) {
	ticker := time.NewTicker(markEvery)
	defer ticker.Stop()
	pulse, moved := newPulse(looked), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.lost:
			k.set(epochs.Epoch{}, "the epoch is being checked")
			sleep(ctx, again/10) // whoever met the error keeps meeting it for a moment
			return
		case <-ticker.C:
			// Apart from the watermarks: Kafka may be away for long.
			if err := k.vouch(ctx, e.ID); errors.Is(err, epochs.ErrOver) {
				k.Logger.Error().Err(err).Int("shard", k.Log.shard).Msg("the clock of Redis has stepped")
				k.Lost()
				continue
			}
			if err := k.mark(ctx, e, looked, results); errors.Is(err, epochs.ErrOver) {
				k.Lost()
			} else if err != nil && ctx.Err() == nil {
				event := k.Logger.Debug()
				if time.Since(moved) > silence { // a restart would replay all of that
					event, moved = k.Logger.Warn(), time.Now()
				}
				event.Err(err).Int("shard", k.Log.shard).Msg("watermarks not moved, trying again")
			} else if err == nil {
				moved = time.Now()
				k.alive(ctx, e, pulse.silent(looked, time.Now()))
			}
		}
	}
}

// say logs a reason once, until it changes.
func (k *Keeper) say(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if !errors.Is(err, errElsewhere) { // which says more by itself
		k.set(epochs.Epoch{}, err.Error())
	}
	if k.warned != err.Error() {
		k.warned = err.Error()
		k.Logger.Warn().Err(err).Int("shard", k.Log.shard).Msg("no epoch: nothing is sent until there is one")
	}
}

func (k *Keeper) set(e epochs.Epoch, why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.why = e, why
}

// establish joins the open epoch or begins the next one. It answers up to where the
// partitions of decisions and results were looked at.
func (k *Keeper) establish(ctx context.Context) (e epochs.Epoch, looked, results map[int]int64, err error) {
	select {
	case <-k.lost: // whatever was met until now, this check is about it
	default:
	}
	// Until the check has found another one, the log goes on deciding for the epoch that it
	// knows: its look is the guard. Leaving it for every false alarm would refuse decisions
	// that are good, and each refusal would be the next alarm.
	defer func() {
		if err != nil {
			k.Log.leave()
			// Nor may anything be asked or announced on account of what may be a stale half: it
			// could hold a payout whose end the other one has announced.
			k.Journal.Believe("")
		}
	}()
	s, err := k.Journal.Standing(ctx)
	if err != nil {
		return e, nil, nil, err
	}
	if s.Shards != 0 && s.Shards != k.Shards {
		return e, nil, nil, fmt.Errorf("the journal was opened with %d shards, the configuration says %d: set redis.shards back, or let every payout end and take another redis.namespace", s.Shards, k.Shards)
	}
	clock := clockOf(s, time.Now())
	if clock != nil && !errors.Is(clock, errDeadEpoch) {
		return e, nil, nil, clock
	}
	if s.Open() {
		looked, err := k.follow(ctx, s)
		if err == nil {
			err = clock
		}
		if err == nil && s.Layout < epochs.Layout {
			err = fmt.Errorf("%w: its journal is of layout %d, this version writes %d", errDeadEpoch, s.Layout, epochs.Layout)
		}
		if err == nil {
			err = k.vouch(ctx, s.Epoch.ID)
		}
		if err == nil {
			k.enter(s.Epoch, looked)
			return s.Epoch, looked, s.Results, nil
		}
		if !errors.Is(err, errDeadEpoch) {
			return e, nil, nil, err
		}
		k.Logger.Warn().Err(err).Int("epoch", s.Epoch.Number).Msg("beginning another epoch")
	} else if s.Building != "" && s.BuildingOn == s.RunID && s.ClaimLeft > 0 {
		return e, nil, nil, k.assist(ctx, s.Building)
	}
	k.Log.leave()
	return k.begin(ctx, s)
}

func (k *Keeper) enter(e epochs.Epoch, looked map[int]int64) {
	k.Log.enter(e, looked)
	k.Journal.Believe(e.ID)
}

// errDeadEpoch says that the open epoch can't go on and another one may begin.
var errDeadEpoch = errors.New("the open epoch is dead")

// follow reads the decisions from where the open epoch has been looked at to their end,
// and answers these ends if no foreign fence stands there. If one does, the epoch is
// over in the log though Redis still holds it (protocol E7).
func (k *Keeper) follow(ctx context.Context, s epochs.Standing) (map[int]int64, error) {
	looked := map[int]int64{}
	var foreign sight
	if gone, err := k.missing(ctx, memoryOf(s)); err != nil {
		return nil, err
	} else if gone.any() {
		return nil, fmt.Errorf("%w: history is lost: %s", errDeadEpoch, gone)
	}
	for p, fence := range s.Fences {
		start, end, err := k.Log.source(p).Bounds(ctx)
		if err != nil {
			return nil, err
		}
		from := max(fence+1, s.Decisions[p])
		if start > from || end < from {
			return nil, fmt.Errorf("%w: partition %d of the decisions has the offsets %d to %d, and was looked at up to %d only", errDeadEpoch, p, start, end, from)
		}
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, s.Epoch.ID, from, end)
		if err != nil {
			return nil, err
		}
		foreign = foreign.and(seen)
		looked[p] = end
	}
	switch {
	case foreign.newer:
		return nil, fmt.Errorf("decisions: %w: a later epoch is of a newer layout than %d", epochs.ErrNewerLayout, epochs.Layout)
	case len(looked) == 0:
		return nil, fmt.Errorf("%w: it doesn't say where its fences stand", errDeadEpoch)
	case !foreign.fenced:
		k.known.witnesses = s.Witnesses
		return looked, nil
	case foreign.opened && time.Since(foreign.last) < silence:
		return nil, errors.New("a later epoch works on another Redis: this one is stale, or was split off")
	case !foreign.opened && time.Since(foreign.fencedAt) < claim:
		return nil, errors.New("another instance is beginning an epoch")
	}
	return nil, fmt.Errorf("%w: it was fenced, and who did it is silent", errDeadEpoch)
}

// and joins what was seen in two partitions.
func (s sight) and(o sight) sight {
	if o.fencedAt.After(s.fencedAt) {
		s.fencedAt = o.fencedAt
	}
	if o.last.After(s.last) {
		s.last = o.last
	}
	s.fenced, s.opened, s.newer = s.fenced || o.fenced, s.opened || o.opened, s.newer || o.newer
	return s
}

// mark moves the watermarks (protocol E5): ends read, then looked for foreign fences up
// to them in every partition of the decisions, then written.
func (k *Keeper) mark(ctx context.Context, e epochs.Epoch, looked, results map[int]int64) error {
	ends, err := k.resultEnds(ctx)
	if err != nil {
		return err
	}
	decisionEnds := map[int]int64{}
	for p := range looked {
		if _, decisionEnds[p], err = k.Log.source(p).Bounds(ctx); err != nil {
			decisionEnds[p] = 0 // the partition may be gone: lookBack finds out
			break
		}
	}
	if e := k.lookBack(ctx, looked, results, decisionEnds, ends); e != nil || err != nil {
		return errors.Join(e, err)
	}
	for p, end := range decisionEnds {
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, e.ID, looked[p], end)
		if err != nil {
			return err
		}
		if seen.fenced {
			return fmt.Errorf("decisions: %w: a later epoch has fenced partition %d", epochs.ErrOver, p)
		}
	}
	if err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {
		return err
	}
	for p, end := range decisionEnds {
		looked[p] = end
	}
	k.Log.saw(e, looked)
	for p, end := range ends {
		results[p] = end
	}
	return nil
}

func (k *Keeper) results(number int) partition.Source {
	return partition.Source{Client: k.Log.client, Topic: k.Results, Partition: number}
}

// resultEnds answers the end of every partition of the results.
func (k *Keeper) resultEnds(ctx context.Context) (map[int]int64, error) {
	n, err := partition.Count(ctx, k.Log.client, k.Results)
	if err != nil {
		return nil, err
	}
	if n == 0 { // nothing to replay would look like nothing has ever ended
		return nil, fmt.Errorf("%s has no partitions", k.Results)
	}
	ends := make(map[int]int64, n)
	for p := range n {
		if _, ends[p], err = k.results(p).Bounds(ctx); err != nil {
			return nil, err
		}
	}
	return ends, nil
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
