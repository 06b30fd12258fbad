package simulation

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/trial"
	"disburser/payout/secrets"
)

// epoch is when every simulation begins: the provider wants timestamps of 13 digits,
// and a bubble begins in the year 2000.
var epoch = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

// What the program runs with: small, so that little virtual time shows much.
const (
	lease     = 4 * time.Second
	timeout   = time.Second
	sendRate  = 10
	sendBurst = 3
	drain     = 3 * time.Second
	giveUp    = time.Minute
	absences  = 3
)

// world is one simulation.
type world struct {
	plan     Plan
	broker   *broker
	stores   *stores
	provider *provider
	log      logbook
	hearing  hearing

	ctx      context.Context
	stop     context.CancelFunc
	watching sync.WaitGroup // our own goroutines

	mu        sync.Mutex
	instances []*instance // by slot
	lives     []int       // how many each slot has had
	dead      []*instance
	problems  []string // what went wrong with the program as a process

	crowd crowd
}

// instance is one life of one process.
type instance struct {
	name   string
	link   *link
	cancel context.CancelFunc
	killed chan struct{}
	once   sync.Once
	ended  chan struct{}
}

func newWorld(plan Plan) (*world, error) {
	w := &world{plan: plan, instances: make([]*instance, plan.Slots), lives: make([]int, plan.Slots)}
	w.crowd.results, w.crowd.reading = newEvidence(), make(chan struct{}, 1)
	w.ctx, w.stop = context.WithCancel(context.Background())
	var err error
	if w.broker, err = newBroker(); err != nil {
		return nil, err
	}
	if w.stores, err = newStores(plan.Slots); err != nil {
		return nil, err
	}
	w.provider = newProvider(plan.Seed, plan.Provider)
	w.watching.Go(func() { w.broker.watch(w.ctx) })
	return w, nil
}

// start begins a life in a slot.
func (w *world) start(slot int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[slot]++
	i := &instance{
		name: fmt.Sprintf("i%d.%d", slot, w.lives[slot]), link: newLink(w.plan.Seed, uint64(100*slot+w.lives[slot])),
		killed: make(chan struct{}), ended: make(chan struct{}),
	}
	i.link.ear = func() *ear {
		return &ear{hearing: &w.hearing, instance: i.name, asked: map[uint32]*kmsg.ProduceRequest{}}
	}
	web := w.provider.door(i.name)
	a, err := app.New(w.config(), app.Options{
		Instance: i.name, Listener: newSilence(), LogTo: page{&w.log, i.name},
		DialKafka: i.link.dialer(toKafka, w.broker.network.DialContext),
		DialRedis: i.link.dialer(toRedis, w.stores.dialer(slot)),
		DialHTTP:  i.link.dialer(toProvider, web.Dial),
	})
	if err != nil {
		return err
	}
	var ctx context.Context
	ctx, i.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(i.ended)
		if err := a.Run(ctx); err != nil {
			w.problem("%s ended with an error: %v", i.name, err)
		} else if ctx.Err() == nil {
			w.problem("%s ended though nobody had told it to", i.name)
		}
	}()
	w.instances[slot] = i
	return nil
}

// kill ends a life: first nothing of it gets out any more, then it may end.
func (i *instance) kill() {
	i.once.Do(func() {
		i.link.kill()
		i.cancel()
		close(i.killed)
	})
}

func (w *world) at(slot int) *instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.instances[slot]
}

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *world) config() config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = w.broker.ListenAddrs(), []string{"redis:6379"}
	c.Kafka.Group, c.Kafka.SessionTimeout = group, 4*time.Second
	c.Redis.DedupWindow, c.Redis.Shards = w.plan.DedupWindow, w.plan.Shards
	c.Disburse.Lease, c.Disburse.Drain, c.Disburse.Slots = lease, drain, 24
	c.Breaker.Window, c.Breaker.OpenFor, c.Breaker.MaxOpenFor, c.Breaker.MinRequests = 10*time.Second, time.Second, 4*time.Second, 10
	c.UnknownMerchantGrace = 2 * time.Second
	c.Actions.Staleness, c.Actions.TwoPeople = staleness, w.plan.TwoPeople
	if w.plan.Key {
		c.Actions.Key = actionsKey
	}
	c.Log.Level = "debug"
	c.Merchants = map[string]config.Merchant{
		"eg-main": w.merchant("egypt", "/egy-pay", "eg-main", egyptSecret),
		"br-main": w.merchant("brazil", "/brz-pay", "br-main", brazilSecret),
	}
	return c
}

func (w *world) merchant(country, base, name, secret string) config.Merchant {
	m := config.DefaultMerchant()
	m.Country, m.BaseURL, m.MerchantNo, m.Currency = country, "http://paysim"+base, accounts[name], trial.Currencies[name]
	m.Secret, m.NotifyURL, m.Timeout = secrets.New(secret), "https://example.com/notify", timeout
	m.Send, m.Query = config.Rate{Rate: sendRate, Burst: sendBurst}, config.Rate{Rate: 40, Burst: 5}
	m.Poll = config.Poll{First: 200 * time.Millisecond, Factor: 1.6, Max: 2 * time.Second, GiveUp: giveUp}
	m.NoRecord.Answers, m.NoRecord.Every, m.NoRecord.Then = absences, time.Second, w.plan.Then
	return m
}

// publish brings the commands when they are due.
func (w *world) publish() {
	for _, b := range w.plan.Bursts {
		w.until(b.At)
		transport := w.broker.transport
		if err := trial.Publish(w.ctx, w.broker.ListenAddrs(), transport, trial.DefaultTopics.Commands, b.Lines); err != nil {
			w.problem("the commands could not be published: %v", err)
		}
	}
}

// until sleeps up to a moment of the plan.
func (w *world) until(at time.Duration) { time.Sleep(time.Until(epoch.Add(at))) }

// halt stops all instances in good order.
func (w *world) halt() {
	for slot := range w.instances {
		w.at(slot).cancel()
	}
	for slot := range w.instances {
		w.ends(w.at(slot))
	}
}

// close takes everything down. What is still in flight gets time to see it.
func (w *world) close() {
	w.stop()
	for slot := range w.instances {
		w.at(slot).kill()
	}
	w.watching.Wait()
	w.provider.close()
	w.broker.close()
	w.stores.close()
	time.Sleep(time.Minute)
}

// silence is a listener that nobody calls.
type silence struct {
	once   sync.Once
	closed chan struct{}
}

func newSilence() net.Listener { return &silence{closed: make(chan struct{})} }

// Accept waits for the end.
func (s *silence) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

// Close ends it.
func (s *silence) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr has nothing to tell.
func (s *silence) Addr() net.Addr { return &net.TCPAddr{} }
