package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
)

// Limits of what is waited for.
const (
	readyLimit = 60 * time.Second
	quietLimit = 240 * time.Second // faults are over, and all is settled
)

// run is one scenario being played.
type run struct {
	*world
	scenario  scenario
	id, dir   string
	topics    trial.Topics
	lines     []string // of the load, more than are needed
	published int      // owned by load
	provider  *provider
	redis     *redisServer // the one that the links lead to
	servers   []*redisServer
	cluster   *cluster // nil with one broker
	persons   int      // who have spoken; owned by the faults
	said      []string // actions of theirs, likewise
	watcher   *trial.Watcher
	random    *rand.Rand
	extra     trial.Expected // what prepare put there already
	kept      *bookkeeping   // nil without a back office
	began     time.Time

	mu        sync.Mutex
	instances []*instance
	faults    map[string]int
	timeline  []string
	problems  []string
	waits     []wait               // recoveries to be measured
	acked     map[string]time.Time // of a batch's cancel, by its id
}

// play runs one scenario from an empty stage to the verdict.
func (w *world) play(ctx context.Context, s scenario) (row, error) {
	began := time.Now()
	w.say("== %s: %s", s.name, s.about)
	r := &run{
		world: w, scenario: s, id: fmt.Sprintf("%s-%x", s.name, time.Now().UnixMilli()&0xffffff), began: began,
		random: rand.New(rand.NewPCG(w.Seed, 1)), faults: map[string]int{}, acked: map[string]time.Time{},
	}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer r.close()
	defer background.Wait()
	defer cancel()
	if err := r.setUp(ctx); err != nil {
		return row{}, err
	}
	background.Go(func() { r.watcher.Run(ctx) })
	if err := r.startAll(ctx); err != nil {
		return row{}, err
	}
	r.disturb(ctx)
	r.heal()
	quiet := r.settle(ctx)
	r.stopAll()
	if ctx.Err() != nil {
		return row{}, ctx.Err()
	}
	return r.judge(ctx, quiet, time.Since(began))
}

// setUp makes everything that the instances need.
func (r *run) setUp(ctx context.Context) (err error) {
	r.dir = filepath.Join(r.world.dir, r.id)
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return err
	}
	r.topics = trial.Topics{
		Commands: r.id + ".commands", Results: r.id + ".results", Decisions: r.id + ".decisions", DeadLetter: r.id + ".dead-letter", Actions: r.id + ".actions",
	}
	if err := r.createTopics(ctx); err != nil {
		return err
	}
	if r.provider, err = newProvider(ctx, r.paysim, r.dir, r.Seed, r.scenario.behavior); err != nil {
		return err
	}
	if r.redis, err = r.addRedis(ctx, r.scenario.appendOnly, ""); err != nil {
		return err
	}
	for _, s := range r.slots {
		s.heal()
		s.redis.point(r.redis.Address())
		s.provider.point(r.provider.Address)
		if err := s.configure(r.dir, r.params()); err != nil {
			return err
		}
	}
	r.lines = trial.Payroll(r.id+"-", r.Seed, int(r.perSecond()*r.loadTime().Seconds()))
	r.watcher = trial.NewWatcher(r.broker.client, r.topics)
	if r.scenario.books != "" {
		if err := r.openBooks(ctx); err != nil {
			return err
		}
	}
	if r.scenario.prepare != nil {
		return r.scenario.prepare(ctx, r)
	}
	return nil
}

// params are what the scenario wants of the configurations.
func (r *run) params() params {
	s := r.scenario
	return params{ID: r.id, Then: s.then, Topics: r.topics, Slots: s.calls, Rate: s.rate, GiveUp: s.giveUp, Breaker: s.breaker}
}

func (r *run) addRedis(ctx context.Context, appendOnly bool, replicaOf string) (*redisServer, error) {
	s, err := newRedis(ctx, r.dir, fmt.Sprintf("redis-%d", len(r.servers)), appendOnly, replicaOf)
	if s != nil {
		r.servers = append(r.servers, s)
	}
	return s, err
}

