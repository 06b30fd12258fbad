package decisions

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

const (
	// appendTimeout bounds one write of decisions. Payouts whose decision takes longer are
	// given back; their lease is at least three times as long.
	appendTimeout = 5 * time.Second

	// lookWait is how long a look waits for records that must be there already.
	lookWait = 500 * time.Millisecond

	// together is how many bytes of waiting decisions are written at once at most. It is half
	// of what a broker takes by default in one record batch. For a topic that takes less see
	// room.
	together = 500_000
)

// Log writes decisions of one shard into one partition. Send and Final are safe for
// concurrent use; one goroutine, Run, writes and looks.
type Log struct {
	client   *kafka.Client
	topic    string
	instance string
	shard    int
	requests chan request

	mu     sync.Mutex
	epoch  epochs.Epoch  // the one that decides; zero while none is joined
	home   int           // the partition in which this instance decides
	looked int64         // the home's records before this offset hold no fence foreign to the epoch
	all    map[int]int64 // the same of each partition; replaced, never changed

	seq  int64 // owned by Run
	room room  // owned by Run
}

type request struct {
	epoch   string
	records []message.Decision // of one lease; together they are one decision
	answer  chan<- error
}

func (r request) size() (n int) {
	for _, record := range r.records {
		n += sizeOf(record)
	}
	return n
}

// NewLog makes a log on the topic, for one shard.
func NewLog(client *kafka.Client, topic, instance string, shard int) *Log {
	return &Log{client: client, topic: topic, instance: instance, shard: shard, requests: make(chan request)}
}

// enter lets the log decide for an epoch. looked says, for each partition that holds the
// epoch's fence, up to where it was seen to hold no foreign one behind it. Instances
// spread over the partitions by name, so that each meets few records of others.
func (l *Log) enter(e epochs.Epoch, looked map[int]int64) {
	partitions := slices.Sorted(maps.Keys(looked))
	h := fnv.New32a()
	_, _ = h.Write([]byte(l.instance))
	home := partitions[int(h.Sum32()%uint32(len(partitions)))]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.home, l.looked, l.all = e, home, looked[home], maps.Clone(looked)
}

// leave ends deciding until the next enter.
func (l *Log) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch = epochs.Epoch{}
}

// partition is the one in which this instance decides.
func (l *Log) partition() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.home
}

func (l *Log) source(number int) partition.Source {
	return partition.Source{Client: l.client, Topic: l.topic, Partition: number}
}

// Send writes down that payouts, leased in an epoch, are about to be sent. Only after nil may
// they be sent. An error that wraps epochs.ErrOver says that the epoch is over. After any other
// error the record may or may not stand in the log, and the payouts must not be sent.
func (l *Log) Send(ctx context.Context, epoch string, payouts []payout.Payout) error {
	return l.decide(ctx, epoch, message.KindSend, recordsOf(message.KindSend, payouts, together))
}

// Final writes down that payouts, leased in an epoch, ended by our own word or by a person's. Only
// after nil may that be announced.
func (l *Log) Final(ctx context.Context, epoch string, payouts []payout.Payout) error {
	var own, resolved []payout.Payout
	for _, p := range payouts {
		if p.EndedByPerson() && p.State != payout.StateRejected { // what was never sent is a final, whoever says it
			resolved = append(resolved, p)
		} else {
			own = append(own, p)
		}
	}
	var records []message.Decision
	if len(own) > 0 {
		records = recordsOf(message.KindFinal, own, together)
	}
	if len(resolved) > 0 {
		records = append(records, recordsOf(message.KindResolved, resolved, together)...)
	}
	return l.decide(ctx, epoch, message.KindFinal, records)
}

func (l *Log) decide(ctx context.Context, epoch string, kind message.DecisionKind, records []message.Decision) error {
	answer := make(chan error, 1)
	select {
	case l.requests <- request{epoch, records, answer}:
	case <-ctx.Done():
		return fmt.Errorf("decisions: %s not written: %w", kind, context.Cause(ctx))
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("decisions: %s not acknowledged in time: %w", kind, context.Cause(ctx))
	}
}

// Run writes what Send and Final ask for until ctx ends. Whatever waits when it is
// ready to write goes out in one request.
func (l *Log) Run(ctx context.Context) {
	for {
		var group []request
		select {
		case <-ctx.Done():
			return
		case r := <-l.requests:
			group = append(group, r)
		}
		l.write(ctx, l.withWaiting(group))
	}
}

// withWaiting adds to a group what is waiting, as far as it fits into one request. Several
// requests would share the time of one.
func (l *Log) withWaiting(group []request) []request {
	size, most := group[0].size(), l.room.now()
	for size < most {
		select {
		case r := <-l.requests:
			group = append(group, r)
			size += r.size()
		default:
			return group
		}
	}
	return group
}

// write has a group acknowledged, looks, and answers everybody in it. Requests of another
// epoch than the present one are refused. Their payouts were leased from a journal that a
// later epoch has rebuilt without them.
func (l *Log) write(ctx context.Context, group []request) {
	l.mu.Lock()
	epoch, home, looked := l.epoch, l.home, l.looked
	l.mu.Unlock()
	var parts []part
	var waiting []request
	for _, r := range group {
		if epoch.ID == "" || r.epoch != epoch.ID {
			r.answer <- fmt.Errorf("decisions: %w: it isn't the one that these payouts were leased in", epochs.ErrOver)
			continue
		}
		for _, record := range r.records {
			record.Epoch = epoch
			parts = append(parts, part{record, len(waiting)})
		}
		waiting = append(waiting, r)
	}
	if len(waiting) == 0 {
		return
	}
	failed := make([]error, len(waiting))
	err := l.commit(ctx, epoch, home, looked, parts, failed)
	for i, r := range waiting {
		if err != nil {
			failed[i] = err
		}
		r.answer <- failed[i]
	}
}

