//go:build real

package e2e

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// busy is a provider at whom some call is always in flight.
var busy = paysim.Behavior{Latency: 20 * time.Millisecond, LatencyMax: 150 * time.Millisecond, SettleMin: 50 * time.Millisecond, SettleMax: 300 * time.Millisecond}

// stage is a payroll on its way through two instances.
type stage struct {
	*site
	watcher  *trial.Watcher
	expected trial.Expected
	all      []*process
	faulted  time.Time
	epoch    int // the latest one before the latest fault
}

// newStage makes a site whose payroll lasts some seconds and whose leases are short. The
// caller sets where Redis is, and starts the instances.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := newSite(t, busy, busy)
	s.params.Rate, s.params.Burst, s.params.Lease = 50, 5, 4*time.Second
	s.params.User, s.params.Password = "disburser", redisPassword
	s.createTopics()
	return &stage{site: s, watcher: s.watch()}
}

// begin waits for the instances, and then until a good part of the payroll was sent.
func (s *stage) begin(instances ...*process) {
	s.t.Helper()
	s.all = instances
	for _, p := range s.all {
		p.ready(40 * time.Second)
	}
	lines := trial.Payroll(s.id+"-", 5, 400)
	s.expected = trial.Expect(lines)
	s.publish(lines)
	s.more(60)
}

// more waits until that many more payouts have ended.
func (s *stage) more(n int) {
	s.t.Helper()
	before, _ := s.watcher.Progress()
	until(s.t, 60*time.Second, "more payouts end", func() bool {
		finals, _ := s.watcher.Progress()
		return finals >= before+n
	})
}

// fault notes when it happened, and that there is something left to do.
func (s *stage) fault(what string) {
	s.t.Helper()
	finals, _ := s.watcher.Progress()
	if s.faulted.IsZero() {
		s.faulted = time.Now()
	}
	for _, p := range s.all {
		s.epoch = max(s.epoch, p.epoch())
	}
	s.t.Logf("%s after %d of %d payouts", what, finals, len(s.expected.TradeNos))
	if finals > len(s.expected.TradeNos)*3/4 {
		s.t.Errorf("%s came too late to disturb anything", what)
	}
}

// later waits until instances are in an epoch that was begun after the latest fault.
func (s *stage) later(instances ...*process) {
	s.t.Helper()
	for _, p := range instances {
		until(s.t, 90*time.Second, "the instance is in a later epoch", func() bool { return p.epoch() > s.epoch })
	}
}

// end finishes in a later epoch.
func (s *stage) end() {
	s.t.Helper()
	s.settled(s.watcher, s.expected, 120*time.Second)
	for limit := time.Now().Add(20 * time.Second); !s.isLater() && time.Now().Before(limit); {
		time.Sleep(50 * time.Millisecond)
	}
	if !s.isLater() {
		s.t.Error("all was settled without a later epoch") // the books say what came of it
	}
	s.finish()
}

func (s *stage) isLater() bool {
	return !slices.ContainsFunc(s.all, func(p *process) bool { return p.epoch() <= s.epoch })
}

// finish waits until all is settled, stops the instances and looks at the books.
func (s *stage) finish() {
	s.t.Helper()
	s.settled(s.watcher, s.expected, 120*time.Second)
	settled := time.Since(s.faulted)
	for _, p := range s.all {
		p.terminate()
		s.t.Logf("an instance was in the epochs %v", p.epochs())
	}
	s.judge(s.watcher, s.expected)
	s.t.Logf("sends stood still for %s, all settled %s after the fault", s.stillness().Round(10*time.Millisecond), settled.Round(10*time.Millisecond))
}

// epoch is the latest that the instance was in, 0 before the first.
func (p *process) epoch() int {
	all := p.epochs()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1]
}

var epochLine = regexp.MustCompile(`"epoch":(\d+)[^\n]*"shard":0[^\n]*"in an epoch"`)

// epochs are the numbers of those that the instance was in, in shard 0.
func (p *process) epochs() (all []int) {
	for _, found := range epochLine.FindAllSubmatch(p.Printed(), -1) {
		n, err := strconv.Atoi(string(found[1]))
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// sends are the moments at which the provider was asked to pay.
func (s *stage) sends() (all []time.Time) {
	for _, no := range merchantNos {
		all = append(all, s.sim.Arrivals(no)...)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

func (s *stage) lastSend() time.Time {
	all := s.sends()
	return all[len(all)-1]
}

// stillness is the longest time without a send since the fault.
func (s *stage) stillness() (longest time.Duration) {
	last := s.faulted
	for _, at := range s.sends() {
		if at.After(last) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	return longest
}
