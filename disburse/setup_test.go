package disburse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/finding"
	"disburser/payout/leases"
	"disburser/payout/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wallet = "01123456789" // must never show in a log

// memory is a journal without Redis; its rules are the scripts'.
type memory struct {
	mu     sync.Mutex
	rows   map[string]*row
	served map[string]leases.Evidence
	gone   map[string]payout.State // forgotten, as what
	calls  map[string]int
	fault  func(op string) error // before a call; nil: none
	lost   func(op string) error // after a call whose answer is lost; nil: none
	leases int
	ahead  time.Duration // of its clock before the process'

	followed int64 // see Move

	merchants []string // of the last look
}

// now is the journal's time; its lock is held.
func (j *memory) now() time.Time { return time.Now().Add(j.ahead) }

func (j *memory) setClock(ahead time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ahead = ahead
}

type row struct {
	payout.Payout
	token string
	until time.Time // zero: written since
}

func newMemory(payouts ...payout.Payout) *memory {
	j := &memory{rows: map[string]*row{}, served: map[string]leases.Evidence{}, gone: map[string]payout.State{}, calls: map[string]int{}}
	for _, p := range payouts {
		j.rows[p.TradeNo] = &row{Payout: p}
	}
	return j
}

func (j *memory) begin(op string) error {
	j.mu.Lock()
	j.calls[op]++
	fault := j.fault
	j.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(op)
}

func (j *memory) called(op string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls[op]
}

func (j *memory) get(tradeNo string) payout.Payout {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.rows[tradeNo]; r != nil {
		return r.Payout
	}
	return payout.Payout{}
}

func (j *memory) forgotten(tradeNo string) payout.State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.gone[tradeNo]
}

// leased are the payouts in somebody's hands.
func (j *memory) leased() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.rows {
		if !r.until.IsZero() {
			n++
		}
	}
	return n
}

// left are the payouts that are still open.
func (j *memory) left() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.rows)
}

// due lists what waits for a step, the longest waiting first, and when the next comes.
func (j *memory) due(step payout.Step, merchant string, now time.Time) (due []*row, next time.Time) {
	for _, r := range j.rows {
		at := r.Due
		switch {
		case step == payout.StepReview && r.State == payout.StateReceived && r.Step == step: // it waits for its merchant
		case step == payout.StepReview && r.State == payout.StateReceived && !r.ExpiresAt.IsZero():
			at = r.ExpiresAt
			if r.until.After(at) {
				at = r.until
			}
		case r.Step != step, merchant != "" && r.Merchant != merchant, step == payout.StepSend && r.Expired(now):
			continue
		}
		if !at.After(now) {
			due = append(due, r)
		} else if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	slices.SortFunc(due, func(a, b *row) int {
		return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.TradeNo, b.TradeNo))
	})
	return due, next
}

