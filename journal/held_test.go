package journal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// carriedAgain inserts a command that was published again at an offset.
func carriedAgain(t *testing.T, j *Journal, tradeNo string, offset int64, state payout.State) string {
	t.Helper()
	outcomes, _, err := j.Insert(context.Background(), intake.Range{From: offset, To: offset + 1}, []intake.Entry{{Payout: at(tradeNo, offset), Carried: state}})
	if err != nil {
		t.Fatal(err)
	}
	return string(rune(outcomes[0]))
}

// emptied wipes the journal and opens the next epoch with what a replay knows.
func emptied(t *testing.T, client redis.UniversalClient, j *Journal, items ...epochs.Restored) {
	t.Helper()
	wipe(t, client, j)
	open(t, j, build(t, j, items...))
	if _, err := j.Position(context.Background(), 0, 3, false); err != nil {
		t.Fatal(err)
	}
}

// heldAndNeverSent looks that a payout waits for a step, held, and for no other.
func heldAndNeverSent(t *testing.T, client redis.UniversalClient, j *Journal, tradeNo string, step payout.Step) {
	t.Helper()
	if p := show(t, client, j, tradeNo); p.State != payout.StateHeld || p.Step != step || p.Reason == "" || p.Remark != "salary" {
		t.Errorf("%s is %v, next %v, because of %q", tradeNo, p.State, p.Step, p.Reason)
	}
	for _, s := range []payout.Step{payout.StepSend, payout.StepReview, payout.StepAsk, payout.StepAnnounce} {
		lane := "eg"
		if s == payout.StepReview || s == payout.StepAnnounce {
			lane = ""
		}
		if b := lease(t, j, s, lane, 9); len(b.Payouts) > 0 != (s == step) {
			t.Errorf("%d payouts are leased to %v", len(b.Payouts), s)
		}
	}
}

// With then: resend a hold may be about money that was paid twice already: a lost journal
// must not begin counting its absence anew.
func TestAHeldPayoutIsHeldAgainWhenItsCommandComesToALostJournal(t *testing.T) {
	for name, c := range map[string]struct {
		before []epochs.Restored
		prior  func(t *testing.T, j *Journal)
	}{
		"nothing is known":               {},
		"it was sent":                    {before: []epochs.Restored{was(epochs.WasDecided, "a", 0)}},
		"it was sent, and is read first": {before: []epochs.Restored{was(epochs.WasDecided, "a", 0)}, prior: func(t *testing.T, j *Journal) { insert(t, j, 4, at("a", 3)) }},
		"received is read first":         {prior: func(t *testing.T, j *Journal) { insert(t, j, 4, at("a", 3)) }},
		"it was acknowledged meanwhile": {prior: func(t *testing.T, j *Journal) {
			insert(t, j, 4, at("a", 3))
			b := lease(t, j, payout.StepSend, "eg", 1)
			write(t, j, b, func(p *payout.Payout) { p.State, p.Due = payout.StateProcessing, time.Now() })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, c.before...)
				if c.prior != nil {
					c.prior(t, j)
				} else {
					insert(t, j, 4)
				}
				carriedAgain(t, j, "a", 4, payout.StateHeld)
				heldAndNeverSent(t, client, j, "a", payout.StepAnnounce)
			})
		})
	}
}

// Who has leased it meanwhile doesn't make anything else of it.
func TestAnAnswerToAnOlderLeaseUndoesNoHold(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 4, at("a", 3))
		b := lease(t, j, payout.StepSend, "eg", 1)
		carriedAgain(t, j, "a", 4, payout.StateHeld)
		if write(t, j, b, func(p *payout.Payout) { p.State, p.Step = payout.StateReceived, payout.StepSend }) {
			t.Error("given back")
		}
		heldAndNeverSent(t, client, j, "a", payout.StepAnnounce)
	})
}

