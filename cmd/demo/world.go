package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/service"
	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/embedded"
	"disburser/internal/trial"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

// instances is how many disbursers share the work.
const instances = 2

// merchantNos are the merchants' accounts at the simulator.
var merchantNos = map[string]string{"eg-main": "0000000001", "br-main": "0000000002"}

// topics have their default names; several partitions, so that both instances get some.
var topics = map[string]int{
	trial.DefaultTopics.Commands: 6, trial.DefaultTopics.Results: 3, trial.DefaultTopics.Decisions: 3, trial.DefaultTopics.DeadLetter: 1,
	trial.DefaultTopics.Actions: 1, batches: 1,
}

// batches is the topic that only the back office writes.
const batches = "payout.batches"

// badDays say how the provider treats each merchant: a few percent of everything that can go
// wrong. Egypt's sends get lost on their way. Brazil's arrive, and are refused or fail. No
// merchant has both. With `then: resend` a lost payout is sent again; one that is refused as
// well would be sent until give_up, for three days.
var badDays = map[string]*paysim.Behavior{
	"eg-main": {
		Latency: 10 * time.Millisecond, LatencyMax: 120 * time.Millisecond,
		SettleMin: 100 * time.Millisecond, SettleMax: 4 * time.Second,
		Failed: 0.04, Partial: 0.03, Limited: 0.01, PartialFirst: 0.02,
		LostReply: 0.04, EarlyError: 0.04, LateError: 0.04, Outer5000: 0.04, Garbled: 0.01, Hang: 0.01, HangFor: 10 * time.Second,
		QueryLost: 0.01, QueryError: 0.01, Query5000: 0.01, QueryGarbled: 0.01,
	},
	"br-main": {
		Latency: 10 * time.Millisecond, LatencyMax: 120 * time.Millisecond,
		SettleMin: 100 * time.Millisecond, SettleMax: 4 * time.Second, SettleAtOnce: 0.1,
		Failed: 0.04, Partial: 0.03, Refused: 0.06, PartialFirst: 0.02,
		QueryLost: 0.01, QueryError: 0.01, Query5000: 0.01, QueryGarbled: 0.01,
	},
}

// world is everything there is: servers, provider, instances, the back office, and who watches them.
type world struct {
	kafka     *embedded.Kafka
	redis     *embedded.Redis
	sim       *paysim.Sim
	web       *embedded.Web
	transport *kafka.Transport
	watcher   *trial.Watcher

	office     office
	setup      setup
	secret     string   // of the admin ports, and of what people say
	disbursers []string // addresses of the admin ports

	registries []*prometheus.Registry // of the instances
	running    sync.WaitGroup         // instances
	watching   sync.WaitGroup
	reading    sync.WaitGroup     // the back office
	stop       context.CancelFunc // of the instances
	stopWatch  context.CancelFunc
	stopOffice context.CancelFunc

	mu   sync.Mutex
	died error // of an instance or the back office, before it was told to stop
}

// setup says which world it is.
type setup struct {
	seed   uint64
	then   string // what becomes of an order of eg-main that the provider has no record of: resend or hold
	listen string // where the back office answers
}

// newWorld starts the servers and the provider, and watches the results.
func newWorld(of setup) (*world, error) {
	w := &world{stop: func() {}, stopOffice: func() {}, setup: of}
	w.secret, _ = service.NewToken()
	var err error
	if w.kafka, err = embedded.NewKafka(topics); err != nil {
		return nil, err
	}
	if w.redis, err = embedded.NewRedis(); err != nil {
		return nil, err
	}
	// PayAgain: whatever is sent twice is paid twice. No page says what Paypro does, so
	// the disburser must never depend on anything better.
	w.sim = paysim.New(paysim.Config{Seed: of.seed, Repeat: paysim.PayAgain, Merchants: []paysim.Merchant{
		{Country: "egypt", MerchantNo: merchantNos["eg-main"], Secret: "demo-egypt", BasePath: "/egy-pay", Behavior: badDays["eg-main"]},
		{Country: "brazil", MerchantNo: merchantNos["br-main"], Secret: "demo-brazil", BasePath: "/brz-pay", Behavior: badDays["br-main"]},
	}})
	w.web = embedded.NewWeb(w.sim)
	w.transport = &kafka.Transport{Dial: w.kafka.Dial, MetadataTTL: time.Second}
	w.watcher = trial.NewWatcher(&kafka.Client{Addr: kafka.TCP(w.kafka.ListenAddrs()...), Transport: w.transport}, trial.DefaultTopics)
	ctx, cancel := context.WithCancel(context.Background())
	w.stopWatch = cancel
	w.watching.Go(func() { w.watcher.Run(ctx) })
	return w, nil
}