func (j *memory) DueBut(_ context.Context, merchants []string, leftOut []leases.Lane) (leases.Agenda, error) {
	if err := j.begin("due"); err != nil {
		return leases.Agenda{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.merchants = merchants
	a := j.agenda()
	for _, la := range leftOut {
		delete(a.Due, la)
	}
	return a, nil
}

// agenda is what is due; the lock is held.
func (j *memory) agenda() leases.Agenda {
	a := leases.Agenda{Now: j.now(), Due: map[leases.Lane]int{}}
	look := func(step payout.Step, merchant string) {
		due, next := j.due(step, merchant, a.Now)
		if len(due) > 0 {
			a.Due[leases.Lane{Step: step, Merchant: merchant}] = len(due)
		} else if !next.IsZero() && (a.Next.IsZero() || next.Before(a.Next)) {
			a.Next = next
		}
	}
	for _, m := range j.merchants {
		look(payout.StepSend, m)
		look(payout.StepAsk, m)
	}
	look(payout.StepAnnounce, "")
	look(payout.StepReview, "")
	return a
}

func (j *memory) MayBeDue(context.Context) ([]leases.Lane, error) {
	if err := j.begin("may be due"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Keys(j.agenda().Due)), nil
}

func (j *memory) Lease(_ context.Context, request leases.Request) (leases.Leased, error) {
	step, merchant, n, lease := request.Step, request.Merchant, request.N, request.For
	b := leases.Leased{Lease: leases.Lease{Epoch: "e1", Asked: time.Now()}}
	if err := j.begin("lease " + step.String()); err != nil {
		return leases.Leased{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.leases++
	b.LeasedAt, b.Took = j.now(), time.Since(b.Asked)
	b.Token, b.EndsAt, b.Evidence = fmt.Sprint("token", j.leases), b.LeasedAt.Add(lease), j.served[merchant]
	due, _ := j.due(step, merchant, b.LeasedAt)
	if request.Only != nil {
		due = slices.DeleteFunc(due, func(r *row) bool { return !slices.Contains(request.Only, r.TradeNo) })
	}
	due = slices.DeleteFunc(due, func(r *row) bool {
		stopped := slices.Contains(request.LeaveBatches, r.BatchID) || slices.Contains(request.LeavePayouts, r.TradeNo)
		if stopped {
			b.LeftBehind++
		}
		return stopped
	})
	for _, r := range due[:min(n, len(due))] {
		r.token, r.until, r.Due = b.Token, b.EndsAt, b.EndsAt
		switch step {
		case payout.StepSend:
			if r.Sends > 0 && r.Account != request.Account { // see lease.lua
				r.Step, r.Due = payout.StepReview, b.LeasedAt
				continue
			}
			r.State, r.Step, r.LastSentAt, r.SendBy, r.Account = payout.StateSending, payout.StepAsk, b.LeasedAt, b.EndsAt, request.Account
			r.Sends++
		case payout.StepReview:
			r.Step = payout.StepReview
		default: // the others only get another owner
		}
		b.Payouts = append(b.Payouts, r.Payout)
	}
	if j.lost != nil {
		if err := j.lost("lease"); err != nil {
			return leases.Leased{}, err
		}
	}
	return b, nil
}

func (j *memory) Apply(_ context.Context, changes []leases.Change, served []leases.Served) ([]bool, error) {
	if err := j.begin("apply"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	written := make([]bool, len(changes))
	for i, c := range changes {
		r := j.rows[c.After.TradeNo]
		switch {
		case r == nil:
			written[i] = c.Forget && j.gone[c.After.TradeNo] == c.After.State
		case r.token != c.Token:
		case r.until.IsZero(), r.State != c.Before: // written before, or by nobody we know
			written[i] = r.State == c.After.State && !c.Forget && r.until.Equal(c.EndsAt)
		case c.Forget:
			delete(j.rows, c.After.TradeNo)
			j.gone[c.After.TradeNo], written[i] = c.After.State, true
		default:
			after := row{Payout: c.After, token: c.Token, until: c.EndsAt}
			if !c.EndsAt.IsZero() {
				after.Due = c.EndsAt
			}
			j.rows[c.After.TradeNo], written[i] = &after, true
		}
	}
	for _, s := range served {
		e := j.served[s.Merchant]
		if s.At.After(e.ServedAt) {
			e.ServedAt, e.About = s.At, s.About
		}
		if s.Settled {
			e.Settled = s.About
		}
		j.served[s.Merchant] = e
	}
	if j.lost != nil {
		if err := j.lost("apply"); err != nil {
			return nil, err
		}
	}
	return written, nil
}

func (j *memory) Resolve(_ context.Context, lease leases.Lease, payouts []payout.Payout) ([]bool, error) {
	if err := j.begin("resolve"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	moved := make([]bool, len(payouts))
	for i, p := range payouts {
		if r := j.rows[p.TradeNo]; r != nil && r.token == lease.Token && !r.until.IsZero() {
			j.rows[p.TradeNo], moved[i] = &row{Payout: p, token: lease.Token}, true
		}
	}
	return moved, nil
}

// The other ports, as structs of functions.

type provider struct {
	send func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding
	ask  func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding

	about func(c payout.Command) // is told what is asked about; nil: nobody is
}

func (p provider) Send(ctx context.Context, c payout.Command, latest time.Time, stopped func() string) finding.Finding {
	if why := stopped(); why != "" {
		return finding.Finding{Kind: finding.Stopped, Detail: why}
	}
	return p.send(ctx, c.TradeNo, latest)
}

// people say what is stopped.
type people func(merchant, batchID, tradeNo string) acts.Stop

func (p people) Stops(merchant, batchID, tradeNo string) acts.Stop {
	return p(merchant, batchID, tradeNo)
}

func (p people) Narrow() (acts.Narrow, int64) { return acts.Narrow{}, 0 }

func (p provider) Ask(ctx context.Context, c payout.Command, latest time.Time) finding.Finding {
	if p.about != nil {
		p.about(c)
	}
	return p.ask(ctx, c.TradeNo, latest)
}

type limiter struct {
	take func(ctx context.Context, n int) ([]time.Time, time.Duration, error)
	wait func(ctx context.Context, moment time.Time) error        // of a ticket for that moment
	told func(began time.Time, tooFast bool, pause time.Duration) // nil: nobody listens

	lastReading func() (redis, asked time.Time) // nil: nothing yet

	returned *atomic.Int64 // counts tickets that are returned; nil: nobody counts

	refusals *fleetRefusals // nil: nobody listens
}

func (l limiter) Take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	moments, wait, err := l.take(ctx, n)
	for _, at := range moments {
		tickets = append(tickets, ticket{l, at})
	}
	return tickets, wait, err
}

func (l limiter) TakeNow(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	return l.Take(ctx, n)
}

// ticket is one of the fake's.
type ticket struct {
	limiter limiter
	at      time.Time
}

func (t ticket) Wait(ctx context.Context) error { return t.limiter.wait(ctx, t.at) }
func (t ticket) Return() {
	if t.limiter.returned != nil {
		t.limiter.returned.Add(1)
	}
}

func (l limiter) Told(_ context.Context, began time.Time, tooFast bool, pause time.Duration) error {
	if l.told != nil {
		l.told(began, tooFast, pause)
	}
	return nil
}

func (l limiter) LastReading() (redis, asked time.Time) {
	if l.lastReading == nil {
		return time.Time{}, time.Time{}
	}
	return l.lastReading()
}

func (l limiter) Refused(_ context.Context, began time.Time, first time.Duration) error {
	if l.refusals != nil {
		l.refusals.refused(began, first)
	}
	return nil
}

func (l limiter) Accepted(_ context.Context, began time.Time) error {
	if l.refusals != nil {
		l.refusals.accepted(began)
	}
	return nil
}

func (l limiter) Refusing() bool { return l.refusals != nil && l.refusals.resting.Load() }

// fleetRefusals is what a fleet is told of refused sends.
type fleetRefusals struct {
	resting  atomic.Bool
	refused  func(began time.Time, first time.Duration)
	accepted func(began time.Time)
}

// free lets everything through at once.
var free = limiter{
	take: func(_ context.Context, n int) ([]time.Time, time.Duration, error) {
		return slices.Repeat([]time.Time{time.Now()}, n), 0, nil
	},
	wait: func(ctx context.Context, _ time.Time) error { return ctx.Err() },
}

type decider struct {
	send, final func(ctx context.Context, payouts []payout.Payout) error
}

func (d decider) Send(ctx context.Context, epoch string, payouts []payout.Payout) error {
	return d.send(ctx, payouts)
}

func (d decider) Final(ctx context.Context, epoch string, payouts []payout.Payout) error {
	return d.final(ctx, payouts)
}

type announcer struct {
	results func(ctx context.Context, events []message.Event) ([]bool, error)
}

func (a announcer) Results(ctx context.Context, events []message.Event) ([]bool, error) {
	return a.results(ctx, events)
}

// bench is a loop that runs on fakes; a test changes these before it starts.
type bench struct {
	*Loop
	t        *testing.T
	journal  *memory
	config   Config
	decider  decider
	announce announcer
	registry *prometheus.Registry
	lost     atomic.Int64

	stopTaking, stopWorking context.CancelFunc
	done                    chan struct{}

	mu    sync.Mutex
	log   strings.Builder
	trace []string
	sent  map[string]int
	ids   map[string][]string // of events, by tradeNo
}

func (b *bench) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(line)
}

func (b *bench) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trace = append(b.trace, what)
}

func (b *bench) noted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.trace)
}

func (b *bench) logged(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.log.String(), text)
}

