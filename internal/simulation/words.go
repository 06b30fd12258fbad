package simulation

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// Word is what a person says at a moment. Its pauses are lifted, its confirmations come, and it may be said twice.
type Word struct {
	At       time.Duration
	Kind     acts.Kind
	Scope    string // "": a payout that is held then
	Pick     int    // which of those
	As       acts.As
	Force    bool
	Lasts    time.Duration // 0: its record says nothing; below 0: its deadline is before its time
	Needs    int           // people, by the record's header
	Unsigned bool

	For     time.Duration // of a pause: until it is lifted
	LiftAll bool          // its resume names no pause, and lifts all of the scope

	Second second        // who confirms it
	After  time.Duration // how much later
	Again  time.Duration // how much later the same record is written again; 0: never
}

// second is who confirms an action that needs it.
type second string

const (
	nobody      second = "nobody"
	another     second = "another person"
	themselves  second = "the same person"
	lastWord           = calm + 3*time.Second // people say something after the faults, too
	noSuchName         = "nobody-has-this-name"
	shortLasts         = time.Second
	longLasts          = 25 * time.Second
	waitForHold        = 10 * time.Second // for so long a person waits for something that is held
)

// String tells a word as the trace does.
func (w Word) String() string {
	s := fmt.Sprintf("+%.3fs %s %s", w.At.Seconds(), w.Kind, w.Scope)
	if w.Scope == "" {
		s += fmt.Sprintf("number %d of what is held then", w.Pick)
	}
	if w.As != "" {
		s += fmt.Sprintf(" as %s", w.As)
	}
	if w.Force {
		s += ", forced"
	}
	if w.For > 0 {
		s += fmt.Sprintf(" for %v, all is lifted %v", w.For, w.LiftAll)
	}
	return s + fmt.Sprintf(", lasts %v, needs %d, confirmed by %s after %v, again after %v, unsigned %v", w.Lasts, w.Needs, w.Second, w.After, w.Again, w.Unsigned)
}

// People are all that a seed has people say, and what the program is told about them.
type People struct {
	Words     []Word
	Key       bool     // actions.key
	TwoPeople []string // actions.two_people
}

var named = regexp.MustCompile(`"(tradeNo|batchId)":"([^"]+)"`)

// people draws what people say: in three of four seeds something. It draws from numbers of its own, so that a seed has
// the faults that it had without them.
func people(seed uint64, bursts []Burst, faults []Fault) (p People) {
	d := speaker{drawer: drawer{rand.New(rand.NewPCG(seed, 0xac7))}, faults: faults}
	if d.IntN(4) == 0 {
		return p
	}
	for _, b := range bursts {
		for _, line := range b.Lines {
			for _, name := range named.FindAllStringSubmatch(line, -1) {
				if name[1] == "batchId" {
					d.batches = append(d.batches, placed{b.At, "batch:" + name[2]})
				} else {
					d.payouts = append(d.payouts, placed{b.At, "payout:" + name[2]})
				}
			}
		}
	}
	p.Key = d.IntN(3) == 0
	for _, word := range acts.NeedTwo {
		if d.IntN(5) == 0 {
			p.TwoPeople = append(p.TwoPeople, word)
		}
	}
	for range 3 + d.IntN(9) {
		p.Words = append(p.Words, d.says(p.Key))
	}
	slices.SortStableFunc(p.Words, func(a, b Word) int { return int(a.At - b.At) })
	return p
}

// speaker draws words.
type speaker struct {
	drawer
	batches, payouts []placed
	faults           []Fault
}

// placed is a name, and when it is ordered.
type placed struct {
	at   time.Duration
	name string
}

func (d speaker) says(signs bool) Word {
	w := Word{
		At: d.between(time.Second, window), Pick: d.IntN(100), Second: another, After: d.between(200*time.Millisecond, 6*time.Second),
		Unsigned: signs && d.IntN(6) == 0, Needs: 1,
	}
	switch roll := d.IntN(14); {
	case roll < 4:
		w.Kind, w.For, w.LiftAll = acts.Pause, d.between(time.Second, 9*time.Second), d.IntN(2) == 0
		if w.Scope = d.word("fleet", "fleet", "merchant:eg-main", "merchant:br-main", ""); w.Scope == "" {
			w.Scope = d.narrow(d.IntN(2) == 0).name
		}
	case roll < 6: // soon after it is ordered: later it was sent
		w.Kind = acts.Cancel
		to := d.narrow(roll == 4)
		if w.Scope = to.name; d.IntN(3) > 0 {
			w.At = to.at + d.between(10*time.Millisecond, 1500*time.Millisecond)
		}
	case roll < 12:
		w.Kind, w.As, w.Force = acts.Resolve, acts.As(d.word("paid", "failed", "failed")), d.IntN(2) == 0
		if w.At = d.between(3*time.Second, lastWord); d.IntN(2) == 0 {
			w.At = d.between(window/2, lastWord) // by then more is held
		}
		if d.IntN(3) == 0 && len(d.faults) > 0 { // right when something goes wrong
			w.At = max(3*time.Second, d.faults[d.IntN(len(d.faults))].At+d.between(-time.Second, time.Second))
		}
		if d.IntN(8) == 0 {
			w.Scope = d.narrow(false).name
		}
	default:
		w.Kind = acts.Ask
		if d.IntN(2) == 0 {
			w.Scope = d.narrow(d.IntN(2) == 0).name
		}
	}
	if d.IntN(4) == 0 || w.LiftAll { // a copy of such a resume is what could lift a newer pause
		w.Again = d.between(10*time.Millisecond, 8*time.Second)
	}
	return d.confirmed(w)
}

// narrow draws a batch, if there is one and it is wanted, or else a payout. Some names nobody has.
func (d speaker) narrow(batch bool) placed {
	from := d.payouts
	if batch && len(d.batches) > 0 {
		from = d.batches
	}
	to := from[d.IntN(len(from))]
	if d.IntN(20) == 0 {
		kind, _, _ := strings.Cut(to.name, ":")
		to.name = kind + ":" + noSuchName
	}
	return to
}

// confirmed draws how many people it needs, who confirms it, and its deadline.
func (d speaker) confirmed(w Word) Word {
	if d.IntN(10) == 0 && w.Kind != acts.Pause {
		w.Needs = 2
	}
	switch d.IntN(10) {
	case 0:
		w.Second = nobody
	case 1:
		w.Second = themselves
	}
	switch roll := d.IntN(20); {
	case w.Kind == acts.Pause: // it has none
	case roll == 0:
		w.Lasts = -time.Second
	case roll < 3 || w.Second != another:
		w.Lasts = d.between(shortLasts, longLasts/3)
	case roll < 14:
		w.Lasts = d.between(longLasts/2, longLasts)
	}
	return w
}

// holding is a provider that gives people something to resolve. Where an absence isn't sent again, some sends never
// reach it.
func holding(b *paysim.Behavior, then string) {
	b.Unknown, b.Vanished = 0.10, 0.05
	if then == "hold" && b.EarlyError < 0.06 {
		b.EarlyError = 0.06
	}
}
