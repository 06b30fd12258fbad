package journal

import (
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

// Wherever in a generation of the memory it ends, a payout is remembered for the window.
func TestAFinalIsRememberedForTheWholeWindow(t *testing.T) {
	const window, phases = time.Hour, 5
	for phase := range phases {
		inVirtualTime(t, window, func(t *testing.T, j *Journal, _ *atomic.Int64) {
			time.Sleep(time.Duration(phase) * window / 3 / phases)
			insert(t, j, 4, order("a", "300"))
			write(t, j, lease(t, j, payout.StepSend, "eg", 1), func(p *payout.Payout) {
				p.State, p.Step, p.Due = payout.StatePaid, payout.StepAnnounce, time.Now()
			})
			b := lease(t, j, payout.StepAnnounce, "", 1)
			if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StatePaid, After: b.Payouts[0], Forget: true}); !got[0] {
				t.Fatal("not forgotten")
			}
			time.Sleep(window - time.Minute)
			if got := insert(t, j, 5, order("a", "300"), order("a", "5")); got != "dc" {
				t.Errorf("phase %d: outcomes %q just before the window is over, want dc", phase, got)
			}
		})
	}
}
