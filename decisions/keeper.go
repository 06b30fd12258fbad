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

	"disburser/payout/epochs"
)

const (
	// claimFor is how long a builder's claim lasts: nobody else builds meanwhile. The builder
	// renews it while it works; a dead one is replaced after it.
	claimFor = 10 * time.Second

	// retryPause is the pause between attempts to find or begin an epoch, with as much jitter.
	retryPause = 300 * time.Millisecond

	// deadAfter is for how long nobody must write for a later epoch before it counts as dead.
	// Only then a stale half of Redis begins an epoch itself (protocol E7).
	deadAfter = time.Minute

	// longestRivalPause is the longest pause of instances that begin epochs against each other.
	longestRivalPause = 16 * retryPause

	// aliveEvery is how long the decisions may be silent before somebody says that the epoch
	// lives. It is less than half of deadAfter, so that one lost record doesn't end a live
	// epoch.
	aliveEvery = 20 * time.Second

	// keepEvery is how long one partition of the decisions may be silent, so that retention
	// never empties it. Where nothing is left to read, a rebuild can vouch for nothing.
	keepEvery = time.Hour

	// markEvery is how often the watermarks are moved: it bounds what a restart replays.
	markEvery = 5 * time.Second
)

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

	// Actions follows what people say. It may be nil.
	Actions Actions

	// Lived tells whether the commands were ever read: an offset is committed. Only a wiped
	// journal beside empty topics is asked; nil: it can't be told.
	Lived func(ctx context.Context) (bool, error)

	// ActionsEnd answers where people's actions end: what was recorded before is never carried out in an epoch that
	// begins later (protocol A5). nil: there are none.
	ActionsEnd func(ctx context.Context) (int64, error)

	// Joined is told when another epoch was joined, before anything is done in it. It must
	// not block; may be nil.
	Joined func(ctx context.Context)
}

// Keeper keeps one shard in an epoch: it joins the open one, or begins the next when
// Redis can't be believed any more.
type Keeper struct {
	KeeperConfig
	check       chan struct{} // a check of the epoch is asked for
	barred      bool          // an attempt to begin met records of a newer version; owned by Run
	newest      map[int]int64 // where these stand, by partition; owned by Run
	warned      string        // why there was no epoch, when it was last logged; owned by Run
	lastReading clockReading  // of Redis' clock; owned by Run
	known       knowledge     // of the topics, since this instance was last in an epoch; owned by Run
	kept        keeps         // in the decisions; owned by Run
	marked      watermarks    // that were written last, since an epoch was joined; owned by Run

	mu      sync.Mutex
	current epochs.Epoch // zero while none is joined
	why     string       // why none is, for /readyz
}

// NewKeeper makes a keeper; Run starts it.
func NewKeeper(c KeeperConfig) *Keeper {
	return &Keeper{KeeperConfig: c, check: make(chan struct{}, 1), why: "no epoch has been joined yet"}
}

// Epoch answers the joined epoch, or why there is none.
func (k *Keeper) Epoch() (epochs.Epoch, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current, k.why
}

// CheckEpoch is called after an error epochs.ErrOver: the keeper then checks its epoch, and joins
// or begins another one if need be. It never blocks.
func (k *Keeper) CheckEpoch() {
	select {
	case k.check <- struct{}{}:
	default:
	}
}

// Run keeps the shard in an epoch until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var last epochs.Epoch
	pause := retryPause
	for ctx.Err() == nil {
		e, looked, results, err := k.establish(ctx)
		if err != nil {
			if pause *= 2; !errors.Is(err, errRival) {
				pause = retryPause
			}
			k.say(ctx, err)
			sleep(ctx, min(pause, longestRivalPause)+rand.N(min(pause, longestRivalPause)))
			continue
		}
		pause, k.warned = retryPause, ""
		k.set(e, "")
		if e != last {
			k.Logger.Info().Int("epoch", e.Number).Str("epoch_id", e.ID).Int("shard", k.Log.shard).Msg("in an epoch")
			if k.Joined != nil {
				k.Joined(ctx)
			}
		}
		last = e
		k.known.decisions, k.known.results = looked, results
		if err := k.noteWitnesses(ctx, k.known.witnesses, looked, results); err != nil && ctx.Err() == nil {
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

// live stays in an epoch until a check of it is asked for. Meanwhile it moves the watermarks, and
// writes now and then that the epoch lives.
func (k *Keeper) live(ctx context.Context, e epochs.Epoch, looked, results map[int]int64) {
	ticker := time.NewTicker(markEvery)
	defer ticker.Stop()
	pulse, moved := newPulse(looked), time.Now()
	k.marked = watermarks{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.check:
			k.set(epochs.Epoch{}, "the epoch is being checked")
			sleep(ctx, retryPause/10) // whoever met the error keeps meeting it for a moment
			return
		case <-ticker.C:
			// Apart from the watermarks: Kafka may be away for long.
			if err := k.vouch(ctx, e.ID); errors.Is(err, epochs.ErrOver) {
				k.Logger.Error().Err(err).Int("shard", k.Log.shard).Msg("the clock of Redis has stepped")
				k.CheckEpoch()
				continue
			}
			if err := k.mark(ctx, e, looked, results); errors.Is(err, epochs.ErrOver) {
				k.CheckEpoch()
			} else if err != nil && ctx.Err() == nil {
				event := k.Logger.Debug()
				if time.Since(moved) > deadAfter { // a restart would replay all of that
					event, moved = k.Logger.Warn(), time.Now()
				}
				event.Err(err).Int("shard", k.Log.shard).Msg("watermarks not moved, trying again")
			} else if err == nil {
				moved = time.Now()
				k.alive(ctx, e, pulse.silent(looked, time.Now()), pulse.slack)
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

// sleep pauses, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
