package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"disburser/internal/harness"
	"disburser/message"
)

// leg is one run of one program over the same number of payouts.
type leg struct {
	Program   string        `json:"program"`
	Provider  string        `json:"provider"` // how it behaves
	Payouts   int           `json:"payouts"`
	Took      time.Duration `json:"took"`  // from the start of the process to the last result
	First     time.Duration `json:"first"` // the same to the first result
	CPU       time.Duration `json:"cpu"`   // of the process, user and system
	Redis     time.Duration `json:"redis"`
	Kafka     time.Duration `json:"kafka"`
	Paysim    time.Duration `json:"paysim"`
	Asks      float64       `json:"asksPerPayout"`
	PerSecond float64       `json:"perSecond"`

	Scripts map[string]float64 `json:"scripts,omitempty"` // calls of the journal's scripts
}

// throughput runs both programs by turns, in the order A B B A. A turn before these only warms
// up Kafka's virtual machine. One provider answers at once, so that everything on the machine
// competes for its cores. The other one takes its time, so that the workers are the limit.
func throughput(ctx context.Context, s *stage) (result, error) {
	n := s.n(60_000) // a fast machine makes 20,000 in less than three seconds: the start was a sixth of that
	if _, err := s.leg(ctx, "service", "", n/2, "warming up"); err != nil {
		return result{}, err
	}
	r := result{Head: []string{"provider answers: program", "payouts/s", "payouts/s after the first result", "CPU per payout", "asks", "Redis CPU", "Kafka CPU", "provider CPU"}}
	fast, err := s.legs(ctx, "", n, []string{"service", "floor", "floor", "service", "service", "floor", "floor", "service", "service", "floor"})
	if err != nil {
		return r, err
	}
	fast.rows(&r, "at once: ")
	slow, err := s.legs(ctx, `{"latency": "50ms"}`, n, []string{"service", "floor", "floor", "service"})
	if err != nil {
		return r, err
	}
	slow.rows(&r, "in 50 ms: ")
	r.Raw = append(fast, slow...)
	r.Goals = []goal{
		atLeast("payouts/s, service / floor, answers at once", fast.ratio(perSecondOf), 0.95),
		atLeast("payouts/s, service / floor, answers in 50 ms", slow.ratio(perSecondOf), 0.9),
		atMost("CPU per payout, service / floor, answers at once", fast.ratio(cpuOfLeg), 1),
		atMost("µs of Redis CPU per payout, answers at once", fast.of("service", redisOf), 55),
	}
	var bar []series
	for _, program := range []string{"service", "floor"} {
		one := series{name: program}
		for _, f := range []figure{cpuOfLeg, redisOf, kafkaOf, paysimOf} {
			one.values = append(one.values, fast.of(program, f))
		}
		bar = append(bar, one)
	}
	r.plots = map[string]string{"throughput.svg": bars("CPU per payout, µs", []string{"process", "Redis", "Kafka", "provider"}, bar)}
	return r, nil
}

// figure is a number of a leg.
type figure func(leg) float64

func perSecondOf(l leg) float64 { return l.PerSecond }
func steadyOf(l leg) float64    { return float64(l.Payouts) / (l.Took - l.First).Seconds() }
func cpuOfLeg(l leg) float64    { return per(l.CPU, l) }
func asksOf(l leg) float64      { return l.Asks }
func redisOf(l leg) float64     { return per(l.Redis, l) }
func kafkaOf(l leg) float64     { return per(l.Kafka, l) }
func paysimOf(l leg) float64    { return per(l.Paysim, l) }

// per is microseconds per payout.
func per(d time.Duration, l leg) float64 { return float64(d.Microseconds()) / float64(l.Payouts) }

// legs are runs by turns.
type legs []leg

