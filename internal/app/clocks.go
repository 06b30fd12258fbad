package app

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/disburse"
)

// showClocks registers the gauge of how far Redis' clock is from this machine's.
func (a *App) showClocks() {
	a.options.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "disburser_clock_difference_seconds", Help: "How far Redis' clock is ahead of this machine's, negative if it is behind.",
	}, func() float64 { return a.clockDifference().Seconds() }))
}

// clockDifference is the largest one of all shards.
func (a *App) clockDifference() (largest time.Duration) {
	for _, l := range a.loops {
		if d := l.ClockDifference(); d.Abs() > largest.Abs() {
			largest = d
		}
	}
	return largest
}

// clocksApart says that the clocks disagree too much, "" if they don't.
func (a *App) clocksApart() string {
	d := a.clockDifference()
	if d.Abs() <= disburse.ClocksApart {
		return ""
	}
	where := "ahead of"
	if d < 0 {
		where = "behind"
	}
	return fmt.Sprintf("clocks: Redis' clock is %v %s this machine's; payouts with notBefore or expiresAt wait for both: set the wrong one", d.Abs().Round(time.Second), where)
}
