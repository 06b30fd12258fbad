package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"disburser/internal/trial"
	"disburser/payout/acts"
)

// Words and faults that are drawn apart meet too seldom at the few moments that some rules are for. So each seed with
// people has one aim: faults and words that belong together.

// aims draw what they add to a plan, from numbers of their own. Everything else of the seed stays as it was.
type aims struct {
	drawer
	plan *Plan
}

// late is when payouts of an aim are due that are to be cancelled before.
const late = calm - 5*time.Second

// aim adds an aim to each plan with people. Only faults of the given kinds may happen.
func aim(p *Plan, kinds []Kind) {
	d := aims{drawer{rand.New(rand.NewPCG(p.Seed, 0xa13))}, p}
	if len(p.Words) == 0 {
		return
	}
	switch may := func(k Kind) bool { return slices.Contains(kinds, k) }; {
	case p.Then == "hold" && may(Deny) && d.IntN(2) == 0: // under resend nothing is denied for so long
		d.processing()
	case may(Ail) && d.IntN(2) == 0:
		d.undecided()
	case may(Ail) && may(Wipe) && may(Restart) && may(SetBack) && may(Split):
		d.overAnEpoch()
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
}

// undecided has an action take effect while nothing can be decided. Its time is over before that ends. It is neither
// done before it is decided, nor does it expire (protocol A5).
func (d aims) undecided() {
	at := d.between(3*time.Second, 14*time.Second)
	d.unwritten(at, d.between(2500*time.Millisecond, 4*time.Second))
	for range 1 + d.IntN(2) {
		d.cancel(at, d.between(600*time.Millisecond, 2*time.Second))
	}
	at = d.between(window-2*time.Second, calm-6*time.Second) // by then something is held
	d.unwritten(at, d.between(2500*time.Millisecond, 4*time.Second))
	for range 2 {
		d.forced(at-d.between(100*time.Millisecond, 600*time.Millisecond), d.between(2*time.Second, 4*time.Second))
	}
}

// overAnEpoch has Redis lost between the moment at which an action takes effect and its decision, or right before
// either. In the next epoch it isn't carried out (protocol A5).
func (d aims) overAnEpoch() {
	at := d.between(3*time.Second, 18*time.Second)
	for range 1 + d.IntN(2) {
		d.cancel(at, d.between(longLasts/2, longLasts))
	}
	if d.IntN(4) > 0 {
		d.unwritten(at, d.between(1200*time.Millisecond, 2500*time.Millisecond))
	}
	f := d.fault([]Kind{Wipe, Wipe, Restart, SetBack, Split}[d.IntN(5)], *d.plan)
	if f.At = at + d.between(0, 1200*time.Millisecond); f.Kind == SetBack {
		f.Age = d.between(10*time.Millisecond, time.Second)
	}
	d.plan.Faults = append(d.plan.Faults, f)
}

// processing has the provider deny what it has accepted until that is held, and then say "processing" for long.
// Meanwhile nobody's word ends it (protocol A7).
func (d aims) processing() {
	at := d.between(500*time.Millisecond, 6*time.Second)
	m := d.manners()
	m.SettleMin, m.SettleMax = 26*time.Second, 34*time.Second
	d.plan.Faults = append(d.plan.Faults, Fault{Kind: Deny, At: at, For: 2 * time.Second, Lag: d.between(11*time.Second, 13*time.Second), Manners: m})
	d.burst(at+100*time.Millisecond, trial.Batch(fmt.Sprintf("t%d-slow", d.plan.Seed), d.plan.Seed, 4))
	for range 4 {
		d.forced(at+d.between(15*time.Second, 20*time.Second), longLasts/2)
	}
}

// unwritten has Kafka refuse what the program writes, from shortly before a moment on. People's words it takes.
func (d aims) unwritten(at, lasts time.Duration) {
	d.plan.Faults = append(d.plan.Faults, Fault{Kind: Ail, At: at - d.between(50*time.Millisecond, 400*time.Millisecond), For: lasts, Which: d.IntN(2)})
}

// cancel orders a payout that is due late, and has a person cancel it.
func (d aims) cancel(at, lasts time.Duration) {
	id := fmt.Sprintf("t%d-aim%d", d.plan.Seed, len(d.plan.Words))
	line := trial.Batch(id, d.plan.Seed, 1)[0]
	d.burst(at-d.between(time.Second, 2*time.Second), []string{fmt.Sprintf(`{"notBefore":"%s",%s`, epoch.Add(late).Format(time.RFC3339Nano), line[1:])})
	d.plan.Words = append(d.plan.Words, Word{
		At: at, Kind: acts.Cancel, Scope: "payout:" + id + "-00000001", Lasts: lasts, Needs: 1, Second: another, After: 50 * time.Millisecond,
	})
}

// forced has two people say of something that is held then that it has failed.
func (d aims) forced(at, lasts time.Duration) {
	d.plan.Words = append(d.plan.Words, Word{
		At: at, Kind: acts.Resolve, Pick: d.IntN(100), As: acts.Failed, Force: true, Lasts: lasts, Needs: 1, Second: another, After: 50 * time.Millisecond,
	})
}

func (d aims) burst(at time.Duration, lines []string) {
	d.plan.Bursts = append(d.plan.Bursts, Burst{At: at, Lines: lines})
}
