package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/embedded"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

// topics have their default names. Each instance gets some of the commands.
var topics = map[string]int{
	trial.DefaultTopics.Commands: 12, trial.DefaultTopics.Results: 3, trial.DefaultTopics.Decisions: 3, trial.DefaultTopics.DeadLetter: 1,
	trial.DefaultTopics.Actions: 1,
}

// world is everything there is in a rehearsal.
type world struct {
	plan     Plan
	kafka    *embedded.Kafka
	redis    *embedded.Redis
	sim      *paysim.Sim
	web      *embedded.Web
	outcomes outcomes

	accounts map[string]string // at the provider, by merchant
	of       map[string]int    // payouts, by merchant
	payouts  int

	ctx       context.Context
	stop      context.CancelFunc
	running   sync.WaitGroup
	transport *kafka.Transport

	mu   sync.Mutex
	died error
}

func newWorld(p Plan) (*world, error) {
	w := &world{plan: p, accounts: map[string]string{}, outcomes: outcomes{last: map[string]outcome{}}}
	w.ctx, w.stop = context.WithCancel(context.Background())
	var err error
	if w.kafka, err = embedded.NewKafka(topics); err != nil {
		return nil, err
	}
	if w.redis, err = embedded.NewRedis(); err != nil {
		return nil, err
	}
	var accounts []paysim.Merchant
	for i, name := range slices.Sorted(maps.Keys(p.Config.Merchants)) {
		w.accounts[name] = fmt.Sprintf("%010d", i+1)
		m := p.Config.Merchants[name]
		accounts = append(accounts, paysim.Merchant{
			Country: m.Country, MerchantNo: w.accounts[name], Secret: secretOf(name), BasePath: "/" + name,
			MinAmount: m.Amount.Min, MaxAmount: m.Amount.Max, Balance: "1000000000000000",
		})
	}
	sim := paysim.Config{Merchants: accounts, Behavior: p.Day.behavior(), Repeat: paysim.PayAgain}
	if err := sim.Validate(); err != nil {
		return nil, fmt.Errorf("play the provider: %w", err)
	}
	w.sim = paysim.New(sim)
	w.web = embedded.NewWeb(w.sim)
	w.transport = &kafka.Transport{Dial: w.kafka.Dial, MetadataTTL: time.Hour}
	w.count()
	return w, nil
}

// secretOf is what an account signs with. It is worth nothing.
func secretOf(merchant string) string { return "rehearsal of " + merchant }

// count counts the payouts of each merchant.
func (w *world) count() {
	w.of = map[string]int{}
	for _, command := range w.plan.Commands {
		orders, _ := message.Decode(command) // it was read before
		for _, o := range orders {
			name := o.Command.Merchant
			if name == "" && len(w.plan.Config.Merchants) == 1 {
				for only := range w.plan.Config.Merchants {
					name = only
				}
			}
			w.of[name]++
			w.payouts++
		}
	}
}

// start runs the instances, and follows what they announce.
func (w *world) start() error {
	for i := range w.plan.Instances {
		a, err := app.New(w.config(), app.Options{
			Instance: fmt.Sprintf("rehearsal-%d", i+1), Listener: silence{}, LogTo: io.Discard,
			DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial, DialHTTP: w.web.Dial,
		})
		if err != nil {
			return err
		}
		w.running.Go(func() {
			if err := a.Run(w.ctx); err != nil {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.died = errors.Join(w.died, err)
			}
		})
	}
	client := &kafka.Client{Addr: kafka.TCP(w.kafka.ListenAddrs()...), Transport: w.transport}
	for p := range topics[trial.DefaultTopics.Results] {
		source := partition.Source{Client: client, Topic: trial.DefaultTopics.Results, Partition: p}
		w.running.Go(func() { w.outcomes.follow(w.ctx, source) })
	}
	if w.plan.Day == Bad {
		w.running.Go(w.fail)
	}
	return nil
}

// fail has the provider down for a while.
func (w *world) fail() {
	pause(w.ctx, time.Until(w.plan.Begins.Add(downAfter)))
	w.sim.SetDown("", true)
	pause(w.ctx, downFor)
	w.sim.SetDown("", false)
}

// config is the plan's, with the addresses and secrets of this world.
func (w *world) config() config.Config {
	c := w.plan.Config
	own := config.Default()
	c.Kafka, c.Admin, c.Log, c.Actions = own.Kafka, own.Admin, own.Log, own.Actions
	window, shards := c.Redis.DedupWindow, c.Redis.Shards
	c.Redis = own.Redis
	c.Redis.DedupWindow, c.Redis.Shards = window, shards
	c.Kafka.Brokers, c.Redis.Addresses = w.kafka.ListenAddrs(), []string{"redis:6379"}
	c.Merchants = maps.Clone(c.Merchants)
	for name, m := range c.Merchants {
		m.BaseURL, m.MerchantNo, m.Secret = "http://paysim/"+name, w.accounts[name], secrets.New(secretOf(name))
		m.NotifyURL, m.AcceptUnverified = "https://example.com/notify", true
		m.Paths, m.Extra, m.Salt, m.SignIn = config.Paths{}, config.Extra{}, "suffix", ""
		c.Merchants[name] = m
	}
	return c
}

// publish writes all commands.
func (w *world) publish(ctx context.Context) error {
	lines := make([]string, len(w.plan.Commands))
	for i, command := range w.plan.Commands {
		lines[i] = string(command)
	}
	return trial.Publish(ctx, w.kafka.ListenAddrs(), w.transport, trial.DefaultTopics.Commands, lines)
}

// trouble is why an instance ended by itself, if one did.
func (w *world) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.died
}

func (w *world) close() {
	w.stop()
	w.running.Wait()
	w.transport.CloseIdleConnections()
	w.web.Close()
	w.redis.Close()
	w.kafka.Close()
}

// silence is the admin server's listener: nobody calls.
type silence struct{}

// Accept waits until it is closed.
func (silence) Accept() (net.Conn, error) { return nil, net.ErrClosed }

// Close does nothing.
func (silence) Close() error { return nil }

// Addr is no address.
func (silence) Addr() net.Addr { return &net.TCPAddr{} }
