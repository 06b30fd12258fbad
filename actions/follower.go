package actions

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/internal/grid"
	"disburser/internal/partition"
	"disburser/payout/acts"
)

const (
	// Number is the one partition of the topic: an action's offset is its place among all others.
	Number = 0

	// looks is how many looks there are in the time in which what was read counts as fresh.
	looks = 4

	// leastPause is between two looks, however long they take.
	leastPause = 10 * time.Millisecond

	// leastReading is how long reading may take at least. A topic of many records is read when an instance starts.
	leastReading = 10 * time.Second
)

// Config says what is followed.
type Config struct {
	Client    *kafka.Client
	Topic     string
	Staleness time.Duration // no send begins unless the topic was read to its end within this time
	Rules     acts.Rules
	Recorder  Recorder // nil for who sends nothing
	Changed   func()   // told when something else is in force, or when it is known again; never blocks
	Metrics   *Metrics
	Logger    zerolog.Logger
}

// Follower reads the topic. One goroutine, Run, owns what it has read; everybody else sees a reading.
type Follower struct {
	Config
	source  partition.Source
	now     atomic.Pointer[reading]
	trouble atomic.Pointer[string]
	missed  atomic.Pointer[missed]
	epoch   atomic.Int32              // the largest of a leader
	read    atomic.Pointer[acts.View] // what was read so far, on record or not
	record

	reader  partition.Reader
	fold    *acts.Fold
	whole   bool      // the topic began at offset 0 when it was read first
	next    int64     // the first offset that isn't read
	checked time.Time // when it was last seen to be the same topic
	said    string    // the last trouble in the log
	skipped
}

// reading is what was in force by all records that were acknowledged before a moment.
type reading struct {
	view *acts.View
	at   time.Time // zero: the end was never reached
}

// New makes a follower; Run starts it.
func New(c Config) *Follower {
	source := partition.Source{Client: c.Client, Topic: c.Topic, Partition: Number}
	f := &Follower{Config: c, source: source}
	f.beginAnew()
	f.now.Store(&reading{view: f.fold.View()})
	begun := notKnown + "they were not read yet"
	f.trouble.Store(&begun)
	c.Metrics.of(f)
	return f
}

// Stops says why a payout may not be sent now, the zero Stop if it may. Without a batch and a tradeNo it answers
// for a whole merchant.
func (f *Follower) Stops(merchant, batchID, tradeNo string) acts.Stop {
	view, fresh := f.View()
	return view.Stops(fresh, merchant, batchID, tradeNo)
}

// Narrow answers the batches and payouts that are stopped, as far as it is known, and up to where the actions were read.
// That grows with each action.
func (f *Follower) Narrow() (stopped acts.Narrow, follows int64) {
	v := f.now.Load().view
	return v.Narrow(), v.Order()
}

// View is what is in force, as far as it is known. fresh says whether that is all.
func (f *Follower) View() (view *acts.View, fresh bool) {
	doubted := f.doubted.Load() // first: who takes a doubt away has a reading in place that answers it
	r := f.now.Load()
	return r.view, !doubted && r.fresh(time.Now(), f.missed.Load(), f.Staleness)
}

// Age is for how long nobody has known whether there is more; it is false before the first time.
func (f *Follower) Age() (age time.Duration, ever bool) {
	r := f.now.Load()
	return r.age(time.Now(), f.missed.Load()), !r.at.IsZero()
}

// Trouble says why nothing may be sent for want of the actions, "" if it may.
func (f *Follower) Trouble() string {
	if _, fresh := f.View(); fresh {
		return ""
	}
	return *f.trouble.Load()
}

func (r *reading) fresh(now time.Time, m *missed, staleness time.Duration) bool {
	return !r.at.IsZero() && r.age(now, m) <= staleness
}

