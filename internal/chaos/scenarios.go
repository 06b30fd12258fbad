package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"disburser/paypro/paysim"
)

const contSignal = syscall.SIGCONT

// What a merchant's no_record.then says.
const (
	resend = "resend"
	hold   = "hold"
)

// scenario is one kind of trouble.
type scenario struct {
	name, about string
	then        string        // no_record.then
	instances   int           // to begin with
	calls       int           // disburse.slots
	rate        float64       // of each merchant
	load        float64       // payouts a second; 0 = as the options say
	appendOnly  bool          // whether its Redis writes an append-only file
	brokers     int           // 0 = 1; with more of them the partition of the actions has a copy on each
	unlimited   bool          // its faults may take longer than the duration
	giveUp      time.Duration // poll.give_up; 0 = the default
	breaker     int           // breaker.min_requests; 0 = the default
	books       string        // where a back office has its books; "" = there is none
	offices     int           // how many of them; 0 = 1
	proof       bool          // the provider lies: the verdict must find payouts that were paid twice
	behavior    paysim.Behavior
	prepare     func(ctx context.Context, r *run) error // before the instances start
	faults      func(ctx context.Context, r *run) error // until ctx ends
	wants       func(ctx context.Context, r *run) error // what else must be true of the books in the end; nil: nothing
}

// Outcomes differ, and no order is refused: it would end as failed without a payment, and
// these runs are about payments.
var (
	plain = paysim.Behavior{
		Latency: 5 * time.Millisecond, LatencyMax: 60 * time.Millisecond, SettleMin: 50 * time.Millisecond, SettleMax: time.Second,
		Failed: 0.03, Partial: 0.02,
	}
	losing = with(plain, func(b *paysim.Behavior) {
		b.LostReply, b.LateError, b.Outer5000, b.EarlyError = 0.02, 0.02, 0.02, 0.02
	})
	slow      = with(plain, func(b *paysim.Behavior) { b.Latency, b.LatencyMax = 100*time.Millisecond, 400*time.Millisecond })
	lying     = with(losing, func(b *paysim.Behavior) { b.NoRecordLag = 20 * time.Second })
	unhurried = with(losing, func(b *paysim.Behavior) { b.SettleMin, b.SettleMax = time.Second, 12*time.Second })
	doubtful  = with(plain, func(b *paysim.Behavior) {
		b.SettleMin, b.SettleMax, b.NoRecordLag = 500*time.Millisecond, time.Minute, 2*time.Second
		b.Unknown, b.Vanished, b.Failed, b.EarlyError, b.LostReply, b.LateError = 0.3, 0.12, 0.1, 0.12, 0.03, 0.03
	})
	long = with(plain, func(b *paysim.Behavior) { b.SettleMin, b.SettleMax = 15*time.Second, 40*time.Second })
)

func with(b paysim.Behavior, change func(*paysim.Behavior)) paysim.Behavior {
	change(&b)
	return b
}

