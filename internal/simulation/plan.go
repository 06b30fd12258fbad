package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// shortWindow is a dedup window so short that payouts are carried forward within a simulation. And
// it is longer than anything may take to be read. A repeat that is read later is an unknown
// command, which is held (protocol I4). A stale half alone waits for a minute.
const shortWindow = 2 * time.Minute

// Within window the load comes in and the faults begin; none lasts beyond calm.
const (
	window = 25 * time.Second
	calm   = 35 * time.Second
)

// Plan is everything that a seed decides.
type Plan struct {
	Seed        uint64
	Then        string        // no_record.then
	Slots       int           // instances at once
	Shards      int           // redis.shards
	DedupWindow time.Duration // redis.dedup_window; a quarter of it after its command an open payout is carried forward
	Provider    paysim.Behavior
	Bursts      []Burst
	Faults      []Fault // by time
	People
}

// Burst is commands that are published together.
type Burst struct {
	At    time.Duration
	Lines []string
}

// Kind is what can go wrong.
type Kind string

// The kinds of faults.
const (
	Kill      Kind = "kill"      // an instance is gone, between any two of its messages; another one starts later
	Pause     Kind = "pause"     // nothing gets in or out of an instance; then it goes on
	Lose      Kind = "lose"      // requests and replies between an instance and a party are lost
	Wipe      Kind = "wipe"      // Redis is emptied (FLUSHALL)
	Restart   Kind = "restart"   // Redis restarts empty
	SetBack   Kind = "set-back"  // Redis restarts with what it held a while ago
	Split     Kind = "split"     // a copy of Redis serves some instances; then one half is thrown away
	Leaders   Kind = "leaders"   // every partition gets another leader
	Ail       Kind = "ail"       // Kafka answers with errors
	Outage    Kind = "outage"    // the provider is down
	Misbehave Kind = "misbehave" // the provider errs before and after acceptance, garbles, hangs, is slow
	Deny      Kind = "deny"      // the provider says "no record" about what it has
)

// Kinds lists them all.
var Kinds = []Kind{Kill, Pause, Lose, Wipe, Restart, SetBack, Split, Leaders, Ail, Outage, Misbehave, Deny}

// Fault is one thing that goes wrong. Which fields count depends on its kind.
type Fault struct {
	Kind    Kind
	At, For time.Duration
	Slot    int             // of the instance
	After   int             // kill and pause strike at the n-th message after At
	Party   party           // lose
	Share   float64         // lose: of the messages
	Age     time.Duration   // set-back: how much is forgotten
	Away    []int           // split: the slots that are led to the copy
	Copy    bool            // split: the copy survives
	Which   int             // ail: of ailments
	Outage  paysim.Outage   // outage
	Lag     time.Duration   // deny: for so long after acceptance
	Manners paysim.Behavior // misbehave, deny: the faults in it
}

// String tells a fault as the trace does.
func (f Fault) String() string {
	s := fmt.Sprintf("+%.3fs %-9s", f.At.Seconds(), f.Kind)
	if f.For > 0 {
		s += fmt.Sprintf(" for %v", f.For)
	}
	switch f.Kind {
	case Kill, Pause:
		s += fmt.Sprintf(" instance %d at its message %d", f.Slot, f.After)
	case Lose:
		s += fmt.Sprintf(" %.0f %% between instance %d and %s", 100*f.Share, f.Slot, f.Party)
	case SetBack:
		s += fmt.Sprintf(" by %v", f.Age)
	case Split:
		s += fmt.Sprintf(" instances %v go to the copy, the copy survives: %v", f.Away, f.Copy)
	case Ail:
		s += fmt.Sprintf(" %v: %s", ailments[f.Which].key.Name(), ailments[f.Which].err.Message)
	case Outage:
		s += " " + f.Outage.String()
	case Deny:
		s += fmt.Sprintf(" what was accepted less than %v ago", f.Lag)
	case Misbehave:
		m := f.Manners
		s += fmt.Sprintf(" early %.2f late %.2f lost %.2f 5000 %.2f garbled %.2f hang %.2f latency ≤%v", m.EarlyError, m.LateError, m.LostReply, m.Outer5000, m.Garbled, m.Hang, m.LatencyMax)
	case Wipe, Restart, Leaders:
	}
	return s
}

