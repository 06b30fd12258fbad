package journal

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// processing makes n payouts that were sent just now and are due for an ask at a moment.
func processing(t *testing.T, j *Journal, prefix string, n int, due func(i int) time.Time) {
	t.Helper()
	var orders []payout.Payout
	for i := range n {
		p := order(fmt.Sprintf("%s%05d", prefix, i), "300")
		p.Source.Offset = int64(i)
		orders = append(orders, p)
	}
	insert(t, j, 0, orders...)
	for i := 0; i < n; {
		b := lease(t, j, payout.StepSend, "eg", 128)
		if len(b.Payouts) == 0 {
			t.Fatal("nothing to send")
		}
		for _, p := range b.Payouts {
			after, err := p.After(payout.OwnSend, finding.Finding{Kind: finding.Accepted}, time.Now(), payout.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			after.Due = due(i)
			i++
			apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: p.State, After: after})
		}
	}
}

func names(b leases.Leased) (all []string) {
	for _, p := range b.Payouts {
		all = append(all, p.TradeNo)
	}
	return all
}

func count(b leases.Leased, prefix string) (n int) {
	for _, p := range b.Payouts {
		if strings.HasPrefix(p.TradeNo, prefix) {
			n++
		}
	}
	return n
}

// Where more asks are due than can be made, young payouts go first, and those that have
// waited longest get a quarter.
func TestAsksAreSharedBetweenYoungAndOld(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		now := time.Now()
		processing(t, j, "late", 20, func(i int) time.Time { return now.Add(-time.Hour + time.Duration(i)*time.Second) })
		processing(t, j, "back", 20, func(int) time.Time { return now.Add(-time.Second) }) // old ones that just came due again
		time.Sleep(5 * time.Millisecond)
		processing(t, j, "young", 9, func(int) time.Time { return now.Add(-2 * time.Second) })

		b := lease(t, j, payout.StepAsk, "eg", 8)
		if count(b, "young") != 6 || !slices.Equal(names(b)[6:], []string{"late00000", "late00001"}) {
			t.Errorf("of 8: %v", names(b))
		}
		seen := map[string]bool{}
		for _, name := range names(b) {
			seen[name] = true
		}
		b = lease(t, j, payout.StepAsk, "eg", 8)
		if count(b, "young") != 3 || count(b, "back") != 3 || count(b, "late") != 2 {
			t.Errorf("of the next 8: %v", names(b))
		}
		for _, name := range names(b) {
			if seen[name] {
				t.Errorf("%s was leased twice", name)
			}
		}
		if b = lease(t, j, payout.StepAsk, "eg", 100); len(b.Payouts) != 33 {
			t.Errorf("%d of the 33 that are left", len(b.Payouts))
		}
		if b = lease(t, j, payout.StepAsk, "eg", 5); len(b.Payouts) != 0 {
			t.Errorf("%v were leased though all were", names(b))
		}
	})
}

// A quarter of one is drawn, not rounded away.
func TestASingleAskIsSharedToo(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		now := time.Now()
		processing(t, j, "late", 100, func(int) time.Time { return now.Add(-time.Hour) })
		time.Sleep(5 * time.Millisecond)
		processing(t, j, "young", 300, func(int) time.Time { return now.Add(-time.Second) })
		late := 0
		for range 200 {
			b := lease(t, j, payout.StepAsk, "eg", 1)
			if len(b.Payouts) != 1 {
				t.Fatal("nothing was leased")
			}
			late += count(b, "late")
		}
		if late < 25 || late > 80 {
			t.Errorf("%d of 200 went to the old ones, a quarter is 50", late)
		}
	})
}

// What a repeated lease answers is the batch, also where it was chosen.
func TestARepeatedChoiceIsTheSame(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		now := time.Now()
		processing(t, j, "p", 40, func(int) time.Time { return now.Add(-time.Second) })
		args := []any{j.epoch.id(), string(payout.StepAsk), "eg", NewToken(), 7, time.Minute.Milliseconds()}
		var answers [][]string
		for range 2 {
			answer, err := j.runAs(context.Background(), "lease", args)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, batchOf(answer))
		}
		if len(answers[0]) != 14 || !slices.Equal(answers[0], answers[1]) {
			t.Errorf("%v\n%v", answers[0], answers[1])
		}
	})
}

// The budget is ten asks a second. 500 old payouts want eight of them. Two new ones a second
// need three each. The new ones hardly notice, and the old ones all get their turn.
func TestYoungAndOldBothMakeProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := embedded.NewRedis()
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Dialer: r.Dial})
		t.Cleanup(func() { _ = client.Close(); r.Close() })
		j := newJournal(t, client, 100*time.Hour)
		const olds = 500
		start := time.Now()
		processing(t, j, "old", olds, func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute / olds) })
		time.Sleep(10 * time.Minute)
		var patient payout.Policy
		patient.Poll.GiveUp = 1000 * time.Hour
		asked := map[string]int{}
		due := map[string]time.Time{}
		var waits []time.Duration
		made := 0
		for tick := range 2 * 5 * 60 { // five minutes, two leases of five a second
			if tick < 2*4*60 {
				processing(t, j, fmt.Sprintf("new%05d-", made), 1, func(int) time.Time { return time.Now().Add(2 * time.Second) })
				due[fmt.Sprintf("new%05d-%05d", made, 0)] = time.Now().Add(2 * time.Second)
				made++
			}
			time.Sleep(500 * time.Millisecond)
			b := lease(t, j, payout.StepAsk, "eg", 5)
			var changes []leases.Change
			for _, p := range b.Payouts {
				asked[p.TradeNo]++
				after, err := p.After(payout.Ask, finding.Finding{Kind: finding.Processing}, time.Now(), patient)
				if err != nil {
					t.Fatal(err)
				}
				after.Due = time.Now().Add(time.Minute)
				change := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: p.State}
				if at, young := due[p.TradeNo]; young {
					waits = append(waits, time.Since(at))
					after.Due = time.Now().Add(5 * time.Second)
					due[p.TradeNo] = after.Due
					if asked[p.TradeNo] == 3 {
						after.State, change.Forget = payout.StatePaid, true
					}
				}
				change.After = after
				changes = append(changes, change)
			}
			apply(t, j, changes...)
		}
		slices.Sort(waits)
		if p99 := waits[len(waits)*99/100]; len(waits) < 3*made || p99 > 2*time.Second {
			t.Errorf("%d asks about %d new payouts, 99 in 100 within %v of being due, the longest wait %v", len(waits), made, p99, waits[len(waits)-1])
		}
		least, most := math.MaxInt, 0
		for i := range olds {
			n := asked[fmt.Sprintf("old%05d", i)]
			least, most = min(least, n), max(most, n)
		}
		t.Logf("new ones: median wait %v, longest %v; old ones: asked %d to %d times", waits[len(waits)/2], waits[len(waits)-1], least, most)
		if least < 2 || most > least+2 {
			t.Errorf("old payouts were asked about %d to %d times in five minutes, 4 a second are left for 500 of them", least, most)
		}
	})
}