func (b *bench) sends(tradeNo string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[tradeNo]
}

func (b *bench) allSends() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, sends := range b.sent {
		n += sends
	}
	return n
}

func (b *bench) events(tradeNo string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ids[tradeNo])
}

func testPolicy() (p payout.Policy) {
	p.Poll.First, p.Poll.Factor, p.Poll.Max, p.Poll.GiveUp = 2*time.Second, 1.6, 5*time.Minute, 72*time.Hour
	p.NoRecord.Answers, p.NoRecord.Every, p.NoRecord.Then = 3, 5*time.Minute, payout.Hold
	p.UnknownStatus = payout.Hold
	return p
}

func testBreaker() BreakerSettings {
	return BreakerSettings{FailureRatio: 0.5, MinRequests: 20, Window: 30 * time.Second, OpenFor: 10 * time.Second, MaxOpenFor: time.Minute, Probes: 3, Refusals: 20}
}

// newBench makes a loop of merchants a and b, whose provider accepts and pays.
func newBench(t *testing.T, payouts ...payout.Payout) *bench {
	b := &bench{t: t, journal: newMemory(payouts...), registry: prometheus.NewRegistry(), done: make(chan struct{}), sent: map[string]int{}, ids: map[string][]string{}}
	paying := provider{
		send: func(context.Context, string, time.Time) finding.Finding {
			return finding.Finding{Kind: finding.Accepted}
		},
		ask: func(context.Context, string, time.Time) finding.Finding {
			return finding.Finding{Kind: finding.Paid, Served: true}
		},
	}
	agreeing := func(context.Context, []payout.Payout) error { return nil }
	b.decider = decider{send: agreeing, final: agreeing}
	b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
		return slices.Repeat([]bool{true}, len(events)), nil
	}
	b.config = Config{
		Slots: 128, Lease: 30 * time.Second, Breaker: testBreaker(), Journal: b.journal,
		Resolve: func(c payout.Command) (payout.Command, string, string) {
			if c.Merchant != "a" && c.Merchant != "b" {
				return c, "", payout.NotConfigured
			}
			return c, "egypt", ""
		},
		Actions:   people(func(string, string, string) acts.Stop { return acts.Stop{} }),
		EpochLost: func() { b.lost.Add(1) }, Logger: zerolog.New(b),
		Metrics: NewMetrics(b.registry, []string{"a", "b"}, []string{"granted", "denied", "late"}),
	}
	for _, name := range []string{"a", "b"} {
		b.config.Merchants = append(b.config.Merchants, Merchant{Name: name, Policy: testPolicy(), Timeout: 10 * time.Second, Provider: paying, Send: free, Query: free})
	}
	return b
}

