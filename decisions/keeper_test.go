package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/embedded"
	"disburser/internal/kafkatest"
	"disburser/journal"
	"disburser/message"
	"disburser/payout/epochs"
)

// instance is a process: its log, its keeper and its view of the one Redis.
type instance struct {
	*Keeper
	journal *journal.Journal
	stop    func() // its keeper
}

func newRedis(t *testing.T) (*embedded.Redis, *redis.Client) {
	t.Helper()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{
		Dialer: r.Dial, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // it would ask the DNS
	})
	t.Cleanup(func() { _ = client.Close(); r.Close() })
	return r, client
}

func startKeeper(t *testing.T, k *kafkatest.Kafka, client *redis.Client, name string, shards int) *instance {
	return startHooked(t, k, client, name, shards, func(Journal, string) {})
}

// hooked is a journal that lets a test do something before each step of an epoch.
type hooked struct {
	*journal.Journal
	before func(j Journal, step string)
}

func (h hooked) Build(ctx context.Context, id, ending string, claim time.Duration) error {
	if id == ending {
		h.before(h.Journal, "renew")
	} else {
		h.before(h.Journal, "build")
	}
	return h.Journal.Build(ctx, id, ending, claim)
}

func (h hooked) Restore(ctx context.Context, id string, lease time.Duration, items []epochs.Restored) error {
	h.before(h.Journal, "restore")
	return h.Journal.Restore(ctx, id, lease, items)
}

func (h hooked) OpenEpoch(ctx context.Context, o epochs.Opening) error {
	h.before(h.Journal, "open")
	return h.Journal.OpenEpoch(ctx, o)
}

func (h hooked) Watermark(ctx context.Context, decisions, results map[int]int64) (bool, error) {
	h.before(h.Journal, "watermark")
	return h.Journal.Watermark(ctx, decisions, results)
}

func startHooked(t *testing.T, k *kafkatest.Kafka, client *redis.Client, name string, shards int, before func(Journal, string), logger ...zerolog.Logger) *instance {
	return startWith(t, k, client, func(c *KeeperConfig) {
		c.Journal, c.Log, c.Shards, c.Logger = hooked{c.Journal.(*journal.Journal), before}, startLog(t, k, name), shards, append(logger, zerolog.Nop())[0]
	})
}

// startWith starts an instance whose configuration the test changes.
func startWith(t *testing.T, k *kafkatest.Kafka, client *redis.Client, change func(*KeeperConfig)) *instance {
	j := journal.New(client, journal.Options{Namespace: "test", Window: time.Hour})
	c := KeeperConfig{
		Journal: j, Results: results, Shards: 1, Lease: 90 * time.Second, Logger: zerolog.Nop(),
		Owns: func(string) bool { return true }, Knows: func(merchant string) bool { return merchant == "eg-main" },
	}
	change(&c)
	if c.Log == nil {
		c.Log = startLog(t, k, "pod-1")
	}
	i := &instance{Keeper: NewKeeper(c), journal: j}
	ctx, stop := context.WithCancel(background)
	i.stop = stop
	running(t, func(until context.Context) {
		defer context.AfterFunc(until, stop)()
		i.Run(ctx)
	})
	return i
}

// settles waits until the keeper is in an epoch.
func (i *instance) settles(t *testing.T) epochs.Epoch {
	t.Helper()
	for range 3000 {
		if e, _ := i.Epoch(); e.ID != "" {
			return e
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, why := i.Epoch()
	t.Fatalf("no epoch: %s", why)
	return epochs.Epoch{}
}

// works tells that decisions and the journal's scripts are accepted.
func (i *instance) works(t *testing.T) {
	t.Helper()
	if err := i.Log.Send(context.Background(), i.current().ID, some("a")); err != nil {
		t.Error(err)
	}
	if _, err := i.journal.Position(context.Background(), 0, 0, false); err != nil {
		t.Error(err)
	}
}

func (i *instance) current() epochs.Epoch {
	e, _ := i.Epoch()
	return e
}

func kinds(t *testing.T, k *kafkatest.Kafka, partition int) (list []string) {
	t.Helper()
	for _, r := range k.Read(t, topic, partition) {
		var d message.Decision
		_ = json.Unmarshal(r.Value, &d)
		list = append(list, fmt.Sprintf("%s %d", d.Kind, d.Epoch.Number))
	}
	return list
}

func TestTheFirstEpochBegins(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		e := i.settles(t)
		if e.Number != 1 || len(e.ID) < 16 {
			t.Errorf("%+v", e)
		}
		s, err := i.journal.Standing(context.Background())
		if err != nil || !s.Open() || s.Epoch != e || s.Shards != 1 || s.Building != "" || len(s.Fences) != 3 {
			t.Errorf("%+v %v", s, err)
		}
		for p := range 3 {
			if got := kinds(t, k, p); !slices.Equal(got, []string{"fence 1", "open 1"}) {
				t.Errorf("partition %d: %v", p, got)
			}
			if s.Fences[p] != 0 {
				t.Errorf("the fence of %d is said to stand at %d", p, s.Fences[p])
			}
		}
		i.works(t)
	})
}

