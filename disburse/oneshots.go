package disburse

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"disburser/internal/grid"
	"disburser/payout/acts"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// OneShots says with what the actions of people are carried out that are carried out once (protocol A5).
type OneShots struct {
	Shard, Shards int
	Owns          func(tradeNo string) bool
	View          func() (*acts.View, bool)

	// Review has payouts that wait to be sent looked at by the lane of reviews, those of them that nobody has leased.
	Review func(ctx context.Context, tradeNos []string) (moved int, err error)

	// Journal is where instances agree on who carries an action out, and what became of it.
	Journal ActJournal

	// Unfenced looks at all decisions for foreign fences: nothing is published behind one.
	Unfenced func(ctx context.Context, epoch string) error

	// Tell publishes an outcome, and returns nil once Kafka has acknowledged it.
	Tell func(ctx context.Context, e acts.Ended) error
	// Stands publishes that a batch's cancel can't be refused any more. Before that stands there, nothing ends by it.
	Stands func(ctx context.Context, cancel string) error
}

// ActJournal is what the executor needs of the journal.
type ActJournal interface {
	ActClaims
	ActMarks
	ActPayouts
}

// ActClaims gives an action to one instance, and notes how far it is.
type ActClaims interface {
	Act(ctx context.Context, a leases.Act, token string, claim time.Duration) (leases.Acted, error)
	NoteAct(ctx context.Context, c leases.Claim, note string) (bool, error)
	BeginAct(ctx context.Context, c leases.Claim, note string) (bool, error)
}

// ActMarks notes what has become of an action.
type ActMarks interface {
	MarkAct(ctx context.Context, c leases.Claim, mark leases.Mark, said string) (bool, error)
	TouchAct(ctx context.Context, epoch, action string, tradeNos []string) error
	ToldAct(ctx context.Context, c leases.Claim) error
}

// ActPayouts finds, leases and changes payouts for an action.
type ActPayouts interface {
	CarryAct(ctx context.Context, c leases.Claim, change leases.Change) (leases.Carried, error)
	LeaseByName(ctx context.Context, r leases.ByName) (leases.LeasedByName, error)
	OpenOf(ctx context.Context, batch, cursor string, order int64) (leases.OpenPage, error)
}

const (
	// actClaim is for how long an instance has an action, from its last sign of life. Another one takes it over
	// then.
	actClaim = 30 * time.Second

	// actsAtOnce bounds the actions that are being carried out. Each may wait for a call to the provider.
	actsAtOnce = 16

	// actLook is how often the executor looks at what is pending, if nothing wakes it.
	actLook = grid.Slow

	// actAgain is the pause before an action is tried again whose payout somebody has, or after an error.
	actAgain = 500 * time.Millisecond

	// actOthers is when an action is looked at again that another instance has. Who has marked it publishes it; only
	// after actLeft somebody else does.
	actOthers = 2 * time.Second
	actLeft   = 2 * time.Second

	// actUnread is when an outcome is published again that nobody reads.
	actUnread = 30 * time.Second

	// actTime bounds one attempt. It is less than actClaim: nobody works on what somebody else may have.
	actTime = 20 * time.Second
)

// executor carries actions out, in one shard. Its goroutine, run, owns the table. A worker owns the entry of an action
// while it is at it, and hands it back in its channel.
type executor struct {
	*OneShots
	loop   *Loop
	token  string // of all its claims: only one worker is at an action
	table  map[string]*entry
	back   chan *entry
	atWork int
}

// entry is an action that is pending.
type entry struct {
	shot   acts.OneShot
	busy   bool
	next   time.Time // when it is looked at again
	marked *leases.Acted
	own    bool      // this instance has marked it
	seen   time.Time // that it is marked
	told   time.Time // since when its outcome ought to be read; zero: it isn't known to be published
}

func newExecutor(l *Loop) *executor {
	var raw [9]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return &executor{
		OneShots: l.OneShots, loop: l, token: base64.RawURLEncoding.EncodeToString(raw[:]), table: map[string]*entry{},
		back: make(chan *entry, actsAtOnce),
	}
}

// run works until taking ends, and then until its workers are done.
func (e *executor) run(taking, working context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for taking.Err() == nil {
		e.survive(func() {
			e.refresh()
			e.start(taking, working, time.Now())
			e.publish(working, time.Now())
		})
		timer.Reset(grid.UntilNext(actLook))
		select {
		case <-taking.Done():
		case done := <-e.back:
			e.take(done)
		case <-timer.C:
		}
	}
	for e.atWork > 0 {
		e.take(<-e.back)
	}
	e.survive(func() { e.publish(working, time.Now()) })
}