func (b *bench) merchant(name string) *Merchant {
	return &b.config.Merchants[strings.Index("ab", name)]
}

// build makes the loop, with everything traced.
func (b *bench) build() *bench {
	for i := range b.config.Merchants {
		m := &b.config.Merchants[i]
		p, ok := m.Provider.(provider)
		if !ok {
			b.t.Fatal("not the fake")
		}
		m.Provider = provider{
			send: func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding {
				b.note("send " + tradeNo)
				b.mu.Lock()
				b.sent[tradeNo]++
				b.mu.Unlock()
				b.journal.mu.Lock()
				if r := b.journal.rows[tradeNo]; r != nil && latest.After(r.until.Add(-b.journal.ahead-b.margin())) {
					b.t.Errorf("%s may be sent until %v, its lease ends at %v", tradeNo, latest, r.until)
				}
				b.journal.mu.Unlock()
				return p.send(ctx, tradeNo, latest)
			},
			ask: func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding {
				b.note("ask " + tradeNo)
				return p.ask(ctx, tradeNo, latest)
			},
			about: p.about,
		}
	}
	d, a := b.decider, b.announce
	traced := func(kind string, decide func(context.Context, []payout.Payout) error) func(context.Context, []payout.Payout) error {
		return func(ctx context.Context, payouts []payout.Payout) error {
			for _, p := range payouts {
				b.note(kind + " asked " + p.TradeNo)
			}
			err := decide(ctx, payouts)
			for _, p := range payouts {
				if err == nil {
					b.note(kind + " decided " + p.TradeNo)
				}
			}
			return err
		}
	}
	b.config.Decisions = decider{send: traced("send", d.send), final: traced("final", d.final)}
	b.config.Announcer = announcer{func(ctx context.Context, events []message.Event) ([]bool, error) {
		b.mu.Lock()
		for _, e := range events {
			b.trace = append(b.trace, "announce "+e.TradeNo)
			b.ids[e.TradeNo] = append(b.ids[e.TradeNo], e.EventID)
		}
		b.mu.Unlock()
		return a.results(ctx, events)
	}}
	b.Loop = New(b.config)
	return b
}