func (s *stage) legs(ctx context.Context, behavior string, n int, order []string) (all legs, err error) {
	for i, program := range order {
		l, err := s.leg(ctx, program, behavior, n, fmt.Sprintf("%d/%d", i+1, len(order)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		l.Provider = behavior
		all = append(all, l)
	}
	return all, nil
}

// of is the median of a program's legs.
func (all legs) of(program string, f figure) float64 {
	var values []float64
	for _, l := range all {
		if l.Program == program {
			values = append(values, f(l))
		}
	}
	return median(values)
}

// ratio is the median over pairs of neighbours: the machine changes in the meantime.
func (all legs) ratio(f figure) float64 {
	var ratios []float64
	for i := 0; i+1 < len(all); i += 2 {
		service, floor := all[i], all[i+1]
		if service.Program == "floor" {
			service, floor = floor, service
		}
		ratios = append(ratios, f(service)/f(floor))
	}
	return median(ratios)
}

func (all legs) rows(r *result, name string) {
	figures := []figure{perSecondOf, steadyOf, cpuOfLeg, asksOf, redisOf, kafkaOf, paysimOf}
	units := []string{"", "", " µs", "", " µs", " µs", " µs"}
	ratios := []any{name + "service / floor"}
	for _, program := range []string{"service", "floor"} {
		row := []any{name + program}
		for i, f := range figures {
			row = append(row, number(all.of(program, f))+units[i])
		}
		r.row(row...)
	}
	for _, f := range figures {
		ratios = append(ratios, fmt.Sprintf("%.2f", all.ratio(f)))
	}
	r.row(ratios...)
}

// leg runs a program over n payouts that stand in the topic already.
func (s *stage) leg(ctx context.Context, program, behavior string, n int, about string) (l leg, err error) {
	t, err := s.newSite(ctx, program, behavior)
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return l, err
	}
	s.progress.say("%s: %s, %d payouts", about, program, n)
	if err := t.publish(ctx, payouts{prefix: "B"}, 0, n); err != nil {
		return l, err
	}
	l = leg{Program: program, Payouts: n, Redis: -s.redisCPU(ctx), Kafka: -harness.CPUOf(s.kafkaPID), Paysim: -t.provider.CPU()}
	p, err := t.begin(ctx, program)
	if err != nil {
		return l, err
	}
	err = harness.Until(ctx, 5*time.Minute, fmt.Sprintf("%d results", n), func() bool {
		done := t.writtenIn(ctx, t.topics.Results, 3)
		if done > 0 && l.First == 0 {
			l.First = time.Since(p.Began)
		}
		return done >= int64(n) || !p.Running()
	})
	l.Took = time.Since(p.Began)
	l.Scripts = t.scripts(ctx, p)
	if err == nil {
		err = p.Stop(stopLimit)
	}
	if err != nil {
		return l, fmt.Errorf("%w\n%s", err, p.Tail())
	}
	l.CPU = p.CPU()
	l.Redis += s.redisCPU(ctx)
	l.Kafka += harness.CPUOf(s.kafkaPID)
	l.Paysim += t.provider.CPU()
	l.PerSecond = float64(n) / l.Took.Seconds()
	l.Asks, err = t.allPaid(ctx, n)
	return l, err
}

// begin starts a program, and a profile of the service where one is wanted.
func (t *site) begin(ctx context.Context, program string) (*harness.Process, error) {
	if program == "service" {
		i, err := t.run(unlimited())
		if err != nil {
			return nil, err
		}
		if t.Profile != "" {
			go t.profile(ctx, i)
		}
		return i.Process, nil
	}
	p, err := harness.Start("floor", filepath.Join(t.dir, "floor.log"), t.floor, "-kafka", t.Kafka, "-redis", t.Redis, "-group", t.id,
		"-commands", t.topics.Commands, "-results", t.topics.Results, "-provider", "http://"+t.provider.Address+"/a",
		"-merchant-no", two["eg-main"].No, "-secret", secret, "-first", unlimited().First.String())
	if err == nil {
		t.running = append(t.running, p)
	}
	return p, err
}

// scripts counts the service's calls of scripts: how large its batches are.
func (t *site) scripts(ctx context.Context, p *harness.Process) map[string]float64 {
	if p.Name == "floor" {
		return nil
	}
	all, i := map[string]float64{}, &harness.Instance{Process: p}
	for _, name := range []string{"insert", "due", "lease", "apply"} {
		all[name] = metric(ctx, i, "disburser_journal_seconds_count", fmt.Sprintf("script=%q", name))
	}
	return all
}

// profile saves five seconds of what the service does, by its admin HTTP.
func (t *site) profile(ctx context.Context, i *harness.Instance) {
	if t.ready(ctx, i) != nil {
		return
	}
	if status, body := i.Get(ctx, "/debug/pprof/profile?seconds=5"); status == http.StatusOK {
		_ = os.WriteFile(filepath.Join(t.Profile, t.id+".pprof"), body, 0o600) // a profile more or less
	}
}

// allPaid makes sure that what was measured was done: each payout paid once. It answers
// the asks for each.
func (t *site) allPaid(ctx context.Context, n int) (asks float64, err error) {
	all, err := t.events(ctx)
	if err != nil {
		return 0, err
	}
	seen := map[string]bool{}
	for _, e := range all {
		if e.Type != message.EventPaid {
			return 0, fmt.Errorf("not paid: %+v", e)
		}
		seen[e.TradeNo] = true
		asks += float64(e.Asks)
	}
	if len(seen) != n {
		return 0, fmt.Errorf("%d payouts were paid, not %d", len(seen), n)
	}
	return asks / float64(n), nil
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}
