package service

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"disburser/backoffice/api"
	"disburser/payout/acts"
)

// What has become of an action that isn't over.
const (
	statusWaits          = "waits" // for a disburser
	statusWaitsForPerson = "waits for a person"
)

// said is what people have said, folded as every instance of the service folds it.
type said struct {
	service *Service
	rules   acts.Rules

	mu      sync.Mutex
	fold    *acts.Fold
	next    int64
	all     []*api.Action
	byID    map[string]*api.Action
	ignored map[string]*api.Action // by id, the latest of each
	told    []told                 // in the order of their places
}

// told is a record that says something about an action.
type told struct {
	place  int64
	action *api.Action
}

func newSaid(s *Service) *said {
	c := s.config.Actions
	rules := acts.Rules{Keys: acts.Keys{Current: c.Key, Old: c.OldKeys}, TwoPeople: c.TwoPeople, Shards: s.config.Redis.Shards}
	return &said{service: s, rules: rules, fold: acts.NewFold(rules), byID: map[string]*api.Action{}, ignored: map[string]*api.Action{}}
}

// view answers what is in force.
func (s *said) view(ctx context.Context) (*acts.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return s.fold.View(), nil
}

// latest answers so many actions at most, the latest first.
func (s *said) latest(ctx context.Context, most int) ([]api.Action, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	all := []api.Action{}
	for i := len(s.all) - 1; i >= 0 && len(all) < most; i-- {
		all = append(all, s.finished(*s.all[i]))
	}
	return all, nil
}

// read takes what was said since the last time. It costs as much as is new, however much waits. A view costs as much as is in
// force or waits, so only who wants all of that makes one.
func (s *said) read(ctx context.Context) error {
	records, err := s.service.books.Actions(ctx, s.next)
	if err != nil {
		return err
	}
	for _, r := range records {
		s.take(r)
	}
	return nil
}

// one answers one action; false if nobody has said it.
func (s *said) one(ctx context.Context, id string) (api.Action, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return api.Action{}, false, err
	}
	a, known := s.find(id)
	return a, known, nil
}

// find is one, of what is read. What counts goes before what is ignored.
func (s *said) find(id string) (api.Action, bool) {
	a := s.byID[id]
	if a == nil {
		a = s.ignored[id]
	}
	if a == nil {
		return api.Action{}, false
	}
	return s.finished(*a), true
}

// take adds a record.
func (s *said) take(r acts.Record) {
	a, result, why := s.fold.Take(r)
	s.next = r.Offset + 1
	if a.Ended != nil {
		s.end(*a.Ended, result, r.Offset)
		return
	}
	if a.Kind == acts.Stands { // an instance's word about a cancel, and no person's
		return
	}
	if a.ID == "" || result == acts.Repeated || result == acts.Unreadable || result == acts.Unknown {
		return
	}
	one := &api.Action{
		ID: a.ID, Kind: a.Kind, As: string(a.As), Force: a.Force, Lifts: a.Lifts, Of: a.Of, By: a.By, Reason: a.Reason, Time: stamp(r.Time), Status: "obeyed", Detail: why,
	}
	if a.Scope.Kind != "" {
		one.Scope = a.Scope.String()
	}
	s.deadlines(one, a)
	if result == acts.Void || result == acts.Unsigned {
		one.Status = "ignored"
	}
	if result == acts.Waits {
		one.Status = statusWaitsForPerson
	}
	if result == acts.Obeyed && a.Kind == acts.Confirm {
		if of := s.byID[a.Of]; of != nil {
			of.ConfirmedBy, of.Status = a.By, "obeyed"
			s.told = append(s.told, told{r.Offset, of})
		}
	}
	s.all = append(s.all, one)
	s.told = append(s.told, told{r.Offset, one})
	if one.Status != "ignored" {
		s.byID[a.ID] = one
	} else {
		s.ignored[a.ID] = one
	}
}

// end adds an outcome to its action.
func (s *said) end(e acts.Ended, result acts.Result, place int64) {
	of := s.byID[e.Of]
	if of == nil || result == acts.Void || result == acts.Repeated || result == acts.Unsigned {
		return
	}
	o := api.Outcome{Result: string(e.Result), TradeNo: e.TradeNo, Counts: e.Counts, Detail: e.Detail, Evidence: e.Evidence, Time: stamp(e.Time)}
	if e.TradeNo == "" {
		shard := e.Shard
		o.Shard = &shard
	}
	if e.Uncertain {
		certain := false
		o.Certain = &certain
	}
	of.Outcomes = append(slices.Clip(of.Outcomes), o)
	s.told = append(s.told, told{place, of})
}

// since answers each action that records from a place on say something about. It is answered as it is now, with the place of
// the last such record. It looks at so many records at most. next is the place to go on at.
func (s *said) since(ctx context.Context, from int64, most int) (changed []told, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return nil, from, err
	}
	changed, next = s.changes(from, most)
	return changed, next, nil
}

// changes is since, of what is read.
func (s *said) changes(from int64, most int) (changed []told, next int64) {
	i, _ := slices.BinarySearchFunc(s.told, from, func(t told, from int64) int { return cmp.Compare(t.place, from) })
	rest := s.told[i:]
	if next = max(from, s.next); len(rest) > most { // a record tells of two actions at most
		next = rest[most].place
		rest = rest[:most]
	}
	last := map[*api.Action]int64{}
	for _, t := range rest {
		last[t.action] = t.place
	}
	for _, t := range rest {
		if last[t.action] == t.place {
			now := s.finished(*t.action)
			changed = append(changed, told{t.place, &now})
		}
	}
	return changed, next
}

// finished says what has become of an action by now.
func (s *said) finished(a api.Action) api.Action {
	if a.Status == "ignored" {
		return a
	}
	if o, pends := s.fold.Pending(a.ID); pends {
		if a.Status = statusWaits; !o.Complete {
			a.Status = statusWaitsForPerson
		}
		return a
	}
	switch a.Kind {
	case acts.Pause:
		a.Status = "lifted"
		if scope, err := acts.ParseScope(a.Scope); err == nil && s.fold.Stands(scope, a.ID) {
			a.Status = "in force"
		}
	case acts.Cancel, acts.Resolve, acts.Ask:
		a.Status = "obeyed"
		for _, o := range a.Outcomes { // of a batch's, a shard that refused or expired says more
			if a.Status == "obeyed" || o.Result != string(acts.Done) {
				a.Status = o.Result
			}
		}
	default:
	}
	return a
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// standing are the actions in force that stop something.
func standing(all []acts.Standing) []api.Action {
	stops := []api.Action{}
	for _, s := range all {
		stops = append(stops, api.Action{
			ID: s.ID, Kind: s.Kind, Scope: s.Scope.String(), By: s.By, Reason: s.Reason, Time: stamp(s.Since), ConfirmedBy: s.ConfirmedBy, Status: "in force",
		})
	}
	return stops
}

// newest is the place of the next record that nobody has read yet.
func (s *said) newest(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.read(ctx)
	return s.next, err
}
