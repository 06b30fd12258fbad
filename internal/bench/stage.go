package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
	"disburser/internal/partition"
	"disburser/internal/trial"
)

// stage is what all parts share: programs, servers, and where to put things.
type stage struct {
	Options
	dir                      string
	disburser, paysim, floor string // the built programs
	kafkaPID                 int    // 0 if unknown
	client                   *kafka.Client
	redis                    *redis.Client
	progress                 *progress
	sites                    int
	filled                   []beside // by fill
}

// newStage builds the programs and looks at the servers. The Redis must be empty: parts
// empty it again and again.
func newStage(ctx context.Context, o Options, p *progress) (s *stage, err error) {
	if o.Kafka == "" || o.Redis == "" {
		return nil, errors.New("DISBURSER_KAFKA and DISBURSER_REDIS must say where servers are that may be emptied; make bench starts some")
	}
	s = &stage{Options: o, progress: p}
	if s.dir, err = os.MkdirTemp("", "disburser-bench-*"); err != nil {
		return nil, err
	}
	s.client = &kafka.Client{Addr: kafka.TCP(o.Kafka), Transport: &kafka.Transport{MetadataTTL: time.Second}}
	s.redis = redis.NewClient(&redis.Options{Addr: o.Redis, ReadTimeout: time.Minute})
	s.kafkaPID = pidIn(filepath.Join(os.Getenv("DISBURSER_SERVERS_DIR"), "kafka/pid"))
	if n, err := s.redis.DBSize(ctx).Result(); err != nil || n > 0 {
		s.close()
		return nil, fmt.Errorf("the Redis at %s must answer and be empty, because it will be emptied (%d keys; %w)", o.Redis, n, err)
	}
	p.say("building the programs")
	if err := harness.Build(ctx, o.Root, s.dir, "cmd/disburser", "cmd/paysim", "internal/bench/cmd/floor"); err != nil {
		s.close()
		return nil, err
	}
	s.disburser, s.paysim, s.floor = filepath.Join(s.dir, "disburser"), filepath.Join(s.dir, "paysim"), filepath.Join(s.dir, "floor")
	return s, nil
}

func pidIn(file string) int {
	text, _ := os.ReadFile(file) // servers of somebody's own have none
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func (s *stage) close() {
	_ = s.redis.Close()
	_ = os.RemoveAll(s.dir)
}

// site is what one measurement has for itself: an empty Redis, topics, a provider.
type site struct {
	*stage
	id, dir  string
	topics   trial.Topics
	accounts accounts
	provider *provider
	program  string // of the service
	running  []*harness.Process
	batches  int // of through
}

// newSite makes a site with a provider of that behavior (paysim's JSON, "" = perfect).
func (s *stage) newSite(ctx context.Context, name, behavior string) (*site, error) {
	return s.newSiteOf(ctx, name, behavior, two)
}

// newSiteOf is the same for other merchants.
func (s *stage) newSiteOf(ctx context.Context, name, behavior string, all accounts) (*site, error) {
	s.sites++
	t := &site{stage: s, id: fmt.Sprintf("bench-%d-%s", s.sites, name), accounts: all, program: s.disburser}
	t.dir = filepath.Join(s.dir, t.id)
	t.topics = trial.Topics{Commands: t.id + ".commands", Results: t.id + ".results", Decisions: t.id + ".decisions", DeadLetter: t.id + ".dead-letter", Actions: t.id + ".actions"}
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.redis.FlushAll(ctx).Err(); err != nil {
		return nil, err
	}
	if err := t.createTopics(ctx); err != nil {
		return nil, err
	}
	var err error
	t.provider, err = newProvider(ctx, s.paysim, t.dir, behavior, all)
	return t, err
}

func (t *site) createTopics(ctx context.Context) error {
	return harness.CreateTopics(ctx, t.client, map[string]int{t.topics.Commands: partitions, t.topics.Results: 3, t.topics.Decisions: 3, t.topics.DeadLetter: 1, t.topics.Actions: 1})
}

// close ends what runs here and deletes the topics, so that the broker's disk stays small.
func (t *site) close() {
	for _, p := range t.running {
		p.Kill()
		if text, err := os.ReadFile(p.Log); err == nil && t.Profile != "" {
			_ = os.WriteFile(filepath.Join(t.Profile, t.id+"-"+filepath.Base(p.Log)), text, 0o600) // only somebody's curiosity
		}
	}
	if t.provider != nil {
		t.provider.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = t.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{
		Topics: []string{t.topics.Commands, t.topics.Results, t.topics.Decisions, t.topics.DeadLetter, t.topics.Actions},
	})
}

// written counts what was ever written to a topic.
func (t *site) written(ctx context.Context, topic string) (n int64) {
	count, _ := partition.Count(ctx, t.client, topic)
	return t.writtenIn(ctx, topic, count)
}

// writtenIn is the same for who knows the number of partitions; it is asked often.
func (t *site) writtenIn(ctx context.Context, topic string, partitions int) (n int64) {
	requests := make([]kafka.OffsetRequest, partitions)
	for p := range partitions {
		requests[p] = kafka.LastOffsetOf(p)
	}
	res, err := t.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	if err != nil {
		return 0
	}
	for _, p := range res.Topics[topic] {
		n += p.LastOffset
	}
	return n
}

// redisCPU is what Redis has used since its start.
func (s *stage) redisCPU(ctx context.Context) time.Duration {
	info, _ := s.redis.Info(ctx, "cpu").Result() // a figure that is missing shows as zero
	return time.Duration((infoField(info, "used_cpu_user") + infoField(info, "used_cpu_sys")) * float64(time.Second))
}

func infoField(info, name string) float64 {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+":"); found {
			f, _ := strconv.ParseFloat(value, 64)
			return f
		}
	}
	return 0
}
