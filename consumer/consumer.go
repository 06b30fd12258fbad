// Package consumer promises that every command of the topic becomes known to the journal, or a dead
// letter, before its offset moves on. The offset committed to Kafka never passes an open payout. It
// never calls the provider.
//
// It is in a consumer group, but only to spread the partitions. The journal says where to read, and
// what may be committed. Two instances that read the same partition for a while do no harm.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

const (
	// fetchWait is how long a fetch waits at the end of a partition: an idle partition costs a
	// request in two seconds. A command ends the wait at once, and so does a position that was set
	// back (see next).
	fetchWait = 2 * time.Second

	// commitEvery is how often the safe mark is committed. It only bounds what is read again after
	// the journal was wiped. commitIdle is the same where nothing has moved, which is also how late
	// an idle partition notices that its position was set back.
	commitEvery = time.Second
	commitIdle  = 2 * time.Second

	// lastCommit is how long the last commit of a generation waits for the readers at most.
	lastCommit = 2 * time.Second

	// retryMin and retryMax bound the pauses after errors.
	retryMin = 100 * time.Millisecond
	retryMax = 2 * time.Second

	// epochPause is how often a reader that waits for an epoch looks whether there is one. That costs
	// nothing: it reads a variable.
	epochPause = 10 * time.Millisecond

	// panicPause is how long what panicked waits before it begins again. It has no state of its own,
	// so nothing can be half done.
	panicPause = 10 * time.Second

	// fullPause is how often a full journal is asked whether it has room again.
	fullPause = 250 * time.Millisecond
)

// The tasks of a generation beside its readers. They take the place of a partition's number where it is
// noted why something is stopped.
const (
	committing = -1
	carrying   = -2
	measuring  = -3
)

// Inbox is what the consumer needs of the journal.
type Inbox interface {
	Intake
	Position(ctx context.Context, partition int, offset int64, forward bool) (int64, error)
	Marks(ctx context.Context, partitions []int) (map[int]intake.Mark, error)
}

// Intake takes in what was read.
type Intake interface {
	Insert(ctx context.Context, r intake.Range, entries []intake.Entry) (outcomes []intake.Outcome, open int, err error)

	// OpenCount answers how many payouts are open. It fails with intake.ErrPosition if the
	// journal wants commands before the offset. It takes nothing in.
	OpenCount(ctx context.Context, partition int, offset int64) (open int, err error)
}

// Anchors remembers for the consumer what it has read of a partition: see partition.Anchor.
type Anchors interface {
	// Anchor answers what is remembered. Where that is nothing, learned is from now on.
	Anchor(ctx context.Context, partition int, learned string) (string, error)
}

// DeadLetters publishes what can't become a payout; nil means acknowledged.
type DeadLetters interface {
	DeadLetters(ctx context.Context, letters []message.DeadLetter) error
}

// Resolve fills in what a command leaves out: the only merchant's name, the merchant's currency. It
// answers the merchant's country, "" if it isn't configured. Invalid says why the command must be
// rejected, "" if it needn't.
type Resolve func(c payout.Command) (resolved payout.Command, country, invalid string)

// Cancelled tells whether a payout's batch is cancelled. Such a payout is never due to be sent: a review ends it.
type Cancelled func(merchant, batchID, tradeNo string) bool

// Config says what to consume and how.
type Config struct {
	Group       kafka.ConsumerGroupConfig // Group.Topics names one topic
	Client      *kafka.Client
	MaxOpen     int // above so many open payouts nothing is fetched
	Resolve     Resolve
	Currencies  []string     // that a merchant may have whom nobody knows yet
	Cancelled   Cancelled    // nil = nobody cancels
	Follows     func() int64 // up to where in the actions Cancelled knows; nil = 0
	EpochLost   func()       // told when the journal refused an epoch; never blocks
	InEpoch     func() bool  // whether there is one at present; nil = it must be tried
	Metrics     *Metrics
	Logger      zerolog.Logger
	Inbox       Inbox
	Anchors     Anchors          // nil = a restart remembers nothing
	Now         func() time.Time // Redis' clock, by which a payout is received and due; nil = the own one
	DeadLetters DeadLetters

	// CarryAfter is the age at which the command of an open payout is published again: a
	// quarter of the dedup window. 0 = never.
	CarryAfter time.Duration
	Old        Old
	Carrier    Carrier
}