func (e *executor) survive(f func()) {
	defer e.loop.survive("an action")
	f()
}

func (e *executor) take(done *entry) {
	done.busy = false
	e.atWork--
}

// refresh compares the table with what is pending. What somebody has published leaves it.
func (e *executor) refresh() {
	view, _ := e.View()
	pending := map[string]bool{}
	for _, shot := range view.OneShots() {
		if !e.mine(shot) {
			continue
		}
		pending[shot.ID] = true
		if known := e.table[shot.ID]; known == nil {
			e.table[shot.ID] = &entry{shot: shot}
		} else if !known.busy {
			if shot.Complete && !known.shot.Complete {
				known.next = time.Time{}
			}
			known.shot = shot
		}
	}
	for id, known := range e.table {
		if !pending[id] && !known.busy {
			delete(e.table, id)
		}
	}
}

// mine tells whether an outcome of an action is this shard's to say, and doesn't stand yet.
func (e *executor) mine(shot acts.OneShot) bool {
	switch {
	case shot.Malformed():
		return e.Shard == 0
	case shot.Scope.Kind == acts.Payout:
		return e.Owns(shot.Scope.Name)
	}
	_, ended := shot.In(e.Shard)
	return !ended
}

// start has workers look at what is due for a look, the oldest action first.
func (e *executor) start(taking, working context.Context, now time.Time) {
	view, _ := e.View()
	for _, shot := range view.OneShots() {
		known := e.table[shot.ID]
		if known == nil || known.busy || known.marked != nil || now.Before(known.next) || waitsForEver(shot) {
			continue
		}
		if e.atWork >= actsAtOnce {
			return
		}
		known.busy = true
		e.atWork++
		e.loop.calls.Add(1)
		go func() {
			defer e.loop.calls.Done()
			defer func() { e.back <- known }()
			defer e.loop.survive("an action")
			known.next = time.Now().Add(actAgain) // also after a panic
			e.step(taking, working, known)
		}()
	}
}

// waitsForEver tells that nothing is to be done until another person has spoken. Of what has a deadline the journal notes
// when it was seen first.
func waitsForEver(o acts.OneShot) bool { return !o.Complete && !o.Expires() }

// actOf is an action as the journal knows it.
func actOf(o acts.OneShot) leases.Act {
	a := leases.Act{ID: o.ID, Order: o.Order, Recorded: o.Read, Complete: o.Complete || o.Malformed()}
	if o.Expires() && !o.Malformed() {
		a.Lasts = o.Lasts
	}
	return a
}

// step sees an action, claims it if it can be carried out, and tries that.
func (e *executor) step(taking, working context.Context, known *entry) {
	var acted leases.Acted
	err := inTimeForAct(working, func(ctx context.Context) (err error) {
		acted, err = e.Journal.Act(ctx, actOf(known.shot), e.token, actClaim)
		if err == nil && acted.Mark == leases.MarkRefused && known.shot.Firm { // that was too late: it begins again
			err = e.Journal.TouchAct(ctx, acted.Epoch, known.shot.ID, nil)
			acted.Mark = ""
		}
		return err
	})
	if err == nil && acted.Mine {
		a := e.attempt(taking, working, known.shot, acted)
		if err = a.err; err == nil && a.mark != "" {
			err = inTimeForAct(working, func(ctx context.Context) (err error) {
				if err = e.mark(ctx, known, acted, a); err == nil {
					acted, err = e.Journal.Act(ctx, actOf(known.shot), "", actClaim) // as everybody sees it
				}
				return err
			})
		}
	}
	switch {
	case err != nil:
		e.loop.reportError(working, err, "carry out the action "+known.shot.ID)
	case acted.Mark != "":
		known.marked, known.seen = &acted, time.Now()
	case !acted.Mine:
		known.next = time.Now().Add(actOthers)
	}
}

// inTimeForAct bounds an attempt, or one step of what takes longer.
func inTimeForAct(working context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(working, actTime)
	defer cancel()
	return do(ctx)
}

// attempt is what came of one attempt to carry an action out.
type attempt struct {
	mark leases.Mark // "": try again
	said said
	err  error
}

// said is what is kept with a mark, as JSON.
type said struct {
	Detail   string         `json:"detail,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"`
	Evidence *acts.Evidence `json:"evidence,omitempty"`
}

var tryAgain = attempt{}

func refusedAs(why string) attempt { return attempt{mark: leases.MarkRefused, said: said{Detail: why}} }

func doneAs(what string) attempt { return attempt{mark: leases.MarkDone, said: said{Detail: what}} }

func attemptFailed(err error) attempt { return attempt{err: err} }

