package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"disburser/internal/embedded"
	"disburser/internal/kafkatest"
	"disburser/journal"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic = "payout.commands"
	group = "disburser"
)

// inTime runs a test in virtual time on a Kafka with the commands topic.
func inTime(t *testing.T, partitions int, test func(t *testing.T, k *kafkatest.Kafka)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, kafkatest.Start(t, map[string]int{topic: partitions}, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "8000000"})))
	})
}

// bench is a consumer and what it needs.
type bench struct {
	*Consumer
	registry *prometheus.Registry
	letters  *letters
	stop     func() // ends Run and waits for it

	mu   sync.Mutex
	lost int
	log  strings.Builder
}

func (b *bench) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(line)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bench) epochsLost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// start runs a consumer until the test ends or stops it.
func start(t *testing.T, k *kafkatest.Kafka, in Inbox, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{registry: prometheus.NewRegistry(), letters: &letters{}}
	c := Config{
		Group: kafka.ConsumerGroupConfig{
			ID: group, Brokers: k.Brokers(), Dialer: k.Dialer(), Topics: []string{topic}, StartOffset: kafka.FirstOffset,
			HeartbeatInterval: time.Second, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second,
			JoinGroupBackoff: 300 * time.Millisecond, Timeout: 3 * time.Second,
		},
		Client: k.Client, MaxOpen: 1000, Resolve: resolve, Inbox: in, DeadLetters: b.letters,
		EpochLost: func() { b.mu.Lock(); b.lost++; b.mu.Unlock() },
		Metrics:   NewMetrics(b.registry), Logger: zerolog.New(b),
	}
	for _, f := range change {
		f(&c)
	}
	b.Consumer = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(b.stop)
	return b
}

// resolve knows the merchant eg-main only.
func resolve(c payout.Command) (payout.Command, string, string) {
	if c.Merchant != "eg-main" {
		return c, "", "merchant is not configured"
	}
	c.Currency = "EGP"
	return c, "egypt", ""
}

// eventually waits in virtual time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("it never came that %s", what)
}

func (b *bench) counted(outcome string) float64 {
	m, _ := b.Metrics.intake.GetMetricWithLabelValues(outcome)
	var out dto.Metric
	_ = m.Write(&out)
	return out.GetCounter().GetValue()
}

// countedAll tells whether so many of each are counted, which is after the position has moved.
func (b *bench) countedAll(want map[string]float64) bool {
	for outcome, n := range want {
		if b.counted(outcome) < n {
			return false
		}
	}
	return true
}

// letters are the dead letters that were acknowledged.
type letters struct {
	mu   sync.Mutex
	fail func(list []message.DeadLetter) error // nil: never
	all  []message.DeadLetter
}

func (l *letters) DeadLetters(_ context.Context, list []message.DeadLetter) error {
	l.mu.Lock()
	fail := l.fail
	l.mu.Unlock()
	if fail != nil {
		if err := fail(list); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, list...)
	return nil
}

// list writes each as code, offset and index.
func (l *letters) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s []string
	for _, d := range l.all {
		s = append(s, fmt.Sprintf("%s@%d/%d", d.Code, d.Source.Offset, d.Index))
	}
	return s
}

// inbox is a journal of the simplest kind, whose answers a test can change.
type inbox struct {
	mu        sync.Mutex
	positions map[int]int64
	known     map[string]payout.Fingerprint
	open      map[string]payout.Source
	entries   []intake.Entry // all that were added, in order
	calls     []string
	follows   int64                   // of the last insert
	full      int                     // the number of open payouts to answer, 0: the real one
	fail      func(call string) error // asked before each call; nil: never
}

func newInbox() *inbox {
	return &inbox{positions: map[int]int64{}, known: map[string]payout.Fingerprint{}, open: map[string]payout.Source{}}
}

func (i *inbox) called(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	i.calls = append(i.calls, call)
	if i.fail != nil {
		return i.fail(call)
	}
	return nil
}

func (i *inbox) Insert(_ context.Context, r intake.Range, entries []intake.Entry) ([]intake.Outcome, int, error) {
	i.mu.Lock()
	i.follows = r.Follows
	defer i.mu.Unlock()
	if err := i.called("insert %d [%d,%d) %d", r.Partition, r.From, r.To, len(entries)); err != nil {
		return nil, 0, err
	}
	if at, found := i.positions[r.Partition]; !found || r.From > at {
		return nil, 0, intake.ErrPosition
	}
	outcomes := []intake.Outcome{}
	for _, e := range entries {
		before, known := i.known[e.Payout.TradeNo]
		switch {
		case known && before == e.Payout.Fingerprint:
			outcomes = append(outcomes, intake.Known)
		case known:
			outcomes = append(outcomes, intake.Conflicted)
		default:
			i.known[e.Payout.TradeNo], i.open[e.Payout.TradeNo] = e.Payout.Fingerprint, e.Payout.Source
			i.entries = append(i.entries, e)
			outcomes = append(outcomes, intake.Added)
		}
	}
	if !slices.Contains(outcomes, intake.Conflicted) {
		i.positions[r.Partition] = max(i.positions[r.Partition], r.To)
	}
	if i.full > 0 {
		return outcomes, i.full, nil
	}
	return outcomes, len(i.open), nil
}

