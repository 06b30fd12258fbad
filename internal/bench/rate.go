package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"disburser/internal/harness"
)

// The burst of the limits that three instances share, and how long they are watched.
const (
	burst   = 5
	watched = 30 * time.Second
)

// use is how a limit was kept.
type use struct {
	What    string    `json:"what"`
	Limit   float64   `json:"limit"`   // sends a second
	Busiest int       `json:"busiest"` // calls in the busiest second, sliding
	Used    float64   `json:"used"`    // part of the limit over the time that was watched
	Late    float64   `json:"late"`    // moments granted and missed, as a part of those granted
	Calls   []float64 `json:"calls"`   // by second
}

// sharedRate watches three instances, first in peace and then with one killed and another one
// joining. The second is done at the default limit too, where fewer moments can be lost.
func sharedRate(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"run", "calls in the busiest second", "part of the limit used in 30 s", "granted moments missed"}, plots: map[string]string{}}
	var uses []use
	for _, run := range []struct {
		what  string
		limit float64
	}{{"three instances", 200}, {"one killed, one joins", 200}, {"one killed, one joins", 50}} {
		u, err := s.share(ctx, run.what, run.limit)
		if err != nil {
			return r, fmt.Errorf("%s at %v/s: %w", run.what, run.limit, err)
		}
		uses = append(uses, u)
		name := fmt.Sprintf("%s, %v/s", run.what, run.limit)
		r.row(name, u.Busiest, u.Used, fmt.Sprintf("%.1f %%", 100*u.Late))
		r.Goals = append(r.Goals, atMost("calls in the busiest second, "+name, float64(u.Busiest), 1.02*run.limit+burst),
			atLeast("part of the limit used, "+name, u.Used, 0.99))
	}
	r.Raw = uses
	r.plots["rate.svg"] = lines("calls a second at the provider (limit 200)", seconds(len(uses[0].Calls)), []series{
		{uses[0].What, uses[0].Calls}, {uses[1].What, uses[1].Calls},
	})
	r.plots["rate-50.svg"] = lines("calls a second at the provider (limit 50)", seconds(len(uses[2].Calls)), []series{{uses[2].What, uses[2].Calls}})
	return r, nil
}

func (s *stage) share(ctx context.Context, what string, limit float64) (use, error) {
	u := use{What: what, Limit: limit}
	t, err := s.newSite(ctx, "rate", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return u, err
	}
	settings := unlimited()
	settings.Rate, settings.Burst, settings.QueryRate, settings.First, settings.Session = limit, burst, 2*limit, 2*time.Second, 6*time.Second
	settings.Lease, settings.Timeout = 10*time.Second, 2*time.Second
	var all []*harness.Instance
	for range 3 {
		i, err := t.runReady(ctx, settings)
		if err != nil {
			return u, err
		}
		all = append(all, i)
	}
	n := int(40 * limit)
	s.progress.say("%s: %d payouts at %v a second", what, n, limit)
	if err := t.publish(ctx, payouts{prefix: "R"}, 0, n); err != nil {
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
		u.Used += n / limit / watched.Seconds()
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
