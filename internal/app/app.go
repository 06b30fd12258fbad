package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"disburser/actions"
	"disburser/config"
	"disburser/consumer"
	"disburser/decisions"
	"disburser/disburse"
	"disburser/internal/together"
	"disburser/journal"
	"disburser/payout/epochs"
	"disburser/producer"
	"disburser/ratelimit"
)

// App is one instance of the disburser.
type App struct {
	config  config.Config // as it was at the start
	options Options
	logger  zerolog.Logger
	level   threshold

	kafka     kafkaLinks
	redis     redis.UniversalClient
	scripts   *together.Scripts // for those that payouts cost again and again
	merchants merchants
	shards    journal.Shards
	consumer  *consumer.Consumer
	producer  *producer.Producer
	actions   *actions.Follower
	keepers   []*decisions.Keeper
	logs      []*decisions.Log
	loops     []*disburse.Loop
	gauges    *gauges
	retention retention
	begun     sync.WaitGroup // of schedules that are being begun

	reloading sync.Mutex
	running   config.Config // what is in force

	health     health
	partitions atomic.Int64 // of the commands topic
	parked     atomic.Pointer[parked]
	started    atomic.Bool

	closers []closer
}

// closer undoes a step of New; they run in reverse.
type closer struct {
	name string
	run  func() error
}

// New wires an instance and connects to nothing yet. An error that wraps ErrSetup is
// for somebody to mend.
func New(c config.Config, o Options) (a *App, err error) {
	o = o.withDefaults()
	a = &App{config: c, options: o}
	defer func() {
		if err != nil {
			_ = a.close()
		}
	}()
	a.running = c
	a.logger = newLogger(c.Log, o.LogTo, &a.level).With().Str("instance", o.Instance).Logger()
	a.health.reasons, a.health.start = a.reasons, "starting"
	a.gauges = newGauges(o.Registry, namesOf(c))
	if a.kafka, err = newKafka(c.Kafka, o.Instance, o.DialKafka); err != nil {
		return nil, err
	}
	a.onClose("kafka", func() error { a.kafka.transport.CloseIdleConnections(); return nil })
	a.redis = newRedis(c.Redis, o.Instance, o.DialRedis)
	a.scripts = together.New(a.redis)
	a.onClose("what is in flight to redis", a.scripts.Close) // after the client itself
	a.onClose("redis", a.redis.Close)
	metrics := disburse.NewMetrics(o.Registry, namesOf(c), []string{ratelimit.Granted, ratelimit.Denied, ratelimit.Late})
	a.merchants, err = newMerchants(c, merchantParts{
		dial: o.DialHTTP, redis: a.scripts, epoch: a.epochs, tokens: metrics.Tokens, onChange: a.logRateChange,
	})
	a.onClose("provider", a.merchants.close)
	if err != nil {
		return nil, err
	}
	a.merchants.showRates(o.Registry)
	t := c.Kafka.Topics
	a.producer = producer.New(c.Kafka.Brokers, a.kafka.transport, t.Results, t.DeadLetter, t.Commands)
	a.onClose("producer", a.producer.Close)
	a.wireActions()
	a.wireShards(metrics)
	a.showClocks()
	a.wireConsumer()
	a.showState()
	return a, nil
}

func (a *App) onClose(name string, run func() error) {
	a.closers = append(a.closers, closer{name, run})
}

// close runs the closers in reverse and joins what they say.
func (a *App) close() error {
	var err error
	for _, c := range slices.Backward(a.closers) {
		if e := c.run(); e != nil {
			err = errors.Join(err, fmt.Errorf("close %s: %w", c.name, e))
		}
	}
	a.closers = nil
	return err
}

// wireShards makes the journal, and each shard's log, keeper and loop. Gates and slots are per
// loop: a shard gets its part of the slots.
func (a *App) wireShards(metrics *disburse.Metrics) {
	n := a.config.Redis.Shards
	a.shards = journal.NewShards(a.redis, n, journal.Options{
		Namespace: a.config.Redis.Namespace, Window: a.config.Redis.DedupWindow, MaxParked: a.config.Disburse.MaxParked, Shared: a.scripts,
		Observe: func(script string, took time.Duration) {
			a.gauges.scripts.WithLabelValues(script).Observe(took.Seconds())
		},
	}, a.nudge)
	for shard, j := range a.shards.All() {
		l := decisions.NewLog(a.kafka.client, a.config.Kafka.Topics.Decisions, a.options.Instance, shard)
		joined := func(ctx context.Context) {
			a.beginSchedules(ctx)
			a.loops[shard].Sweep()
		}
		k := decisions.NewKeeper(decisions.KeeperConfig{
			Journal: j, Log: l, Results: a.config.Kafka.Topics.Results, Shards: n,
			Owns:  func(tradeNo string) bool { return a.shards.Of(tradeNo) == shard },
			Knows: a.merchants.knows,
			Lease: a.config.Disburse.Lease, Logger: a.logger, Joined: joined, Lived: a.lived, ActionsEnd: a.actions.End, Actions: a.actions,
		})
		a.logs, a.keepers = append(a.logs, l), append(a.keepers, k)
		a.loops = append(a.loops, disburse.New(disburse.Config{
			Merchants: a.merchants.forLoop(), Slots: max(1, a.config.Disburse.Slots/n), Lease: a.config.Disburse.Lease,
			Breaker: disburse.BreakerSettings(a.config.Breaker), MaxOpen: (a.config.Disburse.MaxOpen + n - 1) / n,
			Journal: j, Decisions: l, Actions: a.actions, StoodStill: a.actions.Missed, Announcer: a.producer, EpochLost: k.CheckEpoch, Metrics: metrics, Logger: a.logger,
			Resolve: a.merchants.resolve(), Grace: a.config.UnknownMerchantGrace, OneShots: a.oneShots(shard, n, j, l),
		}))
	}
}

