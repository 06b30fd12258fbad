package disburse

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
	"disburser/polling"
)

const (
	// intervalsEvery is how often intervals are made of what was learned at most. Making them
	// takes milliseconds, and a fast merchant settles hundreds of payouts a second. The learner
	// makes them only where it knows a quarter more. Until the first ones a payroll is asked about
	// more often than it need be.
	intervalsEvery = time.Second

	// learningRest is for how long no merchant's intervals are made after some were, in times of how
	// long that took. So hundreds of merchants that begin to learn together take 1 % of a core.
	learningRest = 100
)

// learning is shared by all merchants of a loop: it bounds what making intervals costs.
type learning struct{ restsUntil atomic.Int64 } // Unix nanoseconds

func (l *learning) may(now time.Time) bool { return now.UnixNano() >= l.restsUntil.Load() }

// took notes that making intervals began then, and is over.
func (l *learning) took(began time.Time) {
	now := time.Now()
	l.restsUntil.Store(now.Add(learningRest * now.Sub(began)).UnixNano())
}

// Merchant is one configured merchant as the loop sees it.
type Merchant struct {
	Name     string
	Policy   payout.Policy
	Timeout  time.Duration // of one call to the provider
	Provider Provider
	Send     Limiter
	Query    Limiter
}

// merchant is a Merchant with what the loop knows of it.
type merchant struct {
	Merchant
	sendGate, askGate *gate
	toAsk             *inHand    // sent here, and waiting for their first ask
	learning          *learning  // all merchants'
	stoodStill        standstill // by the clock of the Redis that grants sends

	mu          sync.Mutex
	current     payout.Policy      // Policy, or what it was changed to
	learner     *polling.Learner   // made when the first payout was asked about
	intervals   *polling.Intervals // the learner's, as of intervalsAt and for the bounds
	intervalsAt time.Time
	bounds      payout.Poll
	served      leases.Served // the latest evidence that this process has seen
}

// policy is the merchant's with a jitter of the moment and what has been learned so far.
func (m *merchant) policy() payout.Policy {
	m.mu.Lock()
	p := m.current
	if now := time.Now(); m.learner != nil && (p.Poll != m.bounds || now.Sub(m.intervalsAt) >= intervalsEvery && m.learning.may(now)) {
		m.intervals, m.intervalsAt, m.bounds = m.learner.Intervals(p.Poll), now, p.Poll
		m.learning.took(now)
	}
	if m.intervals != nil {
		p.Learned = m.intervals
	}
	m.mu.Unlock()
	p.Jitter = rand.Float64()
	return p
}

// Reload changes merchants' policies for the answers that come from now on. It also changes what
// opens a breaker and for how long; the window and the probes stay, also of breakers that are made
// later.
func (l *Loop) Reload(policies map[string]payout.Policy, b BreakerSettings) {
	for name, p := range policies {
		if m := l.merchants[name]; m != nil {
			m.mu.Lock()
			m.current = p
			m.mu.Unlock()
		}
	}
	start := l.breaker.Load()
	b.Window, b.Probes = start.Window, start.Probes
	l.breaker.Store(&b)
}

// servedOther is the latest moment at which the provider answered about somebody else.
func (m *merchant) servedOther(e leases.Evidence, tradeNo string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var latest time.Time
	if e.About != tradeNo {
		latest = e.ServedAt
	}
	if m.served.About != tradeNo && m.served.At.After(latest) {
		latest = m.served.At
	}
	return latest
}

// serve notes that the provider answered, and returns the evidence if the journal is to have it
// too. Those are every settled payout, and otherwise one answer a second.
func (m *merchant) serve(s leases.Served) *leases.Served {
	s.Account = m.Policy.Account
	m.mu.Lock()
	defer m.mu.Unlock()
	worth := s.Settled || s.At.Sub(m.served.At) > time.Second
	if worth || s.At.After(m.served.At) {
		m.served = s
	}
	if !worth {
		return nil
	}
	return &s
}

// learn counts what the answer tells about how long payouts take to settle.
func (m *merchant) learn(p payout.Payout, f finding.Finding, now time.Time) {
	if unsettledAt, answeredAt, settled, ok := p.SettleObservation(f, now); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.learner == nil {
			m.learner = new(polling.Learner)
		}
		m.learner.Saw(unsettledAt, answeredAt, settled)
	}
}
