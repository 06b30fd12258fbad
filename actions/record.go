package actions

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"disburser/payout/acts"
)

// The latest action stands on record outside of the topic. A topic that was made anew lacks it, and would lift
// every pause in silence (protocol A1).

// Recorder has the latest action put on record outside of the topic: in the journal's epoch and in the decisions.
type Recorder interface {
	// Record answers nil once it stands in both. known is what stands there: the same, a later one, or another
	// one at its place. To call it again does no harm.
	Record(ctx context.Context, view *acts.View) (known acts.Place, err error)
}

// mostMet is how many of the actions that were read last are remembered at least. What others have on record is
// mostly among them.
const mostMet = 1024

// record compares the topic with what is on record of it.
type record struct {
	doubted atomic.Bool // there are doubts

	mu     sync.Mutex
	met    []acts.Place // the actions that were read last, of the topic as it is now
	doubts []acts.Place // actions that are on record, and were not found in the topic yet

	recorded acts.Place // the last one by this instance; owned by Run
}

// Expect says that an action is on record somewhere. Until it is found in the topic nobody knows what is in force.
// It is safe for concurrent use.
func (f *Follower) Expect(p acts.Place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !p.Any() || slices.Contains(f.met, p) || slices.Contains(f.doubts, p) {
		return
	}
	f.doubts = append(f.doubts, p)
	f.doubted.Store(true)
	text := notKnown + p.String() + " is on record, and is looked for"
	f.trouble.Store(&text)
}

// meet remembers an action that was read.
func (f *Follower) meet(p acts.Place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.met); !p.Any() || n > 0 && f.met[n-1] == p {
		return
	}
	if len(f.met) >= 2*mostMet {
		f.met = slices.Delete(f.met, 0, mostMet)
	}
	f.met = append(f.met, p)
}

// unmet forgets what was read.
func (f *Follower) unmet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.met = nil
}

// answer looks for what is on record. It answers the doubts that are over. An error says that the topic isn't, or
// is no longer, the one of the record.
func (f *Follower) answer(ctx context.Context) (over []acts.Place, err error) {
	if !f.doubted.Load() {
		return nil, nil
	}
	f.mu.Lock()
	doubts := slices.Clone(f.doubts)
	f.mu.Unlock()
	for _, p := range doubts {
		if err := f.find(ctx, p); err != nil {
			return nil, err
		}
	}
	return doubts, nil
}

// find says why an action that is on record isn't in the topic. A later generation of the topic stands for all of
// the one before.
func (f *Follower) find(ctx context.Context, p acts.Place) error {
	at, wants := f.fold.Latest().Generation, p.Generation
	switch {
	case at > wants:
		return nil
	case at < wants:
		return fmt.Errorf("%s is of the generation %d, and %s is on record%s", f.Topic, at, p, wayOut)
	case p.Offset >= f.next:
		return fmt.Errorf("%s ends at %d, and %s is on record%s", f.Topic, f.next, p, wayOut)
	}
	r, found, err := f.source.At(ctx, p.Offset)
	switch {
	case err != nil:
		return err
	case !found || string(r.Key) != p.ID:
		return fmt.Errorf("%s holds another record at offset %d than the action %s, which is on record%s", f.Topic, p.Offset, p.ID, wayOut)
	}
	return nil
}

// wayOut says what to do about a topic that isn't the one of the record.
const wayOut = ": the topic was made anew, cut, or is another one, and what people paused would go on; bring the old topic back, or see disburser act renew --help"

// settle takes doubts away. The reading that answers them is in place.
func (f *Follower) settle(over []acts.Place) {
	if len(over) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doubts = slices.DeleteFunc(f.doubts, func(p acts.Place) bool { return slices.Contains(over, p) })
	f.doubted.Store(len(f.doubts) > 0)
}

// putOnRecord has the latest action put on record before anything counts as known that includes it. Only a new
// action costs anything.
func (f *Follower) putOnRecord(ctx context.Context) error {
	view := f.fold.View()
	latest := view.Latest()
	if !latest.Any() || latest == f.recorded || f.Recorder == nil {
		return nil
	}
	known, err := f.Recorder.Record(ctx, view)
	if err != nil {
		return fmt.Errorf("put %s on record: %w", latest, err)
	}
	if known.After(latest) || known.Denies(latest) {
		f.Expect(known)
		return fmt.Errorf("%s is read, but %s is on record", latest, known)
	}
	f.recorded = latest
	return nil
}