// scenarios are all there are, in the order in which they are played.
func scenarios() []scenario {
	all := []scenario{
		{name: "replies", about: "2 % lost replies, 2 % late 500s, 2 % outer 5000, 2 % early 500s", faults: lossy},
		{name: "kill", about: "SIGKILL of an instance every 2 s", instances: 4, faults: killing},
		{name: "takeover", about: "SIGKILL of an instance, and the others take over before the next one", instances: 4, faults: takeover},
		{name: "stop", about: fmt.Sprintf("instances stopped (SIGSTOP) for %s, %s beyond the lease, one or two at a time", lease+3*time.Second, 3*time.Second), instances: 4, faults: stopping},
		{name: "scale", about: "instances added, removed, and replaced one by one", faults: scaling},
		{name: "wipe", about: "FLUSHALL, then a restart of Redis without persistence", faults: wiping},
		{name: "aof", about: "Redis killed twice with AOF; the second time it has lost the file's end", appendOnly: true, faults: aof},
		{name: "snapshot", about: "Redis killed, and restarted from a snapshot some seconds old", faults: snapshot},
		{name: "failover", about: "failover to a replica that misses two seconds, twice", faults: failover},
		{name: "split", about: "Redis split for 8 s, healed onto the promoted half", instances: 4, faults: splitForward},
		{name: "splitback", about: "Redis split for 8 s, healed onto the old half, which is stale", instances: 4, faults: splitBack},
		{name: "broker", about: "the broker killed twice", faults: breaking},
		{name: "links", about: "links to Kafka, Redis and the provider cut, stalled, shut, and replies lost on them", instances: 4, faults: tangling},
		{name: "hold", about: "then: hold, FLUSHALL in mid-run: only what is in flight is held", then: hold, calls: 8, behavior: slow, faults: flushing},
		{name: "pause", about: "the fleet paused twice: nothing is sent, asks and results go on, and sends go on after the resume", load: 200, instances: 3, unlimited: true, behavior: unhurried, faults: pausing},
		{name: "pauseasleep", about: "the fleet paused while an instance is stopped (SIGSTOP), three times: it wakes up and sends nothing", load: 200, instances: 3, unlimited: true, behavior: unhurried, faults: pausingAsleep},
		{name: "pausesplit", about: "the fleet paused while Redis is split: both halves obey", load: 200, instances: 3, unlimited: true, behavior: unhurried, faults: pausingSplit},
		{name: "pausewipe", about: "FLUSHALL and a restart of all instances while the fleet is paused: nothing is sent until the resume", load: 200, instances: 3, unlimited: true, behavior: unhurried, faults: pausingWiped},
		{name: "pauseleader", about: "the leader of the actions' partition killed after a pause, before one, and stopped (SIGSTOP) around one: nothing is sent", brokers: 3, load: 200, instances: 3, unlimited: true, behavior: unhurried, faults: pausingLeader},
		{name: "cancel", about: "a batch cancelled while it is sent, and an instance killed meanwhile: what was never sent is rejected", rate: 200, unlimited: true, faults: cancelling},
		{name: "cancelsplit", about: "a batch cancelled while Redis is split", rate: 200, instances: 4, unlimited: true, faults: cancellingSplit},
		{name: "resolve", about: "1,000 words about held payouts, some forced, while Redis forgets, fails over and restarts: none is believed against the provider", then: hold, load: 30, rate: 1000, giveUp: 8 * time.Second, appendOnly: true, unlimited: true, behavior: doubtful, faults: resolving},
		{name: "resolvesplit", about: "500 words about held payouts while Redis is split twice, healed forward and then onto the stale half", then: hold, load: 30, rate: 1000, giveUp: 8 * time.Second, instances: 4, unlimited: true, behavior: doubtful, faults: resolvingSplit},
		{name: "books", about: "1,000 answers of a back office looked at, while instances are killed and Redis is wiped: nothing is lost between two states", instances: 2, books: onSQLite, unlimited: true, faults: watchingBooks},
		{name: "bookskill", about: "SIGKILL of the back office every second, its books in SQLite, and a rebuild meanwhile: they equal fresh ones, and each event of a batch has one content", books: onSQLite, unlimited: true, faults: killingOffices},
		{name: "bookspair", about: "the same with two back offices on one PostgreSQL, killed in turn", books: onPostgres, offices: 2, unlimited: true, faults: killingOffices},
		{name: "manyresolved", about: "500 payouts held by a provider that hangs, resolved by one command that is killed three times: one action each takes effect, none against the provider", then: hold, load: 4, instances: 2, calls: 128, rate: 400, giveUp: 8 * time.Second, breaker: 1_000_000, books: onSQLite, unlimited: true, behavior: plain, faults: resolvingMany, wants: manyResolved},
		{name: "sendkilled", about: "a file of 20,000 payouts sent by payctl, which is killed halfway; sent again while the back office is killed; sent whole; and renamed and sorted anew", load: 4, rate: 2000, calls: 128, books: onSQLite, unlimited: true, behavior: plain, faults: sendingFile, wants: sentOnce},
		{name: "rebuild", about: "a wipe with 100,000 decisions and finals, and 10,000 open payouts", calls: 128, rate: 2000, behavior: long, prepare: history100k, unlimited: true, faults: rebuilding},
		{name: "proof", about: "the provider denies what it executes, and the verdict must notice", proof: true, behavior: lying, faults: lies},
		{name: "mixed", about: "everything at once", instances: 4, appendOnly: true, behavior: losing, faults: mixing},
	}
	for i := range all {
		all[i].fill()
	}
	return all
}

// fill gives a scenario what most of them have: a provider that fails as in production
// unless the scenario wants another one.
func (s *scenario) fill() {
	if s.then == "" {
		s.then = resend
	}
	if s.instances == 0 {
		s.instances = 3
	}
	if s.calls == 0 {
		s.calls = 32
	}
	if s.rate == 0 {
		s.rate = 400
	}
	if s.rate < s.load {
		s.rate = s.load
	}
	if s.behavior == (paysim.Behavior{}) {
		s.behavior = losing
	}
}

// doubtful tells that its provider leaves many payouts held.
func (s scenario) doubtful() bool { return s.behavior == doubtful }

// Scenario is a name and what it does, for --list.
type Scenario struct{ Name, About string }

// List tells all scenarios.
func List() (all []Scenario) {
	for _, s := range scenarios() {
		all = append(all, Scenario{s.name, s.about})
	}
	return all
}

func choose(names []string) ([]scenario, error) {
	all := scenarios()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q; --list tells them", strings.TrimSpace(name))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