// Draw makes the plan of a seed. Of faults at most so many; kinds = nil means all.
func Draw(seed uint64, most int, kinds []Kind) Plan {
	d := drawer{rand.New(rand.NewPCG(seed, 0x5eed))}
	p := Plan{Seed: seed, Then: d.word("hold", "resend"), Slots: 2 + d.IntN(2), Provider: d.manners()}
	p.Bursts = d.bursts(seed)
	if len(kinds) == 0 {
		kinds = Kinds
	}
	n := 0
	if most > 0 {
		n = 1 + d.IntN(most)
	}
	denied := false // "no record" twice over is more than a provider may say under resend
	for range n {
		f := d.fault(kinds[d.IntN(len(kinds))], p)
		lies := f.Kind == Deny || f.Kind == Outage && f.Outage == paysim.Disabled
		if lies && denied && p.Then == "resend" {
			continue
		}
		denied = denied || lies
		p.Faults = append(p.Faults, f)
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	p.DedupWindow = time.Hour
	if d.IntN(3) == 0 {
		p.DedupWindow = shortWindow
	}
	if p.Shards = 1; d.IntN(6) == 0 {
		p.Shards = 2
	}
	if p.People = people(seed, p.Bursts, p.Faults); len(p.Words) > 0 {
		holding(&p.Provider, p.Then)
		for i := range p.Faults {
			holding(&p.Faults[i].Manners, p.Then)
		}
	}
	if most > 0 {
		aim(&p, kinds)
	}
	return p
}

type drawer struct{ *rand.Rand }

func (d drawer) word(words ...string) string { return words[d.IntN(len(words))] }

func (d drawer) between(a, b time.Duration) time.Duration {
	return (a + time.Duration(d.Int64N(int64(b-a)))).Round(time.Millisecond)
}

// manners are what the provider is like on a usual day.
func (d drawer) manners() paysim.Behavior {
	return paysim.Behavior{
		SettleMin: 50 * time.Millisecond, SettleMax: 4 * time.Second, Latency: 2 * time.Millisecond, LatencyMax: 80 * time.Millisecond,
		Failed: 0.05, Partial: 0.04, Limited: 0.02, Unknown: 0.02, Refused: 0.04, FailedAtOnce: 0.02, Vanished: 0.02,
		SettleAtOnce: 0.05, PartialFirst: 0.05,
	}
}

// bursts draws 20 to 60 payouts that come in a few bursts, some of them with a date.
func (d drawer) bursts(seed uint64) []Burst {
	lines := trial.Payroll(fmt.Sprintf("t%d-", seed), seed, 20+d.IntN(41))
	dated := map[string]string{} // a repeat stays word for word
	for i, l := range lines {
		if _, known := dated[l]; !known {
			dated[l] = d.date(l)
		}
		lines[i] = dated[l]
	}
	var all []Burst
	for len(lines) > 0 {
		n := min(len(lines), 3+d.IntN(25))
		all = append(all, Burst{At: d.between(0, window), Lines: lines[:n]})
		lines = lines[n:]
	}
	times := make([]time.Duration, len(all))
	for i := range all {
		times[i] = all[i].At
	}
	slices.Sort(times) // in the order of the lines
	for i := range all {
		all[i].At = times[i]
	}
	return all
}

// date gives some single payouts an expiresAt or a notBefore.
func (d drawer) date(line string) string {
	field := ""
	switch d.IntN(12) {
	case 0:
		field = "expiresAt"
	case 1:
		field = "notBefore"
	}
	if field == "" || !strings.HasPrefix(line, `{"amount"`) || strings.Contains(line, field) {
		return line
	}
	at := epoch.Add(d.between(2*time.Second, window))
	return fmt.Sprintf(`{"%s":"%s",%s`, field, at.Format(time.RFC3339Nano), line[1:])
}

// fault draws one of a kind.
func (d drawer) fault(k Kind, p Plan) Fault {
	f := Fault{Kind: k, At: d.between(500*time.Millisecond, window), Slot: d.IntN(p.Slots), After: 1 + d.IntN(400)}
	short := d.between(200*time.Millisecond, 3*time.Second)
	long := d.between(time.Second, 9*time.Second)
	switch k {
	case Kill:
		f.For = long
	case Pause:
		f.For = d.between(500*time.Millisecond, 2*lease)
	case Lose:
		f.For, f.Party, f.Share = long, parties[d.IntN(len(parties))], []float64{0.02, 0.1, 0.3, 1}[d.IntN(4)]
	case SetBack:
		f.Age = d.between(10*time.Millisecond, 5*time.Second)
	case Split:
		f.For, f.Copy = long, d.IntN(2) == 0
		f.Away = d.Perm(p.Slots)[:1+d.IntN(p.Slots-1)]
	case Ail:
		f.For, f.Which = short, d.IntN(len(ailments))
	case Outage:
		f.For, f.Outage = long, paysim.Outage(1+d.IntN(5))
	case Misbehave:
		f.For, f.Manners = long, d.bad()
	case Deny:
		// Evidence takes three answers a second apart, the first a second after the send
		// can have left at the latest. Lost replies make it needed.
		f.For, f.Lag, f.Manners = long, d.between(500*time.Millisecond, 2800*time.Millisecond), d.bad()
		if p.Then == "hold" && d.IntN(2) == 0 {
			f.Lag = denial
		}
	case Wipe, Restart, Leaders:
	}
	return f
}

// denial is for ever.
const denial = 10000 * time.Hour

// bad are the provider's faults of a bad day.
func (d drawer) bad() paysim.Behavior {
	b := d.manners()
	share := func() float64 { return 0.15 * d.Float64() }
	b.EarlyError, b.LateError, b.LostReply, b.Outer5000, b.Garbled, b.Hang = share(), share(), share(), share(), share(), share()
	b.QueryLost, b.QueryError, b.Query5000, b.QueryGarbled, b.QueryHang = share(), share(), share(), share(), share()
	b.PartialFirst = 0 // the simulator says 0001 again after a hang, and twice is believed
	b.HangFor = d.between(200*time.Millisecond, 3*time.Second)
	b.LatencyMax = d.between(100*time.Millisecond, 2*time.Second)
	return b
}
