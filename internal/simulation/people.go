package simulation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"disburser/actions"
	"disburser/internal/trial"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// staleness is short, so that a pause shows within a simulation.
const staleness = 500 * time.Millisecond

// actionsKey signs what people say, in some seeds.
var actionsKey = secrets.New("simulation-actions-0123456789abcdef")

// saying is an action as a person has said it.
type saying struct {
	acts.Action
	needs  int  // people
	obeyed bool // it is signed, or nobody asks for that

	// Between these two moments its record was written, and from complete to completed that of the last person whose
	// word it needs. They are zero where that never happened.
	began, acknowledged time.Time
	complete, completed time.Time
	confirmedBy         string
}

// silenced is a pause or a cancellation as it was heard: from its acknowledgement on, until somebody began to lift
// it. A cancellation is lifted by its outcome, if at all.
type silenced struct {
	id              string
	scope           acts.Scope
	cancels         bool
	began, from, to time.Time
}

// everLasting is the end of what nobody has lifted.
var everLasting = epoch.Add(denial)

// crowd is what people know and have said.
type crowd struct {
	mu       sync.Mutex
	sayings  []*saying
	silenced []*silenced
	over     bool // nobody says anything any more

	reading chan struct{} // whoever reads has it; a mutex would make virtual time stand still
	results *evidence     // as people see them
}

// people say what the plan has for them. When the faults are over, all that was paused is lifted. Their own way to
// Kafka never fails, but Kafka may.
func (w *world) people() {
	var all sync.WaitGroup
	for n, word := range w.plan.Words {
		all.Go(func() {
			w.until(word.At)
			w.obey(n, word)
		})
	}
	all.Wait()
	w.until(calm)
	for n, scope := range w.crowd.paused() {
		w.lift(fmt.Sprintf("last-%d", n), scope, Word{Second: another})
	}
	w.crowd.mu.Lock()
	w.crowd.over = true
	w.crowd.mu.Unlock()
}

// obey has a person say a word.
func (w *world) obey(n int, word Word) {
	scope, err := w.scopeOf(word)
	if err != nil {
		w.problem("%v", err)
		return
	}
	a := acts.Action{ID: fmt.Sprintf("a%d", n), Kind: word.Kind, Scope: scope, As: word.As, Force: word.Force, Lasts: word.Lasts, Needs: word.Needs}
	s := w.say(a, word)
	if s == nil || word.Kind != acts.Pause {
		return
	}
	w.until(word.At + word.For)
	var lifts []string
	if !word.LiftAll {
		lifts = []string{s.ID}
	}
	w.lift("lift-"+s.ID, scope, word, lifts...)
}

