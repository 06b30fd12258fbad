package disburse

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
)

// Whatever transition isn't listed is refused, and said.
func TestOnlyTheTransitionsThatAreListedAreMade(t *testing.T) {
	listed := map[string]bool{}
	name := func(from, to stage, step payout.Step) string {
		return from.String() + " to " + to.String() + ", to " + step.String()
	}
	for _, tr := range transitions {
		for _, step := range tr.steps {
			if listed[name(tr.from, tr.to, step)] {
				t.Errorf("%s is listed twice", name(tr.from, tr.to, step))
			}
			listed[name(tr.from, tr.to, step)] = true
		}
	}
	for from := range stageLost + 2 { // one more than there are
		for to := range stageLost + 2 {
			for _, step := range append([]payout.Step{0}, anyStep...) {
				var log strings.Builder
				logger := zerolog.New(&log)
				k := &task{stage: from, step: step}
				k.payout.TradeNo = "a1"
				allowed, said := move(&logger, k, to), strings.Contains(log.String(), programmingError)
				switch want := listed[name(from, to, step)]; {
				case allowed != want || said == want:
					t.Errorf("%s: %v, said: %v", name(from, to, step), allowed, said)
				case want && k.stage != to || !want && k.stage != from:
					t.Errorf("%s: it is %v now", name(from, to, step), k.stage)
				case said && !strings.Contains(log.String(), `"trade_no":"a1"`):
					t.Errorf("nobody knows which: %s", log.String())
				}
			}
		}
	}
}

// Each stage has a name of its own, and each but the first is reached; the ends lead nowhere.
func TestStages(t *testing.T) {
	names, reached, left := map[string]bool{}, map[stage]bool{stagePrepared: true}, map[stage]bool{}
	for _, tr := range transitions {
		reached[tr.to], left[tr.from] = true, true
	}
	for s := range stageLost + 1 {
		names[s.String()] = true
		if !reached[s] || left[s] == (s >= stageDone) {
			t.Errorf("%v: reached %v, left %v", s, reached[s], left[s])
		}
	}
	if len(names) != int(stageLost)+1 || names[""] || (stageLost+1).String() != "stage(10)" {
		t.Error(names)
	}
}

// The last check is not all that stands before a send: the stages refuse it too.
func TestASendIsCalledOnlyOnceItIsDecided(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t).build()
		k := b.newTask(payout.StepSend, b.merchants["a"], leasedNow(), order("a1", "a"))
		if b.Loop.move(k, stageCalling) {
			t.Error("it is called before its decision")
		}
		b.Loop.move(k, stageDecided)
		if !b.Loop.move(k, stageCalling) || b.Loop.move(k, stageCalling) {
			t.Error("not called once")
		}
	})
}

// The decision is not all that stands before the announcement of an own end: its stage says so too.
func TestAnOwnEndIsAnnouncedOnlyOnceItIsDecided(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t).build()
		rejected, err := order("a1", "a").Reject("merchant is not configured", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for stage, want := range map[stage]int{stagePrepared: 0, stageInHand: 0, stageDecided: 1} {
			k := b.newTask(payout.StepAnnounce, nil, leasedNow(), rejected)
			k.stage = stage
			announced := 0
			b.Loop.Announcer = announcer{func(_ context.Context, events []message.Event) ([]bool, error) {
				announced += len(events)
				return make([]bool, len(events)), nil
			}}
			_ = b.Loop.announce(context.Background(), []*task{k})
			if got := announced; got != want {
				t.Errorf("%v: %d announced, want %d", stage, got, want)
			}
		}
	})
}

// A task whose permit or stage is not what it should be makes no call; the loop goes on.
func TestATaskThatMayNotBeCalledIsNotCalled(t *testing.T) {
	for name, c := range map[string]struct {
		spoil     func(k *task)
		givenBack bool // only what certainly was not sent
	}{
		"not decided":         {func(k *task) { k.stage = stagePrepared }, true},
		"called already":      {func(k *task) { k.stage = stageCalling }, false},
		"judged already":      {func(k *task) { k.stage = stageJudged }, false},
		"its permit is used":  {func(k *task) { k.permit.begin() }, true},
		"its permit is ended": {func(k *task) { k.permit.endUnused() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t).build()
				m := b.merchants["a"]
				m.Provider = provider{send: func(context.Context, string, time.Time) finding.Finding {
					t.Error("it was sent")
					return good
				}}
				taken, _, err := b.issuer(m, payout.StepSend).take(context.Background(), 1, m.Send.Take)
				if err != nil || taken.len() != 1 {
					t.Fatal(err)
				}
				k := b.newTask(payout.StepSend, m, leasedNow(), sendingNow("a1"))
				k.stage, k.permit = stageDecided, taken.next()
				c.spoil(k)
				b.send(context.Background(), context.Background(), k)
				if given := len(b.writer.changes) == 1; given != c.givenBack {
					t.Fatalf("given back: %v", given)
				}
				if c.givenBack {
					if got := <-b.writer.changes; got.After.State != payout.StateReceived || got.After.Unacknowledged != (name == "not decided") {
						t.Errorf("it is %v, unacknowledged %v", got.After.State, got.After.Unacknowledged)
					}
				}
			})
		})
	}
}