func TestASecondKeeperJoins(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		one := startKeeper(t, k, client, "pod-1", 1)
		first := one.settles(t)
		one.works(t)
		two := startKeeper(t, k, client, "pod-2", 1)
		if second := two.settles(t); second != first {
			t.Fatalf("%+v and %+v", first, second)
		}
		two.works(t)
		one.works(t)
		for p := range 3 {
			if got := strings.Count(fmt.Sprint(kinds(t, k, p)), "fence"); got != 1 {
				t.Errorf("partition %d: %d fences", p, got)
			}
		}
	})
}

func TestKeepersThatStartAtOnceEndInOneEpoch(t *testing.T) {
	for _, apart := range []time.Duration{0, time.Microsecond, time.Millisecond, 100 * time.Millisecond, 499 * time.Millisecond} {
		for range 4 {
			t.Run(apart.String(), func(t *testing.T) {
				inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
					_, client := newRedis(t)
					var all []*instance
					for n := range 4 {
						all = append(all, startKeeper(t, k, client, fmt.Sprint("pod-", n), 1))
						time.Sleep(apart)
					}
					first := all[0].settles(t)
					for _, i := range all {
						if e := i.settles(t); e != first {
							t.Errorf("%+v and %+v", first, e)
						}
						i.works(t)
					}
				})
			})
		}
	}
}

func TestAFailingKafkaPostponesTheEpoch(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		k.Fail(kmsg.Produce, topic, kerr.NotEnoughReplicas, 2, 2)
		began := time.Now()
		i := startKeeper(t, k, client, "pod-1", 1)
		time.Sleep(100 * time.Millisecond)
		if e, why := i.Epoch(); e.ID != "" || why == "" {
			t.Errorf("%+v %s: an epoch without a fence in every partition", e, why)
		}
		i.settles(t)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %v", took)
		}
		for p := range 3 {
			if n := fences(t, k, p); n == 0 {
				t.Errorf("partition %d holds no fence of the epoch", p)
			}
		}
		i.works(t)
	})
}

func TestALostEpochIsLookedAtAgain(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		e := i.settles(t)
		for range 3 {
			i.CheckEpoch() // never blocks
		}
		time.Sleep(2 * time.Second)
		if again := i.settles(t); again != e {
			t.Errorf("%+v and %+v", e, again)
		}
		i.works(t)
	})
}

func TestAHistoryWithoutAJournalIsNoFirstStart(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.works(t)
		r.FlushAll()
		if _, err := i.journal.Position(context.Background(), 0, 0, false); err == nil {
			t.Fatal("a wiped journal answers")
		}
		i.CheckEpoch()
		if e := i.next(t, before); e.ID == before.ID {
			t.Fatal("the epoch goes on over a wiped journal")
		}
		i.works(t)
	})
}

func TestAnotherNumberOfShardsIsRefused(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		startKeeper(t, k, client, "pod-1", 1).settles(t)
		other := startKeeper(t, k, client, "pod-2", 2)
		time.Sleep(5 * time.Second)
		if e, why := other.Epoch(); e.ID != "" || !strings.Contains(why, "opened with 1 shards, the configuration says 2") {
			t.Fatalf("%+v %s", e, why)
		}
	})
}

// While the watermarks don't move, a restart of Redis replays more and more: that is said,
// once a minute.
func TestWatermarksThatDoNotMoveAreSaid(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		var said watched
		i := startHooked(t, k, client, "pod-1", 1, func(Journal, string) {}, zerolog.New(&said).Level(zerolog.WarnLevel))
		i.settles(t)
		marked()
		k.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			return nil, kerr.RequestTimedOut, true
		})
		time.Sleep(deadAfter / 2)
		if n := said.count("watermarks not moved"); n != 0 {
			t.Errorf("said %d times within half a minute", n)
		}
		time.Sleep(3 * deadAfter)
		if n := said.count("watermarks not moved"); n < 2 || n > 3 {
			t.Errorf("said %d times in three minutes", n)
		}
	})
}

// watched is what was logged.
type watched struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(line)
}

func (w *watched) count(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), text)
}