// Consumer reads the commands topic.
type Consumer struct {
	Config
	topic string

	mu      sync.Mutex
	stopped map[int]string // partitions that can't be read, and why
	joined  bool
	owned   []int
	safe    map[int]int64 // what this instance has committed of its partitions

	recognised map[int]bool // partitions that are known to be those that the journal has read

	positions map[int]int64     // the journal's, as it told them last
	fetching  map[int]fetch     // what the readers wait for
	told      map[int]time.Time // when a fetch told last how much isn't read yet
}

// fetch is a fetch in flight.
type fetch struct {
	from  int64
	began time.Time
	end   context.CancelFunc
}

// New makes a consumer; Run starts it.
func New(c Config) *Consumer {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Follows == nil {
		c.Follows = func() int64 { return 0 }
	}
	if c.Cancelled == nil {
		c.Cancelled = func(_, _, _ string) bool { return false }
	}
	return &Consumer{Config: c, topic: c.Group.Topics[0], stopped: map[int]string{}, safe: map[int]int64{}, recognised: map[int]bool{},
		positions: map[int]int64{}, fetching: map[int]fetch{}, told: map[int]time.Time{}}
}

// Status answers whether the group has been joined, and one of the reasons why partitions are
// stopped. It is always the same reason as long as they don't change, and "" if there is none.
func (c *Consumer) Status() (joined bool, stopped string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, why := range c.stopped {
		stopped = max(stopped, why)
	}
	return c.joined, stopped
}

// Partitions answers the partitions that this instance reads now.
func (c *Consumer) Partitions() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int(nil), c.owned...)
}

// Run consumes until ctx ends. Errors of Kafka and Redis are logged and tried again. Before it returns
// it commits once more and leaves the group.
func (c *Consumer) Run(ctx context.Context) error {
	group, err := kafka.NewConsumerGroup(c.Group)
	if err != nil {
		return fmt.Errorf("consumer: the group's settings: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = group.Close() }) // ends the generation, whose functions commit
	defer func() {
		if stop() {
			_ = group.Close()
		}
	}()
	backoff := retryMin
	for {
		generation, err := group.Next(ctx)
		switch {
		case err == nil:
			backoff = retryMin
			c.start(generation)
		case ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed):
			_ = group.Close()
			c.assigned(nil, false)
			return nil
		default: // the coordinator is starting or moving
			c.Logger.Warn().Err(err).Str("group", c.Group.ID).Strs("brokers", c.Group.Brokers).Msg("no place in the consumer group yet, trying again")
			c.assigned(nil, false)
			sleep(ctx, backoff)
			backoff = min(2*backoff, retryMax)
		}
	}
}

func (c *Consumer) assigned(partitions []int, joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owned, c.joined = partitions, joined
	clear(c.stopped)
	clear(c.safe)
	clear(c.recognised)
	clear(c.positions)
	clear(c.fetching)
	clear(c.told)
	c.Metrics.forget(c.topic)
}

// start runs a generation of the group: a reader for each partition, the committer, and what measures
// and carries. None of them returns before the generation ends: the library would end it then.
func (c *Consumer) start(generation *kafka.Generation) {
	var partitions []int
	for _, a := range generation.Assignments[c.topic] {
		partitions = append(partitions, a.ID)
	}
	c.assigned(partitions, true)
	c.Logger.Info().Int32("generation", generation.ID).Ints("partitions", partitions).Msg("partitions assigned")
	var readers sync.WaitGroup
	for _, a := range generation.Assignments[c.topic] {
		readers.Add(1)
		generation.Start(func(ctx context.Context) {
			defer func() { <-ctx.Done() }()
			defer readers.Done()
			c.repeat(ctx, a.ID, "reading", func() { c.read(ctx, a.ID, a.Offset) })
		})
	}
	generation.Start(func(ctx context.Context) {
		defer func() { <-ctx.Done() }()
		c.repeat(ctx, committing, "committing", func() { c.commit(ctx, generation, partitions, &readers) })
	})
	generation.Start(func(ctx context.Context) {
		defer func() { <-ctx.Done() }()
		c.repeat(ctx, measuring, "measuring the lag", func() { c.measure(ctx, partitions) })
	})
	if c.CarryAfter > 0 {
		generation.Start(func(ctx context.Context) {
			defer func() { <-ctx.Done() }()
			c.repeat(ctx, carrying, "carrying forward", func() { c.carry(ctx, partitions) })
		})
	}
}

// repeat runs f until ctx ends, and again after a pause if it panics. Meanwhile stopped says why nothing
// is done, under number: a partition's, or that of another task.
func (c *Consumer) repeat(ctx context.Context, number int, doing string, f func()) {
	for ctx.Err() == nil {
		c.runOnce(number, doing, f)
		if sleep(ctx, panicPause) {
			c.mu.Lock()
			delete(c.stopped, number)
			c.mu.Unlock()
		}
	}
}

// runOnce runs f. A panic doesn't end the process: it is logged.
func (c *Consumer) runOnce(number int, doing string, f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.Logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Dur("rest", panicPause).Msg("panic while " + doing + "; it rests")
			c.mu.Lock()
			c.stopped[number] = "a panic while " + doing
			c.mu.Unlock()
		}
	}()
	f()
}

