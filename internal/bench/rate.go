package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"disburser/internal/harness"
)

// The limit that three instances share, and how long it is watched.
const (
	perSecond = 200
	burst     = 5
	watched   = 30 * time.Second
)

// use is how a limit was kept.
type use struct {
	What    string    `json:"what"`
	Busiest int       `json:"busiest"` // calls in the busiest second, sliding
	Used    float64   `json:"used"`    // part of the limit over the time that was watched
	Late    float64   `json:"late"`    // moments granted and missed, as a part of those granted
	Calls   []float64 `json:"calls"`   // by second
}

// sharedRate watches three instances, first in peace and then with one killed and
// another one joining.
func sharedRate(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"run", "calls in the busiest second", "part of the limit used in 30 s", "granted moments missed"}}
	var uses []use
	for _, what := range []string{"three instances", "one killed, one joins"} {
		u, err := s.share(ctx, what)
		if err != nil {
			return r, fmt.Errorf("%s: %w", what, err)
		}
		uses = append(uses, u)
		r.row(what, u.Busiest, u.Used, fmt.Sprintf("%.1f %%", 100*u.Late))
		r.Goals = append(r.Goals, atMost("calls in the busiest second, "+what, float64(u.Busiest), 1.02*perSecond+burst),
			atLeast("part of the limit used, "+what, u.Used, 0.99))
	}
	r.Raw = uses
	r.plots = map[string]string{"rate.svg": lines("calls a second at the provider (limit 200)", seconds(len(uses[0].Calls)), []series{
		{uses[0].What, uses[0].Calls}, {uses[1].What, uses[1].Calls},
	})}
	return r, nil
}

func (s *stage) share(ctx context.Context, what string) (use, error) {
	u := use{What: what}
	t, err := s.newSite(ctx, "rate", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return u, err
	}
	settings := unlimited()
	settings.Rate, settings.Burst, settings.QueryRate, settings.First, settings.Session = perSecond, burst, 2*perSecond, 2*time.Second, 6*time.Second
	settings.Lease, settings.Timeout = 10*time.Second, 2*time.Second
	var all []*harness.Instance
	for range 3 {
		i, err := t.runReady(ctx, settings)
		if err != nil {
			return u, err
		}
		all = append(all, i)
	}
	s.progress.say("%s: %d payouts at %d a second", what, 8000, perSecond)
	if err := t.publish(ctx, payouts{prefix: "R"}, 0, 8000); err != nil {
		return u, err
	}
	if what != "three instances" {
		harness.Pause(ctx, 8*time.Second)
		all[0].Kill()
		harness.Pause(ctx, 2*time.Second)
		if _, err := t.run(settings); err != nil {
			return u, err
		}
		harness.Pause(ctx, watched-8*time.Second)
	} else {
		harness.Pause(ctx, watched+2*time.Second)
	}
	l, err := t.provider.ledger(ctx)
	if err != nil {
		return u, err
	}
	var granted, late float64
	for _, i := range all {
		granted += metric(ctx, i, "disburser_rate_tokens_total", `merchant="eg-main"`, `operation="send"`, `outcome="granted"`)
		late += metric(ctx, i, "disburser_rate_tokens_total", `merchant="eg-main"`, `operation="send"`, `outcome="late"`)
	}
	u.Late = late / granted
	times := l.sent("eg-main")
	if len(times) == 0 {
		return u, fmt.Errorf("nothing was sent:\n%s", all[1].Tail())
	}
	slices.SortFunc(times, time.Time.Compare)
	u.Busiest = busiest(times, time.Second)
	u.Calls = bySecond(times, times[0], int(watched.Seconds()))
	for _, n := range u.Calls {
		u.Used += n / perSecond / watched.Seconds()
	}
	return u, nil
}

// busiest is the largest number of sorted times in any window of that length.
func busiest(sorted []time.Time, window time.Duration) (most int) {
	begin := 0
	for i, t := range sorted {
		for t.Sub(sorted[begin]) >= window {
			begin++
		}
		most = max(most, i-begin+1)
	}
	return most
}

// bySecond counts times in each of n seconds.
func bySecond(times []time.Time, from time.Time, n int) []float64 {
	counts := make([]float64, n)
	for _, t := range times {
		if i := int(t.Sub(from) / time.Second); !t.Before(from) && i < n {
			counts[i]++
		}
	}
	return counts
}

func seconds(n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = float64(i)
	}
	return all
}