// age is by the clock that shows more of it. A suspended machine stops the monotonic one, and somebody may set
// the wall clock back. A machine may stop together with both: what it missed since is added.
func (r *reading) age(now time.Time, m *missed) time.Duration {
	age := max(now.Sub(r.at), now.Round(0).Sub(r.at.Round(0)))
	if m != nil && !r.at.After(m.by) {
		age += m.time
	}
	return age
}

// missed is how much time this machine has missed together with its clocks, and when that was noticed.
type missed struct {
	time time.Duration
	by   time.Time
}

// Missed says that this machine stood still together with its clocks for so long, by the clock of another one.
// What was asked before counts as older by that (protocol A2). It is safe for concurrent use.
func (f *Follower) Missed(d time.Duration) {
	for {
		before := f.missed.Load()
		after := &missed{d, time.Now()}
		if before != nil && time.Since(before.by) <= f.Staleness {
			after.time += before.time
		}
		if f.missed.CompareAndSwap(before, after) {
			return
		}
	}
}

// Run follows the topic until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			f.fail(err)
		}
		pause(ctx, untilLook(f.Staleness/looks, time.Since(began)))
	}
}

// untilLook is how long to rest after a look that took so long. After a quick one that is until the next line of that
// width: whatever else looks a few times a second wakes with it.
func untilLook(every, took time.Duration) time.Duration {
	if took > every/2 {
		return max(leastPause, every-took)
	}
	return max(leastPause, grid.UntilNext(every))
}

// look asks where the topic ends, and reads up to there. Only then what was read is as fresh as the question
// (protocol A2). That a fetch brings nothing proves nothing: a new leader may not know yet what its predecessor
// has acknowledged.
func (f *Follower) look(ctx context.Context) error {
	asked := time.Now()
	end, err := f.end(ctx)
	if err != nil {
		return err
	}
	if !f.whole {
		if err := f.begins(ctx); err != nil {
			return err
		}
		f.whole = true
	}
	if end < f.next {
		read := f.next
		f.forget()
		return fmt.Errorf("%s ends at %d, and was read up to %d: was the topic made anew?", f.Topic, end, read)
	}
	if err := f.readTo(ctx, end); err != nil {
		return err
	}
	over, err := f.answer(ctx)
	if err != nil {
		return err
	}
	if err := f.putOnRecord(ctx); err != nil {
		return err
	}
	f.publish(asked)
	f.settle(over)
	return nil
}

// beginAnew reads from offset 0.
func (f *Follower) beginAnew() {
	f.reader, f.fold = partition.Reader{Source: f.source}, acts.NewFold(f.Rules)
	f.whole, f.next = false, 0
	f.read.Store(f.fold.View())
	f.epoch.Store(0)
	f.skipped = skipped{}
	f.unmet()
}

// forget begins anew because the topic isn't the one that was read. What was in force stays in view until the one
// that is there now is known to be right. It must hold the latest action that was read (protocol A1).
func (f *Follower) forget() {
	latest := f.fold.Latest()
	f.now.Store(&reading{view: f.now.Load().view})
	f.beginAnew()
	f.Expect(latest)
}

// end is where the topic ends by its leader's word. The word of an older leader than was heard counts for nothing.
func (f *Follower) end(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, f.Staleness) // a later answer is too old
	defer cancel()
	end, err := f.source.Latest(ctx)
	if err != nil {
		return 0, err
	}
	for {
		epoch := f.epoch.Load()
		if end.Epoch >= 0 && end.Epoch < epoch {
			return 0, fmt.Errorf("%s/%d: a leader of the epoch %d answers, and there was one of %d", f.Topic, Number, end.Epoch, epoch)
		}
		if end.Epoch <= epoch || f.epoch.CompareAndSwap(epoch, end.Epoch) {
			return end.Offset, nil
		}
	}
}