func (i *inbox) OpenCount(ctx context.Context, partition int, offset int64) (int, error) {
	_, open, err := i.Insert(ctx, intake.Range{Partition: partition, From: offset, To: offset}, nil)
	return open, err
}

func (i *inbox) Position(_ context.Context, partition int, offset int64, forward bool) (int64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.called("position %d %d %v", partition, offset, forward); err != nil {
		return 0, err
	}
	at, found := i.positions[partition]
	if !found || forward && offset > at {
		i.positions[partition] = offset
	}
	return i.positions[partition], nil
}

func (i *inbox) Marks(_ context.Context, partitions []int) (map[int]intake.Mark, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.called("marks"); err != nil {
		return nil, err
	}
	marks := map[int]intake.Mark{}
	for _, p := range partitions {
		marks[p] = intake.Mark{Position: i.positionOf(p), Safe: i.safeOf(p)}
	}
	return marks, nil
}

func (i *inbox) positionOf(partition int) int64 {
	if at, found := i.positions[partition]; found {
		return at
	}
	return -1
}

func (i *inbox) safeOf(partition int) int64 {
	safe := i.positionOf(partition)
	for _, s := range i.open {
		if s.Partition == partition {
			safe = min(safe, s.Offset)
		}
	}
	return safe
}

// do looks at the inbox or changes it.
func do[T any](i *inbox, f func() T) T {
	i.mu.Lock()
	defer i.mu.Unlock()
	return f()
}

func (i *inbox) position(partition int) int64 {
	return do(i, func() int64 { return i.positionOf(partition) })
}

func (i *inbox) added() int { return do(i, func() int { return len(i.entries) }) }

// end closes payouts, as if they had been announced.
func (i *inbox) end(tradeNos ...string) {
	do(i, func() any {
		for _, t := range tradeNos {
			delete(i.open, t)
		}
		return nil
	})
}

// failing makes calls that begin with a text fail, n times (-1: always).
func (i *inbox) failing(call string, n int, err error) {
	do(i, func() any {
		i.fail = func(c string) error {
			if n == 0 || !strings.HasPrefix(c, call) {
				return nil
			}
			n--
			return err
		}
		return nil
	})
}

// memory is the real journal on a Redis of the test's own.
type memory struct {
	*journal.Journal
	redis  *embedded.Redis
	epochs int
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{
		Dialer: r.Dial, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // it would ask the DNS
	})
	t.Cleanup(func() { _ = client.Close(); r.Close() })
	m := &memory{Journal: journal.New(client, journal.Options{Namespace: "test", Window: 720 * time.Hour}), redis: r}
	m.epoch(t)
	return m
}

// epoch opens a new one, as the keeper does.
func (m *memory) epoch(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	s, err := m.Standing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m.epochs++
	e := epochs.Epoch{Number: m.epochs, ID: fmt.Sprint("epoch-", m.epochs)}
	if err := m.Build(ctx, e.ID, s.Epoch.ID, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := m.OpenEpoch(ctx, epochs.Opening{Epoch: e, Shards: 1, Fences: map[int]int64{0: 0}}); err != nil {
		t.Fatal(err)
	}
	m.Believe(e.ID)
}

// mark answers the position and the safe mark of partition 0.
func (m *memory) mark(t *testing.T) intake.Mark {
	t.Helper()
	marks, err := m.Marks(context.Background(), []int{0})
	if err != nil {
		t.Fatal(err)
	}
	return marks[0]
}

// open counts the open payouts by state.
func (m *memory) states(t *testing.T) map[string]int {
	t.Helper()
	census, err := m.Count(context.Background(), []int{0})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, by := range census.States {
		for s, n := range by {
			if n != 0 {
				states[s.String()] += n
			}
		}
	}
	return states
}

// command is the value of one payout.
func command(tradeNo, amount string) string {
	return fmt.Sprintf(`{"tradeNo": %q, "merchant": "eg-main", "amount": %q, "payee": {"walletId": "01123456789"}}`, tradeNo, amount)
}

// send writes values into a partition of the commands, one batch each.
func send(t *testing.T, k *kafkatest.Kafka, partition int, values ...string) {
	t.Helper()
	for _, v := range values {
		r := kafkatest.Record("key", v)
		r.Time = time.Now()
		k.Write(t, topic, partition, r)
	}
}

// commitFor commits an offset for the group while it has no members.
func commitFor(t *testing.T, k *kafkatest.Kafka, partition int, offset int64) {
	t.Helper()
	res, err := k.Client.OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: partition, Offset: offset}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			t.Fatal(p.Error)
		}
	}
}