func (b *bench) start() *bench {
	if b.Loop == nil {
		b.build()
	}
	taking, stopTaking := context.WithCancel(context.Background())
	working, stopWorking := context.WithCancel(context.Background())
	b.stopTaking, b.stopWorking = stopTaking, stopWorking
	go func() {
		defer close(b.done)
		b.Run(taking, working)
	}()
	return b
}

// stop ends the loop and looks for what must be true of every one that ended.
func (b *bench) stop() {
	b.t.Helper()
	b.stopTaking()
	<-b.done
	b.stopWorking()
	b.nothingHeld()
	if b.logged(programmingError) > 0 {
		b.t.Error("the loop has made a mistake of its own, see its log")
	}
	if b.logged(wallet) > 0 {
		b.t.Error("a payee shows in the log")
	}
}

func (b *bench) busySlots() (busy int) {
	for _, s := range b.slots {
		n, _ := s.count()
		busy += n
	}
	return busy
}

// nothingHeld: every slot and every pass has come back.
func (b *bench) nothingHeld() {
	b.t.Helper()
	if busy := b.busySlots(); busy != 0 {
		b.t.Errorf("%d slots didn't come back", busy)
	}
	for name, m := range b.merchants {
		for _, g := range []*gate{m.sendGate, m.askGate} {
			for i, br := range g.breakers() {
				if c := br.two.Counts(); c.Requests != c.TotalSuccesses+c.TotalFailures+c.TotalExclusions {
					b.t.Errorf("merchant %s, breaker %d: passes didn't come back: %+v", name, i, c)
				}
			}
		}
	}
}

// inTime runs a test in virtual time; a goroutine that is left makes it fail.
func inTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func order(tradeNo, merchant string) payout.Payout {
	a, _ := money.Parse("100.00")
	return payout.Begin(payout.Command{
		TradeNo: tradeNo, Merchant: merchant, Amount: a, Currency: "EGP",
		Payee: payout.NewPayee(map[string]string{"walletId": wallet}),
	}, "egypt", payout.Source{}, "", time.Now())
}

func orders(n int, merchant string) []payout.Payout {
	all := make([]payout.Payout, n)
	for i := range all {
		all[i] = order(fmt.Sprintf("%s%04d", merchant, i), merchant)
	}
	return all
}
