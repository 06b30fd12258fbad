package bench

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"disburser/internal/harness"
)

// What is measured around a pause.
const (
	pausedWatch = 10 * time.Second // each time
	pausedRate  = 200              // of each merchant, a second
	inParked    = 100_000          // payouts of the paused batch
	wrongBatch  = "2026-11-wrong"
)

// pauses is what a pause did to others.
type pauses struct {
	Before   float64 `json:"othersBefore"` // sends a second of a merchant, while nothing is paused
	Merchant float64 `json:"othersWhileAMerchantIsPaused"`
	Gap      float64 `json:"longestSecondsWithoutOthers"` // from the pause of a batch that is due before them
	Parking  float64 `json:"secondsUntilAllIsParked"`
	Parked   float64 `json:"othersBesideTheParked"`
	Free     flow    `json:"intakeBefore"`
	Beside   flow    `json:"intakeBesideTheParked"`
	After    flow    `json:"intakeAfter"`   // nothing is parked any more, and as much is open
	Back     float64 `json:"backPerSecond"` // from the resume's acknowledgement until nothing is parked
	Returned float64 `json:"secondsUntilAllIsBack"`
}

// pausing pauses a merchant, and then a large batch, beside others that go on.
func pausing(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"paused", "sends of others before", "meanwhile", "without any for", "all is parked after", "intake before", "meanwhile", "afterwards"}}
	p, err := s.pauseBeside(ctx)
	if err != nil {
		return r, err
	}
	r.row("another merchant", p.Before, p.Merchant, "", "", "", "", "")
	r.row(fmt.Sprintf("%d payouts of a batch of the same merchant", s.n(inParked)), p.Before, p.Parked, fmt.Sprintf("%.1f s", p.Gap), fmt.Sprintf("%.1f s", p.Parking),
		p.Free.PerSecond, p.Beside.PerSecond, p.After.PerSecond)
	cost := func(f flow) float64 { return f.CPU + f.Redis }
	r.Goals = []goal{
		atLeast("sends of others, meanwhile / before, a merchant is paused", p.Merchant/p.Before, 0.98),
		atLeast("sends of others, meanwhile / before, a batch is parked", p.Parked/p.Before, 0.98),
		atMost("CPU per command of the intake, Redis included, beside the parked / afterwards", cost(p.Beside)/cost(p.After), 1.05),
		atLeast("payouts/s that come back after the resume", p.Back, 20_000),
	}
	r.Raw = p
	return r, nil
}

// pauseBeside measures all of it in one run of one instance.
func (s *stage) pauseBeside(ctx context.Context) (p pauses, err error) {
	t, err := s.newSite(ctx, "paused", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return p, err
	}
	settings := unlimited()
	settings.Rate, settings.QueryRate, settings.Burst, settings.First = pausedRate, 2*pausedRate, burst, 2*time.Second
	i, err := t.runReady(ctx, settings)
	if err != nil {
		return p, err
	}
	s.progress.say("intake, beside nothing")
	if p.Free, err = t.intakeAt(ctx, i, "F"); err != nil {
		return p, err
	}
	if err := t.pauseWhileFed(ctx, i, &p); err != nil {
		return p, err
	}
	s.progress.say("intake, beside the parked")
	if p.Beside, err = t.intakeAt(ctx, i, "B"); err != nil {
		return p, err
	}
	if err := t.bringBack(ctx, i, &p); err != nil {
		return p, err
	}
	s.progress.say("intake, beside what is back")
	if err := t.act(ctx, "pause", "merchant:eg-main"); err != nil {
		return p, err
	}
	harness.Pause(ctx, 5*time.Second) // until what was sent has its result
	p.After, err = t.intakeAt(ctx, i, "A")
	return p, err
}

// pauseWhileFed pauses the merchant and the batch while payouts come in steadily, and waits until the others are sent.
func (t *site) pauseWhileFed(ctx context.Context, i *harness.Instance, p *pauses) (err error) {
	waiting := t.open(ctx)
	feeding, stop := context.WithCancel(ctx)
	fed := make(chan error, 1)
	go func() { fed <- t.feed(feeding) }()
	defer func() {
		stop()
		if failed := <-fed; err == nil {
			err = failed
		}
		if err == nil {
			err = harness.Until(ctx, time.Minute, "nothing but the parked and the scheduled is open", func() bool { return t.open(ctx) <= waiting+t.parked(ctx) })
		}
	}()
	harness.Pause(ctx, 3*time.Second)
	t.progress.say("nothing is paused")
	if p.Before, err = t.rateOf(ctx); err != nil {
		return err
	}
	if err := t.act(ctx, "pause", "merchant:eg-other"); err != nil {
		return err
	}
	t.progress.say("a merchant is paused")
	harness.Pause(ctx, time.Second)
	if p.Merchant, err = t.rateOf(ctx); err != nil {
		return err
	}
	if err := t.act(ctx, "resume", "merchant:eg-other"); err != nil {
		return err
	}
	return t.parkBatch(ctx, i, p)
}

// open is how many payouts are open.
func (t *site) open(ctx context.Context) int {
	n, _ := t.redis.Get(ctx, "bench:{0}:total").Int() // none, or asked again
	return n
}

// feed orders a little more than may be sent, bit by bit: what comes in waits behind no more than that.
func (t *site) feed(ctx context.Context) error {
	const every, some = 200 * time.Millisecond, pausedRate / 5 * 11 / 10
	for from := 0; harness.Pause(ctx, every); from += some {
		for merchant, prefix := range map[string]string{"eg-main": "X", "eg-other": "Y"} {
			if err := t.publish(context.WithoutCancel(ctx), payouts{prefix: prefix, merchant: merchant}, from, from+some); err != nil {
				return err
			}
		}
	}
	return nil
}