// nudge tells the loops that there may be something to do.
func (a *App) nudge() {
	for _, l := range a.loops {
		l.Nudge()
	}
}

func (a *App) wireConsumer() {
	a.consumer = consumer.New(consumer.Config{
		Group:  groupConfig(a.config.Kafka, a.kafka.dialer, a.logger),
		Client: a.kafka.client, MaxOpen: a.config.Disburse.MaxOpen,
		Resolve: a.merchants.resolve(), Currencies: a.merchants.rules().Currencies(), Cancelled: a.cancelled, Follows: a.follows,
		EpochLost: func() {
			for _, k := range a.keepers {
				k.CheckEpoch()
			}
		},
		InEpoch: a.inEpoch,
		Metrics: consumer.NewMetrics(a.options.Registry), Logger: a.logger, Inbox: a.shards, Anchors: a.shards, Now: a.shards.Now, DeadLetters: a.producer,
		CarryAfter: a.config.Redis.DedupWindow / 4, Old: a.shards, Carrier: a.producer,
	})
}

// announceStart says what runs and what of it nobody has verified.
func (a *App) announceStart() {
	a.logger.Info().Strs("merchants", namesOf(a.config)).Strs("brokers", a.config.Kafka.Brokers).Strs("redis", a.config.Redis.Addresses).Msg("starting")
	if a.config.Actions.Key.IsEmpty() {
		a.logger.Warn().Str("topic", a.config.Kafka.Topics.Actions).
			Msg("actions.key is empty: whoever can write to the topic lifts pauses; set a key, or see to it that nobody else writes there")
	}
	for _, m := range a.merchants {
		a.logger.Warn().Str("merchant", m.name).Str("country", m.config.Country).
			Strs("unverified", m.client.Unverified()).Msg("not verified with the provider; try it in the sandbox before real money")
	}
}

// serveAdmin starts the admin HTTP.
func (a *App) serveAdmin() (stop func(), err error) {
	listener := a.options.Listener
	if listener == nil {
		if listener, err = net.Listen("tcp", a.config.Admin.Listen); err != nil {
			return nil, fmt.Errorf("%w: admin.listen: %w", ErrSetup, err)
		}
	}
	a.logger.Info().Str("address", listener.Addr().String()).Msg("admin HTTP")
	server := &http.Server{Handler: a.admin(), ReadHeaderTimeout: 5 * time.Second}
	var group sync.WaitGroup
	a.launch(&group, "admin HTTP", func() { _ = server.Serve(listener) })
	return func() {
		_ = server.Close()
		group.Wait()
	}, nil
}

// allowed tells whether a request may see profiles: with the token only. A peer on this
// machine proves nothing, since a proxy or a tunnel makes one of everybody.
func (a *App) allowed(r *http.Request) bool {
	token := a.config.Admin.Token
	given := r.Header.Get("Authorization")
	return !token.IsEmpty() && subtle.ConstantTimeCompare([]byte(given), []byte("Bearer "+token.Reveal())) == 1
}

// reasons lists why this instance isn't ready.
func (a *App) reasons() []string {
	var all []string
	for shard, k := range a.keepers {
		if e, why := k.Epoch(); e.ID == "" {
			all = append(all, fmt.Sprintf("no epoch in shard %d: %s", shard, why))
		}
	}
	joined, stopped := a.consumer.Status()
	if !joined {
		all = append(all, "kafka: not in the consumer group yet")
	}
	if stopped != "" {
		all = append(all, "intake: "+stopped)
	}
	for _, l := range a.loops {
		if why := l.Trouble(); why != "" {
			all = append(all, "redis: "+why)
		}
	}
	if why := a.actions.Trouble(); why != "" {
		all = append(all, "actions: "+why)
	}
	if why := a.clocksApart(); why != "" {
		all = append(all, why)
	}
	return all
}

// inEpoch tells whether every shard is in an epoch.
func (a *App) inEpoch() bool {
	return !slices.ContainsFunc(a.keepers, func(k *decisions.Keeper) bool { e, _ := k.Epoch(); return e.ID == "" })
}

// epochs adds up the numbers of all shards' epochs, 0 while one of them has none: a new
// epoch of any shard makes it grow.
func (a *App) epochs() (sum int) {
	for _, k := range a.keepers {
		e, _ := k.Epoch()
		if e.ID == "" {
			return 0
		}
		sum += e.Number
	}
	return sum
}

// epochNumber is the number of the last shard's epoch, and 0 while a shard has none.
func (a *App) epochNumber() int {
	var e epochs.Epoch
	for _, k := range a.keepers {
		if e, _ = k.Epoch(); e.ID == "" {
			return 0
		}
	}
	return e.Number
}