// scopeOf is what a word is about. What is held is chosen when it is said.
func (w *world) scopeOf(word Word) (acts.Scope, error) {
	if word.Scope != "" {
		return acts.ParseScope(word.Scope)
	}
	for {
		held := w.heldNow()
		if len(held) > 0 {
			return acts.Scope{Kind: acts.Payout, Name: held[word.Pick%len(held)]}, nil
		}
		if time.Since(epoch) > min(word.At+waitForHold, lastWord) {
			return acts.Scope{Kind: acts.Payout, Name: noSuchName}, nil
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// heldNow lists what people see as held.
func (w *world) heldNow() (held []string) {
	w.crowd.reading <- struct{}{}
	defer func() { <-w.crowd.reading }()
	w.crowd.results.read(w.ctx, w.broker, trial.DefaultTopics.Results)
	for tradeNo := range w.crowd.results.results {
		if _, final := w.crowd.results.final(tradeNo); !final {
			held = append(held, tradeNo)
		}
	}
	slices.Sort(held)
	return held
}

// lift resumes a scope. What it lifts counts as lifted from when the record is written that completes it.
func (w *world) lift(id string, scope acts.Scope, word Word, lifts ...string) {
	a := acts.Action{ID: id, Kind: acts.Resume, Scope: scope, Lifts: lifts}
	word.Lasts = 0
	w.say(a, word)
}

// say has a person say something, and then the other one confirm it if that is needed. It answers nil if the
// world ends before that is acknowledged.
func (w *world) say(a acts.Action, word Word) *saying {
	a.By, a.Reason, a.Time = "alice-"+a.ID, "simulated", time.Now()
	s := &saying{Action: a, needs: w.needs(a), began: time.Now(), obeyed: !word.Unsigned || !w.plan.Key}
	if s.pauses() {
		s.needs = 1
	}
	record, ok := w.record(a, word.Unsigned)
	if !ok {
		return nil
	}
	w.crowd.hear(s)
	if s.needs <= 1 {
		w.completing(s, "")
	}
	if !w.write(record) {
		return nil
	}
	w.crowd.acknowledged(s)
	if word.Again > 0 {
		w.watching.Go(func() {
			time.Sleep(word.Again)
			w.write(record)
		})
	}
	if s.needs <= 1 {
		w.completed(s)
		return s
	}
	return w.confirm(s, word)
}

// confirm has another person confirm an action, or the same one try to.
func (w *world) confirm(s *saying, word Word) *saying {
	if word.Second == nobody {
		return s
	}
	time.Sleep(word.After)
	a := acts.Action{ID: "confirm-" + s.ID, Kind: acts.Confirm, Of: s.ID, By: s.By, Reason: "simulated", Time: time.Now()}
	if word.Second == another {
		a.By = "bob-" + s.ID
	}
	record, ok := w.record(a, word.Unsigned)
	if !ok {
		return s
	}
	counts := s.obeyed && word.Second == another
	if counts {
		w.completing(s, a.By)
	}
	if w.write(record) && counts {
		w.completed(s)
	}
	return s
}

// needs is how many people an action needs (protocol A9).
func (w *world) needs(a acts.Action) int {
	word := string(a.Kind)
	if a.Kind == acts.Resolve {
		word = string(a.As)
	}
	if a.Force || slices.Contains(w.plan.TwoPeople, word) {
		return 2
	}
	return max(1, a.Needs)
}

func (w *world) record(a acts.Action, unsigned bool) (acts.Record, bool) {
	key := secrets.Secret{}
	if w.plan.Key && !unsigned {
		key = actionsKey
	}
	r, err := acts.Write(a, key)
	if err != nil {
		w.problem("%s %s: %v", a.Kind, a.Scope, err)
	}
	return r, err == nil
}

// write has a record acknowledged, unless the world ends before.
func (w *world) write(r acts.Record) bool {
	_, err := actions.Write(w.ctx, w.broker.client, trial.DefaultTopics.Actions, r)
	if err != nil && w.ctx.Err() == nil {
		w.problem("%s: %v", r.Key, err)
	}
	return err == nil && context.Cause(w.ctx) == nil
}

func (c *crowd) hear(s *saying) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayings = append(c.sayings, s)
}

func (c *crowd) acknowledged(s *saying) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.acknowledged = time.Now()
}

// pauses tells whether it stops something until it is lifted. An unsigned cancellation of a batch does no more.
func (s *saying) pauses() bool {
	return s.Kind == acts.Pause || s.Kind == acts.Cancel && s.Scope.Kind == acts.Batch && !s.obeyed
}

// mayLift tells whether a resume lifts a pause, or may: which of them stands before the other isn't known if
// they were said at once.
func (s *saying) mayLift(p *silenced) bool {
	before := s.acknowledged.IsZero() || !p.began.After(s.acknowledged)
	return s.Kind == acts.Resume && s.obeyed && !s.complete.IsZero() && p.scope == s.Scope && before && (s.Lifts == nil || slices.Contains(s.Lifts, p.id))
}

// completing notes that the record is about to be written that makes an action count. A resume lifts from here on.
func (w *world) completing(s *saying, confirmedBy string) {
	c := &w.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	s.complete, s.confirmedBy = time.Now(), confirmedBy
	for _, p := range c.silenced {
		if !p.cancels && s.mayLift(p) && p.to.After(s.complete) {
			p.to = s.complete
		}
	}
}

// completed notes that an action counts, for it is acknowledged. A pause holds from here on, and a cancellation.
func (w *world) completed(s *saying) {
	c := &w.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	s.completed = time.Now()
	if !s.pauses() && (s.Kind != acts.Cancel || !s.obeyed || s.Lasts < 0) {
		return
	}
	p := &silenced{s.ID, s.Scope, !s.pauses(), s.began, s.completed, everLasting}
	for _, other := range c.sayings {
		if !p.cancels && other.mayLift(p) && !other.complete.Before(s.began) {
			p.to = s.completed
		}
	}
	c.silenced = append(c.silenced, p)
}

// paused lists what was ever paused.
func (c *crowd) paused() (scopes []acts.Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.silenced {
		if !p.cancels && !slices.Contains(scopes, p.scope) {
			scopes = append(scopes, p.scope)
		}
	}
	return scopes
}