// start runs the instances until stop, and the back office until close; logTo gets what they log.
func (w *world) start(logTo io.Writer) error {
	var listeners []net.Listener // of the admin HTTP
	for range instances {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listeners, w.disbursers = append(listeners, listener), append(w.disbursers, "http://"+listener.Addr().String())
	}
	if err := w.openOffice(logTo); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	for i, listener := range listeners {
		registry := prometheus.NewRegistry()
		a, err := app.New(w.config(), app.Options{
			Instance: fmt.Sprintf("demo-%d", i+1), Registry: registry, Listener: listener, LogTo: logTo,
			DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial, DialHTTP: w.web.Dial,
		})
		if err != nil {
			return err
		}
		w.registries = append(w.registries, registry)
		w.running.Go(func() {
			if err := a.Run(ctx); err != nil {
				w.note(err)
			}
		})
	}
	return nil
}

// note notes why something ended.
func (w *world) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.died = errors.Join(w.died, err)
}

// trouble is why an instance or the back office ended by itself, if one did.
func (w *world) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.died
}

// config is what both instances run with.
func (w *world) config() config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses = w.kafka.ListenAddrs(), []string{"redis:6379"}
	c.UnknownMerchantGrace = 2 * time.Second // nobody here will ever know the payroll's unknown merchant
	c.Disburse.Drain = 4 * time.Second       // longer than a call, so that a stop leaves nothing behind
	c.Merchants = map[string]config.Merchant{
		"eg-main": merchant("egypt", "/egy-pay", merchantNos["eg-main"], "demo-egypt", trial.Currencies["eg-main"], w.setup.then),
		"br-main": merchant("brazil", "/brz-pay", merchantNos["br-main"], "demo-brazil", trial.Currencies["br-main"], "resend"),
	}
	c.Admin.Token, c.Actions.Key = secrets.New(w.secret), secrets.New(w.secret)
	return c
}

func merchant(country, base, no, secret, currency, then string) config.Merchant {
	m := config.DefaultMerchant()
	m.Country, m.BaseURL, m.MerchantNo, m.Currency = country, "http://paysim"+base, no, currency
	m.Secret, m.NotifyURL = secrets.New(secret), "https://example.com/notify"
	m.Timeout = 2 * time.Second // short, so that a lost reply is soon asked about
	m.Poll.First, m.Poll.Max = 500*time.Millisecond, 2*time.Second
	// The simulator shows an order from the moment it accepts it. So "no record", said three
	// times after the call's deadline, is true, and sending the same tradeNo again pays once.
	// Nobody has promised that of the real Paypro: leave `then: hold` there.
	m.NoRecord.Answers, m.NoRecord.Every, m.NoRecord.Then = 3, time.Second, then
	return m
}

// halt stops the instances and reads what they still published.
func (w *world) halt() error {
	w.stop()
	w.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := w.watcher.CatchUp(ctx); err != nil {
		return fmt.Errorf("read the last results: %w", err)
	}
	return nil
}

// close ends everything, also after half a start.
func (w *world) close() {
	w.stop()
	w.running.Wait()
	w.closeOffice()
	w.stopWatch()
	w.watching.Wait()
	w.transport.CloseIdleConnections()
	w.web.Close()
	w.redis.Close()
	w.kafka.Close()
}