// commit has all parts acknowledged and then looks once, up to the last of them. A decision in
// several records is as good as in one. An error is about all requests, those in failed about
// one each.
func (l *Log) commit(ctx context.Context, epoch epochs.Epoch, home int, looked int64, parts []part, failed []error) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	first, last, end, err := l.appendAll(ctx, home, parts, failed)
	if err != nil || end == 0 {
		return err
	}
	return l.look(ctx, epoch, home, looked, first, last, end)
}

// append writes records and waits for all replicas. Acknowledged means both errors nil:
// the call's and the broker's (protocol S3).
func (l *Log) append(ctx context.Context, number int, records []message.Decision) (base int64, err error) {
	values := make([][]byte, len(records))
	for i, r := range records {
		if values[i], err = l.encode(r); err != nil {
			return 0, err
		}
	}
	return l.produce(ctx, number, values)
}

func (l *Log) encode(r message.Decision) ([]byte, error) {
	r.Layout = epochs.Layout
	r.Instance, r.Shard, r.Time = l.instance, l.shard, time.Now().UTC()
	value, err := message.EncodeDecision(r)
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return value, nil
}

// produce writes one record batch.
func (l *Log) produce(ctx context.Context, number int, values [][]byte) (base int64, err error) {
	messages := make([]kafka.Record, len(values))
	for i, value := range values {
		messages[i] = kafka.Record{Key: kafka.NewBytes([]byte(l.instance)), Value: kafka.NewBytes(value)}
	}
	res, err := l.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: l.topic, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(messages...),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return 0, fmt.Errorf("decisions: write to %s/%d: not acknowledged: %w", l.topic, number, err)
	}
	return res.BaseOffset, nil
}

// look reads what stands between the last look and the last own record batch. A foreign fence
// there ends the epoch (protocol S4). Consecutive offsets leave nothing to read, which is the
// common case of an instance alone in its partition.
func (l *Log) look(ctx context.Context, epoch epochs.Epoch, home int, looked, first, last, end int64) error {
	if first < looked {
		return fmt.Errorf("decisions: %w: %s/%d is shorter than it was: was the topic made anew?", epochs.ErrOver, l.topic, home)
	}
	seen, err := survey(ctx, l.source(home), l.shard, epoch.ID, looked, last)
	if err != nil {
		return fmt.Errorf("decisions: look for a fence: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.epoch != epoch || l.home != home:
		return fmt.Errorf("decisions: %w: it was left while deciding", epochs.ErrOver)
	case seen.fenced:
		l.epoch = epochs.Epoch{}
		return fmt.Errorf("decisions: %w: a later epoch has fenced %s/%d", epochs.ErrOver, l.topic, home)
	}
	l.looked = max(l.looked, end)
	return nil
}

// surveyed is what a survey saw of other epochs.
type surveyed struct {
	fenced   bool      // a foreign fence stands there, also one that names no epoch
	fencedAt time.Time // when the last one was written
	opened   bool      // a foreign epoch has opened
	last     time.Time // when the last record of a foreign epoch was written
	newer    bool      // a newer version has written there

	actions []acts.Place // that are on record there, by whomever
	kept    acts.Place   // the latest with which what is in force was kept
}

// saw notes that somebody else has looked, for the epoch, up to where. Without it an
// instance that decides nothing for longer than the topic's retention would look for
// records that are gone, and never decide again.
func (l *Log) saw(e epochs.Epoch, looked map[int]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == e {
		l.looked = max(l.looked, looked[l.home])
		l.all = maps.Clone(looked)
	}
}

// survey reads [from, to) of a partition and tells what it saw of epochs other than the
// given one.
func survey(ctx context.Context, source partition.Source, shard int, epoch string, from, to int64) (surveyed, error) {
	var s surveyed
	err := walk(ctx, source, from, to, func(_ int64, r message.Decision) {
		s.sawAction(r)
		if r.Shard != shard || r.Epoch.ID == epoch {
			return
		}
		s.last = r.Time
		s.newer = s.newer || r.Newer()
		switch r.Kind {
		case message.KindFence:
			s.fenced, s.fencedAt = true, r.Time
		case message.KindOpen:
			s.opened = true
		default: // decisions; readers skip kinds that they don't know
		}
	})
	return s, err
}

// walk reads the records at [from, to) of a partition. Values that can't be read are
// left out: only disbursers write fences and decisions, and theirs can be read.
func walk(ctx context.Context, source partition.Source, from, to int64, visit func(offset int64, r message.Decision)) error {
	reader := partition.Reader{Source: source}
	defer reader.Release()
	for from < to {
		page, err := reader.Next(ctx, from, lookWait)
		if err != nil {
			return err
		}
		for _, raw := range page.Records {
			if raw.Offset >= to {
				break
			}
			if r, err := message.DecodeDecision(raw.Value); err == nil {
				visit(raw.Offset, r)
			}
		}
		if page.Next == from {
			return fmt.Errorf("%s/%d: the broker didn't return the records at %d that it has acknowledged", source.Topic, source.Partition, from)
		}
		from = page.Next
	}
	return nil
}

// isFence tells whether a record's value is one, of whatever shard.
func isFence(value []byte) bool {
	r, err := message.DecodeDecision(value)
	return err == nil && r.Kind == message.KindFence
}