// parkBatch has a large batch come in, which is due before what comes after it. It pauses it, and waits until the others
// are sent again and all of it is parked. Then it measures the others.
func (t *site) parkBatch(ctx context.Context, i *harness.Instance, p *pauses) error {
	n := t.n(inParked)
	t.progress.say("a batch of %d payouts comes in", n)
	before := t.read(ctx)
	if err := t.publish(ctx, payouts{prefix: "W", batch: wrongBatch}, 0, n); err != nil {
		return err
	}
	err := harness.Until(ctx, time.Minute, "the batch is read", func() bool { return t.read(ctx) >= before+n || !i.Running() })
	if err != nil {
		return err
	}
	harness.Pause(ctx, 3*time.Second) // until nothing of before it waits
	if err := t.act(ctx, "pause", "batch:"+wrongBatch); err != nil {
		return err
	}
	paused, last := time.Now(), 0
	err = harness.Until(ctx, time.Minute, "all of the batch is parked", func() bool {
		now := t.parked(ctx)
		still := now > 0 && now == last
		if !still {
			last, p.Parking = now, time.Since(paused).Seconds()
		}
		harness.Pause(ctx, 200*time.Millisecond)
		return still || !i.Running()
	})
	if err != nil || !i.Running() {
		return fmt.Errorf("%w: %d are parked\n%s", err, last, i.Tail())
	}
	t.progress.say("%d payouts are parked", last)
	if p.Parked, err = t.rateOf(ctx); err != nil {
		return err
	}
	l, err := t.provider.ledger(ctx)
	others := append(l.sentOf("X"), paused, time.Now())
	slices.SortFunc(others, time.Time.Compare)
	for i, at := range others[1:] {
		if !others[i].Before(paused) {
			p.Gap = max(p.Gap, at.Sub(others[i]).Seconds())
		}
	}
	for _, at := range l.sentOf("W") {
		if at.Sub(paused) > 1500*time.Millisecond {
			return fmt.Errorf("a payout of the paused batch was sent %s after the acknowledgement", at.Sub(paused))
		}
	}
	return err
}

// bringBack resumes the batch and waits until nothing of it is parked.
func (t *site) bringBack(ctx context.Context, i *harness.Instance, p *pauses) error {
	n := t.parked(ctx)
	if err := t.act(ctx, "resume", "batch:"+wrongBatch); err != nil {
		return err
	}
	began := time.Now()
	err := harness.Until(ctx, time.Minute, "nothing is parked", func() bool { return t.parked(ctx) == 0 || !i.Running() })
	if err != nil || !i.Running() {
		return fmt.Errorf("%w: %d are parked\n%s", err, t.parked(ctx), i.Tail())
	}
	p.Returned = time.Since(began).Seconds()
	p.Back = float64(n) / p.Returned
	return nil
}

// rateOf is how many sends a second of eg-main arrive.
func (t *site) rateOf(ctx context.Context) (float64, error) {
	began := time.Now()
	harness.Pause(ctx, pausedWatch)
	ended := time.Now()
	l, err := t.provider.ledger(ctx)
	n := 0
	for _, at := range l.sent("eg-main") {
		if !at.Before(began) && at.Before(ended) {
			n++
		}
	}
	return float64(n) / ended.Sub(began).Seconds(), err
}

// sentOf are the times at which payouts were placed whose tradeNos begin so.
func (l ledger) sentOf(prefix string) (times []time.Time) {
	for _, e := range l.Entries {
		for _, x := range e.Executions {
			if strings.HasPrefix(e.TradeNo, prefix) {
				times = append(times, x.At)
			}
		}
	}
	return times
}

// parked is how many payouts of eg-main are parked.
func (t *site) parked(ctx context.Context) int {
	n, _ := t.redis.HGet(ctx, "bench:{0}:parked", "eg-main").Int() // none, or asked again
	return n
}

// intakeAt measures how fast commands come in that aren't due for long, and what one costs.
func (t *site) intakeAt(ctx context.Context, i *harness.Instance, prefix string) (f flow, err error) {
	n := 2 * t.n(inParked)
	p := payouts{prefix: prefix, merchant: "eg-other", notBefore: later()}
	before, began, cpu, redis := t.read(ctx), time.Now(), i.CPU(), t.redisCPU(ctx)
	if err := t.publish(ctx, p, 0, n); err != nil {
		return f, err
	}
	err = harness.Until(ctx, time.Minute, fmt.Sprintf("%d commands are read", n), func() bool { return t.read(ctx) >= before+n || !i.Running() })
	if err != nil || !i.Running() {
		return f, fmt.Errorf("%w\n%s", err, i.Tail())
	}
	f = flow{What: prefix, Commands: n, Took: time.Since(began)}
	f.PerSecond = float64(n) / f.Took.Seconds()
	f.CPU = float64((i.CPU() - cpu).Microseconds()) / float64(n)
	f.Redis = float64((t.redisCPU(ctx) - redis).Microseconds()) / float64(n)
	return f, nil
}

// act has a person say something, by the shipped program.
func (t *site) act(ctx context.Context, kind, scope string) error {
	out, err := exec.CommandContext(ctx, t.disburser, "act", kind, scope, "--by", "bench", "--reason", "a wrong file", "--config", t.file()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("act %s %s: %w\n%s", kind, scope, err, out)
	}
	return nil
}