// A hold that the results tell of outranks a send, in any order, and only a final follows it.
func TestAHoldIsReplayed(t *testing.T) {
	hold, sent, paid := was(epochs.WasHeld, "a", payout.StateHeld), was(epochs.WasDecided, "a", 0), was(epochs.WasAnnounced, "a", payout.StatePaid)
	for name, items := range map[string][]epochs.Restored{
		"alone": {hold}, "twice": {hold, hold}, "sent, then held": {sent, hold}, "held, then sent": {hold, sent},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, items...)
				if got := insert(t, j, 4, at("a", 3)); got != "d" {
					t.Errorf("outcome %s", got)
				}
				heldAndNeverSent(t, client, j, "a", payout.StepAsk)
			})
		})
	}
	for name, items := range map[string][]epochs.Restored{"held, then paid": {hold, sent, paid}, "paid, then held": {paid, sent, hold}} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, items...)
				if got := insert(t, j, 4, at("a", 3)); got != "d" {
					t.Errorf("outcome %s", got)
				}
				if c, err := j.Count(context.Background(), []int{0}); err != nil || c.Open != 0 {
					t.Errorf("%+v %v", c, err)
				}
			})
		})
	}
	t.Run("another payee", func(t *testing.T) {
		rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
			emptied(t, client, j, hold)
			other := order("a", "301")
			if got := insert(t, j, 4, other); got != "c" {
				t.Errorf("outcome %s", got)
			}
		})
	})
	for _, state := range []payout.State{payout.StateReceived, payout.StateSending, payout.StateProcessing} {
		t.Run("it was "+state.String(), func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				known(t, j, "a", 3, state)
				open(t, j, build(t, j, hold))
				heldAndNeverSent(t, client, j, "a", payout.StepAsk)
			})
		})
	}
	t.Run("it ended", func(t *testing.T) {
		rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
			known(t, j, "a", 3, payout.StatePaid)
			open(t, j, build(t, j, hold))
			if p := show(t, client, j, "a"); p.State != payout.StatePaid {
				t.Errorf("%v", p.State)
			}
		})
	})
}

// Where nobody of a merchant was answered lately, some payout must be left to be asked about.
// Otherwise no absence would be believed after a wipe until give_up.
func TestAReplayRemembersASettledPayout(t *testing.T) {
	for state, want := range map[payout.State]string{payout.StatePaid: "z", payout.StatePartial: "z", payout.StateFailed: "", payout.StateRejected: ""} {
		t.Run(state.String(), func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, was(epochs.WasAnnounced, "z", state), was(epochs.WasDecided, "a", 0))
				insert(t, j, 4, at("a", 3))
				b := lease(t, j, payout.StepAsk, "eg", 1)
				if len(b.Payouts) != 1 || b.Evidence.Settled != want || !b.Evidence.ServedAt.IsZero() || b.Evidence.About != "" {
					t.Errorf("%d payouts, %+v", len(b.Payouts), b.Evidence)
				}
			})
		})
	}
}

// It may have been paid and forgotten when it was still valid: "rejected, never sent" would
// be a lie. In the lane of those that aren't configured nobody asks about it; its hold is told.
func TestAnOldUnknownCommandIsHeldThoughItIsInvalidNow(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		c := order("gone", "300")
		gone := payout.Begin(c.Command, "", payout.Source{Offset: 3, Time: time.Now().Add(-2 * time.Hour)}, "merchant is not configured", time.Now())
		wrong := payout.Begin(order("wrong", "300").Command, "egypt", payout.Source{Offset: 3, Time: time.Now().Add(-2 * time.Hour)}, "amount is too small", time.Now())
		if got := insert(t, j, 4, gone, wrong); got != "oo" {
			t.Errorf("outcomes %s", got)
		}
		b := lease(t, j, payout.StepAnnounce, "", 9)
		if len(b.Payouts) != 2 {
			t.Fatalf("%d are told", len(b.Payouts))
		}
		var changes []leases.Change
		for _, p := range b.Payouts {
			e, speaks := message.EventOf(p)
			if !speaks || e.Type != message.EventHeld || strings.Contains(e.Reason, "configured") || e.SettledAt != "" || p.Merchant != "eg" {
				t.Errorf("%+v", e)
			}
			changes = append(changes, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: p.State, After: p.Announced(time.Now().Add(-time.Second), payout.Policy{})})
		}
		apply(t, j, changes...)
		if b := lease(t, j, payout.StepAsk, "eg", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "wrong" {
			t.Errorf("%+v", b.Payouts)
		}
		if c, err := j.Count(context.Background(), []int{0}); err != nil || c.States[""][payout.StateHeld] != 1 || c.States["eg"][payout.StateHeld] != 1 {
			t.Errorf("%+v %v", c, err)
		}
	})
}