// mark has the journal keep what became of an action. Another instance may have it by now: then its word counts.
func (e *executor) mark(ctx context.Context, known *entry, acted leases.Acted, a attempt) error {
	text, err := json.Marshal(a.said)
	if err != nil {
		return err
	}
	known.own, err = e.Journal.MarkAct(ctx, acted.Claim, a.mark, string(text))
	if err == nil && known.own {
		o := known.shot
		e.loop.Logger.Info().Str("action", o.ID).Str("kind", string(o.Kind)).Stringer("scope", o.Scope).Str("by", o.By).
			Str("result", string(a.mark)).Str("detail", a.said.Detail).Msg("an action is carried out")
	}
	return err
}

// attempt tries to carry an action out that this instance has.
func (e *executor) attempt(taking, working context.Context, o acts.OneShot, acted leases.Acted) attempt {
	batch := o.Scope.Kind == acts.Batch
	if o.Malformed() {
		return refusedAs("its deadline isn't after its time: say it again, with a later one")
	} else if o.Kind == acts.Ask && batch {
		return e.askBatch(taking, working, o, acted)
	}
	ctx, cancel := context.WithTimeout(working, actTime)
	defer cancel()
	switch {
	case o.Kind == acts.Ask:
		return e.askPayout(taking, ctx, o, acted)
	case o.Kind == acts.Cancel && batch:
		return e.cancelBatch(ctx, o, acted)
	case o.Kind == acts.Cancel:
		return e.cancelPayout(ctx, o, acted)
	}
	return e.resolve(taking, ctx, o, acted)
}

// publish tells what is marked and isn't told yet. All decisions are looked at before: behind a foreign fence
// nothing is said (protocol A5).
func (e *executor) publish(working context.Context, now time.Time) {
	looked := map[string]error{}
	for _, known := range e.table {
		if known.busy || known.marked == nil || now.Before(known.next) || !known.own && now.Sub(known.seen) < actLeft {
			continue
		}
		acted := *known.marked
		if acted.Mark == leases.MarkRefused && known.shot.Firm { // void: see step
			known.marked, known.next = nil, now
			continue
		}
		err, done := looked[acted.Epoch]
		if !done {
			err = e.Unfenced(working, acted.Epoch)
			looked[acted.Epoch] = err
		}
		known.marked, known.next = nil, now.Add(actOthers) // it leaves the table once its outcome is read
		if err == nil && (!acted.Told || known.isUnread(now)) {
			known.told = time.Time{}
			err = e.tell(working, known.shot, acted)
		}
		if err != nil {
			e.loop.reportError(working, err, "publish the outcome of the action "+known.shot.ID)
			known.next = now.Add(actAgain)
			if errors.Is(err, epochs.ErrOver) {
				return
			}
		}
	}
}

// isUnread tells that an outcome is published and isn't read for long. It may stand in a topic that was lost since. What
// is published twice is a copy.
func (known *entry) isUnread(now time.Time) bool {
	if known.told.IsZero() {
		known.told = now
	}
	return now.Sub(known.told) >= actUnread
}

func (e *executor) tell(working context.Context, o acts.OneShot, acted leases.Acted) error {
	ctx, cancel := context.WithTimeout(working, actTime)
	defer cancel()
	if err := e.Tell(ctx, outcomeOf(o, acted, e.Shard)); err != nil {
		return err
	}
	return e.Journal.ToldAct(ctx, acted.Claim)
}

// outcomeOf is what is published of a mark. Whoever publishes it says the same.
func outcomeOf(o acts.OneShot, acted leases.Acted, shard int) acts.Ended {
	var s said
	_ = json.Unmarshal([]byte(acted.Said), &s) // of what expired there is none
	ended := acts.Ended{Of: o.ID, Result: acts.Result(acted.Mark), Detail: s.Detail, Evidence: s.Evidence, Time: acted.MarkedAt}
	if o.Scope.Kind == acts.Payout {
		ended.TradeNo = o.Scope.Name
	} else {
		ended.Shard, ended.Counts = shard, s.Counts
	}
	switch {
	case acted.Mark == leases.MarkExpired && acted.Said == leases.SaidLost:
		ended.Uncertain = true
		ended.Detail = "the journal was lost or restarted meanwhile, and it may have happened: look at the payout, then say it again if it is still needed"
	case acted.Mark == leases.MarkExpired && !o.Complete:
		ended.Detail = "nobody else has confirmed it in time: say it again"
	case acted.Mark == leases.MarkExpired:
		ended.Detail = "it could not be carried out in time: say it again if it is still needed"
	case ended.Detail == "":
		ended.Detail = "it was decided before the journal was lost or restarted"
	}
	return ended
}