// End is the order of the topic's end now, as a look finds it (protocol E4c). Everything that was acknowledged before
// the call has a smaller one. Whether the topic was renewed is known once it is read up to there. It need not be on
// record: that needs an epoch, and an epoch needs this answer.
func (f *Follower) End(ctx context.Context) (int64, error) {
	end, err := f.end(ctx)
	if err != nil {
		return 0, err
	}
	r, sofar, generation, doubted := f.now.Load(), f.read.Load(), int64(0), f.doubted.Load()
	switch read := r.view.Next(); {
	case end < read && !r.at.IsZero():
		return 0, fmt.Errorf("%s ends at %d, and was read up to %d: was the topic made anew?", f.Topic, end, read)
	case doubted: // it may be another topic: also what stood in the one before is past
		end = max(end, read)
		f.mu.Lock()
		for _, p := range f.doubts {
			generation = max(generation, p.Generation)
		}
		f.mu.Unlock()
	case end > sofar.Next():
		return 0, fmt.Errorf("%s ends at %d, and was read up to %d only", f.Topic, end, sofar.Next())
	}
	return max(r.view.OrderAt(generation, end), sofar.OrderAt(generation, end)), nil
}

// begins makes sure that nothing of the topic is gone: an action that was deleted would be lifted in silence.
func (f *Follower) begins(ctx context.Context) error {
	start, _, err := f.source.Bounds(ctx)
	if err != nil {
		return err
	}
	if start > 0 {
		return fmt.Errorf("%s begins at offset %d, not at 0: what was deleted may have been in force", f.Topic, start)
	}
	return nil
}

// readTo takes all records before end. What was read counts at once: it can only be more than before.
func (f *Follower) readTo(ctx context.Context, end int64) error {
	ctx, cancel := context.WithTimeout(ctx, max(leastReading, f.Staleness))
	defer cancel()
	defer f.reader.Release()
	if time.Since(f.checked) >= f.Staleness { // also a topic made anew that has as many records
		if err := f.source.Check(ctx, f.reader.Anchor); err != nil {
			return f.forgetIfOther(err)
		}
		f.checked = time.Now()
	}
	for f.next < end {
		page, err := f.reader.Next(ctx, f.next, f.Staleness/looks)
		if err != nil {
			return f.forgetIfOther(err)
		}
		if page.Next <= f.next {
			return fmt.Errorf("%s/%d: the broker didn't return the record at %d, and says that there is one", f.Topic, Number, f.next)
		}
		for _, r := range page.Records {
			f.take(r)
		}
		f.fold.Skip(page.Next) // also what holds no record
		f.next = page.Next
		if at := f.now.Load().at; !at.IsZero() {
			f.publish(at)
		}
	}
	f.read.Store(f.fold.View())
	return nil
}

// RecordOf is a record of the partition as package acts reads it.
func RecordOf(r partition.Record) acts.Record {
	record := acts.Record{Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, acts.Header{Name: h.Key, Value: h.Value})
	}
	return record
}

func (f *Follower) take(r partition.Record) {
	record := RecordOf(r)
	a, result, why := f.fold.Take(record)
	f.meet(f.fold.Latest())
	f.Metrics.took(a, result)
	f.tell(a, result, why, record.Offset)
}

// publish shows everybody what is in force, as of a moment.
func (f *Follower) publish(at time.Time) {
	before := f.now.Load()
	after := &reading{view: f.fold.View(), at: at}
	known := before.fresh(time.Now(), f.missed.Load(), f.Staleness)
	f.now.Store(after)
	if after.view != before.view {
		f.Metrics.show(after.view)
	}
	if at.After(before.at) {
		f.caughtUp(before.at.IsZero(), after.view)
	}
	if !known || before.view != after.view {
		f.Changed()
	}
}

// forgetIfOther begins anew where the topic isn't the one that was read.
func (f *Follower) forgetIfOther(err error) error {
	var other *partition.Other
	var gap *partition.Gap
	if errors.As(err, &other) || errors.As(err, &gap) {
		f.forget()
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