// After a wipe and a change of the configuration a command may not be the one that was sent. It
// is a conflict. What was sent is asked about all the same, and a person can see it.
func TestAConflictWithARememberedSendLeavesItAskedAbout(t *testing.T) {
	for name, c := range map[string]struct {
		item  epochs.Restored
		state payout.State
	}{
		"sent": {was(epochs.WasDecided, "a", 0), payout.StateSending}, "held": {was(epochs.WasHeld, "a", payout.StateHeld), payout.StateHeld},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, c.item)
				other := order("a", "301")
				for range 2 { // the consumer repeats a page
					if got := insert(t, j, 4, other); got != "c" {
						t.Fatalf("outcome %s", got)
					}
				}
				insert(t, j, 4) // its dead letter is acknowledged
				b := lease(t, j, payout.StepAsk, "eg", 9)
				if len(b.Payouts) != 1 || b.Payouts[0].State != c.state || b.Payouts[0].Sends < 2 || b.Payouts[0].SendBy.IsZero() {
					t.Fatalf("%+v", b.Payouts)
				}
				census, err := j.Count(context.Background(), []int{0})
				if err != nil || census.Open != 1 || census.States["eg"][c.state] != 1 {
					t.Errorf("%+v %v", census, err)
				}
				write(t, j, b, func(p *payout.Payout) { p.State, p.Step, p.Due = payout.StatePaid, payout.StepAnnounce, time.Now() })
				if b := lease(t, j, payout.StepAnnounce, "", 9); len(b.Payouts) != 0 {
					t.Errorf("%+v is told without content", b.Payouts)
				}
				checks(t, client, j)
				if got := insert(t, j, 5, at("a", 4)); got != "d" { // the configuration was put right, and it was published again
					t.Errorf("outcome %s", got)
				}
				if b := lease(t, j, payout.StepAnnounce, "", 9); len(b.Payouts) != 1 || b.Payouts[0].State != payout.StatePaid || b.Payouts[0].Remark != "salary" {
					t.Errorf("%+v", b.Payouts)
				}
			})
		})
	}
}

func TestWhatIsAskedAboutWithoutContentIsHeldByItsCarriedCommand(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		emptied(t, client, j, was(epochs.WasDecided, "a", 0))
		insert(t, j, 4, order("a", "301"))
		insert(t, j, 4)
		carriedAgain(t, j, "a", 4, payout.StateHeld)
		heldAndNeverSent(t, client, j, "a", payout.StepAnnounce)
	})
}

// A replayed hold has the reason and the time of its event. A person who looks after a wipe must
// not be told that nobody knows why.
func TestAReplayedHoldKeepsItsReason(t *testing.T) {
	hold := was(epochs.WasHeld, "a", payout.StateHeld)
	hold.Reason, hold.Time = "the provider answers 00032 \"unclear\"\nsince noon", time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	later := hold
	later.Reason = "give_up"
	keeps := func(t *testing.T, client redis.UniversalClient, j *Journal, want epochs.Restored) {
		t.Helper()
		if p := show(t, client, j, "a"); p.State != payout.StateHeld || p.Reason != want.Reason || !p.HeldAt.Equal(want.Time) {
			t.Errorf("%v because of %q since %v, want %q since %v", p.State, p.Reason, p.HeldAt, want.Reason, want.Time)
		}
	}
	for name, c := range map[string]struct {
		items []epochs.Restored
		want  epochs.Restored
	}{
		"alone": {[]epochs.Restored{hold}, hold}, "sent, then held": {[]epochs.Restored{was(epochs.WasDecided, "a", 0), hold}, hold}, "held again": {[]epochs.Restored{hold, later}, later},
	} {
		t.Run(name, func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				emptied(t, client, j, c.items...)
				insert(t, j, 4, at("a", 3))
				keeps(t, client, j, c.want)
				heldAndNeverSent(t, client, j, "a", payout.StepAsk)
			})
		})
	}
	t.Run("its command is carried", func(t *testing.T) {
		rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
			emptied(t, client, j, hold)
			insert(t, j, 4)
			carriedAgain(t, j, "a", 4, payout.StateHeld)
			keeps(t, client, j, hold)
		})
	})
	t.Run("another payee comes first", func(t *testing.T) {
		rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
			emptied(t, client, j, hold)
			insert(t, j, 4, order("a", "301"))
			insert(t, j, 5, at("a", 4))
			keeps(t, client, j, hold)
		})
	})
	for _, state := range []payout.State{payout.StateReceived, payout.StateSending, payout.StateProcessing} {
		t.Run("it was "+state.String(), func(t *testing.T) {
			rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
				known(t, j, "a", 3, state)
				before := show(t, client, j, "a")
				open(t, j, build(t, j, hold))
				keeps(t, client, j, hold)
				if p := show(t, client, j, "a"); p.FirstSentAt != before.FirstSentAt || p.Shown != before.Shown || p.Asks != before.Asks {
					t.Errorf("%+v, was %+v: what was known else is gone", p, before)
				}
			})
		})
	}
	t.Run("a version that remembers no reasons wrote the memory", func(t *testing.T) {
		rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
			emptied(t, client, j, hold)
			client.Del(context.Background(), j.prefix+"why:a")
			insert(t, j, 4, at("a", 3))
			if p := show(t, client, j, "a"); p.State != payout.StateHeld || !strings.Contains(p.Reason, "it was held before") {
				t.Errorf("%v because of %q", p.State, p.Reason)
			}
		})
	})
}