func (r *run) startAll(ctx context.Context) error {
	for _, s := range r.slots[:r.scenario.instances] {
		if err := r.start(s); err != nil {
			return err
		}
	}
	return harness.Until(ctx, readyLimit, "all instances are ready", func() bool { return r.allReady(ctx) })
}

func (r *run) allReady(ctx context.Context) bool {
	for _, s := range r.slots[:r.scenario.instances] {
		if !s.instance.ready(ctx) {
			return false
		}
	}
	return true
}

// start runs the next instance in a slot.
func (r *run) start(s *slot) error {
	if err := s.start(r.disburser); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instances = append(r.instances, s.instance)
	return nil
}

// disturb lets the load flow and does to it what the scenario says.
func (r *run) disturb(ctx context.Context) {
	loading, stop := context.WithCancel(ctx)
	var load sync.WaitGroup
	load.Go(func() { r.load(loading) })
	defer load.Wait()
	defer stop()
	if err := harness.Until(ctx, 30*time.Second, "the first payouts are settled", func() bool { n, _ := r.watcher.Progress(); return n >= 20 }); err != nil {
		r.problem("%v", err)
		return
	}
	limited, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	if !r.scenario.unlimited {
		ctx = limited
	}
	if err := r.scenario.faults(ctx, r); err != nil && loading.Err() == nil {
		r.problem("the faults: %v", err)
	}
	<-limited.Done()
}

// load publishes the lines at the rate until ctx ends. What can't be written because the
// broker is away is written when it is back.
func (r *run) load(ctx context.Context) {
	const largest = 1000
	began, perSecond := time.Now(), float64(len(r.lines))/r.loadTime().Seconds()
	for harness.Pause(ctx, 200*time.Millisecond) {
		due := min(len(r.lines), int(time.Since(began).Seconds()*perSecond), r.published+largest)
		if due == r.published {
			continue
		}
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if trial.Publish(writing, []string{r.broker.address}, r.broker.client.Transport, r.topics.Commands, r.lines[r.published:due]) == nil {
			r.published = due
		}
		cancel()
	}
}

// loadTime is how long the lines last: longer than any scenario's faults.
func (r *run) loadTime() time.Duration { return 3*r.Duration + time.Minute }

// perSecond is how many payouts are ordered.
func (r *run) perSecond() float64 {
	if r.scenario.load > 0 {
		return r.scenario.load
	}
	return r.Rate
}

// heal takes all faults back: links flow, nobody stands still, every slot is filled.
func (r *run) heal() {
	for i, s := range r.slots {
		s.heal()
		if s.instance == nil {
			continue
		}
		s.instance.Signal(contSignal)
		if i < r.scenario.instances && !s.instance.Running() {
			if err := r.start(s); err != nil {
				r.problem("%v", err)
			}
		}
	}
}

// stopAll stops the instances in the way in which production does.
func (r *run) stopAll() {
	var group sync.WaitGroup
	for _, s := range r.slots {
		if s.instance != nil && s.instance.Running() {
			group.Go(func() {
				if err := s.instance.Stop(drain + 2*time.Second); err != nil {
					r.problem("%v", err)
				}
			})
		}
	}
	group.Wait()
}

func (r *run) close() {
	for _, s := range r.slots {
		if s.instance != nil {
			s.instance.Kill()
		}
	}
	r.kept.close()
	r.provider.close()
	for _, s := range r.servers {
		s.close()
	}
	r.cluster.close()
}

// note records a fault.
func (r *run) note(kind, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.say("   %s: %s", kind, text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[kind]++
	r.timeline = append(r.timeline, time.Now().UTC().Format(time.RFC3339Nano)+" "+kind+": "+text)
}

// problem records what must not be.
func (r *run) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}