// commit moves the group's offsets to the safe marks, and once more when the readers have ended.
func (c *Consumer) commit(ctx context.Context, generation *kafka.Generation, partitions []int, readers *sync.WaitGroup) {
	committed, wait := map[int]int64{}, commitEvery
	for sleep(ctx, wait) {
		wait = commitIdle
		if c.commitOnce(ctx, generation, partitions, committed) {
			wait = commitEvery
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommit)
	defer cancel()
	done := make(chan struct{})
	go func() { readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-last.Done():
	}
	c.commitOnce(last, generation, partitions, committed)
}

// commitOnce commits what has moved, and tells whether anything has.
func (c *Consumer) commitOnce(ctx context.Context, generation *kafka.Generation, partitions []int, committed map[int]int64) (moved bool) {
	if len(partitions) == 0 {
		return false
	}
	asked := time.Now()
	marks, err := c.Inbox.Marks(ctx, partitions)
	if err != nil {
		c.refused(ctx, err)
		return true
	}
	c.sawPositions(marks, asked)
	offsets := map[int]int64{}
	for p, m := range marks {
		c.Metrics.safe(c.topic, p, m.Safe)
		if before, known := committed[p]; c.isRecognised(p) && m.Safe >= 0 && (!known || m.Safe != before) {
			offsets[p] = m.Safe
		}
	}
	if len(offsets) == 0 {
		return false
	}
	if err := generation.CommitOffsets(map[string]map[int]int64{c.topic: offsets}); err != nil {
		// Harmless: a wiped journal would read more again.
		c.Logger.Debug().Err(err).Msg("safe marks not committed, trying again")
		return true
	}
	for p, o := range offsets {
		committed[p] = o
	}
	c.mu.Lock()
	maps.Copy(c.safe, offsets)
	c.mu.Unlock()
	return true
}

// isRecognised tells whether a partition is known to be the one that the journal has read. The safe mark
// of another topic must not be committed: what stands before it would never be read.
func (c *Consumer) isRecognised(number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recognised[number]
}

func (c *Consumer) setRecognised(number int, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recognised[number] = is
}

// refused reports an error of the journal. That the epoch is over is told to EpochLost, and not logged.
func (c *Consumer) refused(ctx context.Context, err error) {
	if errors.Is(err, epochs.ErrOver) {
		c.EpochLost()
	} else if ctx.Err() == nil {
		c.Logger.Warn().Err(err).Msg("the journal can't be reached, trying again")
	}
}

// sleep pauses and tells whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
