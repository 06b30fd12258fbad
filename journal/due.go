package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

const (
	// sweepRate is how many lanes a second are swept: compared with the index of lanes. A thousand
	// merchants have 2,002 lanes, which takes 50 s.
	sweepRate = 40

	// sweepTime is the least time between two sweeps of a lane.
	sweepTime = 5 * time.Second
)

// Due answers what is due. It looks by the index of lanes. It also sweeps some of the merchants'
// lanes, which heals an index that is late: older versions don't keep it. In a new epoch it sweeps
// them all at once.
func (j *Journal) Due(ctx context.Context, merchants []string) (leases.Agenda, error) {
	return j.DueBut(ctx, merchants, nil)
}

// DueBut is Due without some lanes: those that the caller can't work on now. To count what is due in a
// lane costs Redis a command, at every look. What is left out stays in the index, and the next look
// without it finds it.
func (j *Journal) DueBut(ctx context.Context, merchants []string, leftOut []leases.Lane) (leases.Agenda, error) {
	for {
		id := j.epoch.id()
		lanes, more := j.sweeps.next(id, merchants, time.Now())
		args := append([]any{len(lanes)}, lanes...)
		for _, la := range leftOut {
			args = append(args, laneName(la.Step, la.Merchant))
		}
		answer, err := j.run(ctx, "due", args...)
		if err != nil {
			j.sweeps.failed()
			return leases.Agenda{}, err
		}
		if more {
			continue
		}
		a := leases.Agenda{Now: instant(answer, 0), Next: instant(answer, 1), Due: map[leases.Lane]int{}}
		j.clock.note(a.Now)
		for i := 2; i+1 < len(answer); i += 2 {
			a.Due[laneOf(word(answer, i))] = int(number(answer, i+1))
		}
		return a, nil
	}
}

// MayBeDue answers the lanes that may have something due. It runs no script, so it is cheap, and
// believes nothing: the server may be another one, its clock wrong. It may only decide
// whether to call Due. Where another epoch is open, or none, the error wraps epochs.ErrOver.
func (j *Journal) MayBeDue(ctx context.Context) ([]leases.Lane, error) {
	var epoch *redis.StringCmd
	var due *redis.StringSliceCmd
	_, err := j.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		epoch = p.HGet(ctx, j.prefix+"epoch", "id")
		due = p.ZRangeByScore(ctx, j.prefix+"lanes", &redis.ZRangeBy{Min: "-inf", Max: fmt.Sprint(j.Now().UnixMilli())})
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("journal: look which lanes may be due: %w", err)
	}
	if epoch.Val() != j.epoch.id() {
		return nil, fmt.Errorf("journal: look which lanes may be due: %w: the open epoch is %q", epochs.ErrOver, epoch.Val())
	}
	lanes := make([]leases.Lane, len(due.Val()))
	for i, name := range due.Val() {
		lanes[i] = laneOf(name)
	}
	return lanes, nil
}

// laneOf reads the name of a lane in the index.
func laneOf(name string) leases.Lane {
	step, merchant, _ := strings.Cut(name, ":")
	if step == "" {
		return leases.Lane{}
	}
	return leases.Lane{Step: payout.Step(step[0]), Merchant: merchant}
}

// sweeps says which lanes are swept next.
type sweeps struct {
	mu    sync.Mutex
	epoch string    // in which a sweep of all lanes has begun
	left  int       // lanes of it that are still to be swept
	at    int       // the next lane
	last  time.Time // up to when lanes were swept as often as they should be
}

// next answers the names of the lanes to sweep now, and whether more should follow at once.
func (s *sweeps) next(epoch string, merchants []string, now time.Time) (lanes []any, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := 2*len(merchants) + 2
	if s.epoch != epoch {
		s.epoch, s.left, s.last = epoch, all, now
	}
	n := min(s.left, chunk)
	s.left -= n
	if n == 0 {
		every := max(sweepTime/time.Duration(all), time.Second/sweepRate) // time for one lane
		n = int(now.Sub(s.last) / every)
		s.last = s.last.Add(time.Duration(n) * every)
		n = min(n, all, chunk)
	}
	for range n {
		s.at = (s.at + 1) % all
		lanes = append(lanes, laneAt(s.at, merchants))
	}
	return lanes, s.left > 0
}

// laneAt is the name of a lane, by its number.
func laneAt(i int, merchants []string) string {
	switch i {
	case 0:
		return laneName(payout.StepAnnounce, "")
	case 1:
		return laneName(payout.StepReview, "")
	}
	step := payout.StepSend
	if i%2 == 1 {
		step = payout.StepAsk
	}
	return laneName(step, merchants[i/2-1])
}

// laneName is the name of a lane in the index, as laneOf reads it.
func laneName(step payout.Step, merchant string) string {
	if step == payout.StepSend || step == payout.StepAsk {
		return string(rune(step)) + ":" + merchant
	}
	return string(rune(step))
}

// failed has all lanes swept again: nobody knows what the failed call has swept.
func (s *sweeps) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = ""
}
