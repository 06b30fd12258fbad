package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"disburser/message"
)

// wait is a recovery that is measured after the run, from what was written meanwhile.
type wait struct {
	kind   string
	broken time.Time     // when the fault struck
	since  time.Time     // from when on it is counted
	limit  time.Duration // 0 = only told
	victim string        // the log of a killed instance, whose payouts others must take over
}

// The kinds of recovery.
const (
	sendsAgain = "sends again" // in an epoch that nobody knew before the fault
	sendsOn    = "sends on"    // in any epoch
	takenOver  = "taken over"  // by others than the victim
)

// expect notes a recovery to be measured.
func (r *run) expect(w wait) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = append(r.waits, w)
}

// history is what was written down while the scenario ran.
type history struct {
	decisions []message.Decision
	results   map[string][]time.Time // by tradeNo
	answers   map[string][]answer    // of the provider, by tradeNo
	instances map[string]string      // the log of each instance, by its name in the decisions
}

type answer struct {
	at  time.Time
	log string
}

func (r *run) history(ctx context.Context) (h history, err error) {
	h = history{results: map[string][]time.Time{}, answers: map[string][]answer{}, instances: map[string]string{}}
	if h.decisions, err = r.decided(ctx); err != nil {
		return h, err
	}
	slices.SortStableFunc(h.decisions, func(a, b message.Decision) int { return a.Time.Compare(b.Time) })
	records, err := r.records(ctx, r.topics.Results)
	if err != nil {
		return h, err
	}
	for _, record := range records {
		if e, err := message.DecodeEvent(message.New(record.Key, record.Value, record.Headers)); err == nil {
			h.results[e.TradeNo] = append(h.results[e.TradeNo], record.Time)
		}
	}
	for _, i := range r.instances {
		if err := h.read(i.Log); err != nil {
			return h, err
		}
	}
	return h, nil
}

// read takes the provider's answers from an instance's log.
func (h *history) read(log string) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var line struct {
			Instance, Finding string
			TradeNo           string `json:"trade_no"`
			Time              time.Time
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		h.instances[line.Instance] = log
		if line.Finding != "" { // of a call to the provider
			h.answers[line.TradeNo] = append(h.answers[line.TradeNo], answer{line.Time, log})
		}
	}
	return lines.Err()
}

// measure answers how long a recovery took; false if there was nothing to recover.
func (h *history) measure(w wait) (took time.Duration, about string, ok bool) {
	if w.kind == takenOver {
		return h.takeover(w)
	}
	known := map[string]bool{}
	for _, d := range h.decisions {
		switch {
		case d.Time.Before(w.broken):
			known[d.Epoch.ID] = true
		case d.Kind == message.KindSend && (!known[d.Epoch.ID] || w.kind == sendsOn && d.Time.After(w.since)):
			return max(0, d.Time.Sub(w.since)), "", true
		}
	}
	return time.Hour, "nothing was sent any more", true
}

// takeover is how long a killed instance's payouts waited at most until somebody else did
// something about them. Only those count that it had decided to send within one lease before its
// end.
func (h *history) takeover(w wait) (took time.Duration, about string, ok bool) {
	for _, d := range h.decisions {
		if d.Kind != message.KindSend || h.instances[d.Instance] != w.victim || d.Time.Before(w.broken.Add(-lease)) {
			continue
		}
		for _, tradeNo := range d.TradeNos {
			if next, open := h.next(tradeNo, w); open && next.Sub(w.broken) > took {
				took, about, ok = next.Sub(w.broken), tradeNo, true
			}
		}
	}
	return took, about, ok
}

// next is when somebody else first dealt with a payout after an instance's end; false if
// it was over by then.
func (h *history) next(tradeNo string, w wait) (next time.Time, open bool) {
	next = w.broken.Add(time.Hour) // nobody ever did
	for _, at := range h.results[tradeNo] {
		if !at.After(w.broken) {
			return next, false
		}
		next = earlier(next, at)
	}
	for _, a := range h.answers[tradeNo] {
		if a.at.After(w.broken) && a.log != w.victim {
			next = earlier(next, a.at)
		}
	}
	return next, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// recoveries measures all of them: the worst of each kind is told, and a problem if it
// broke its limit.
func (r *run) recoveries(h history) (told []string) {
	worst := map[string]time.Duration{}
	count := map[string]int{}
	for _, w := range r.waits {
		took, about, ok := h.measure(w)
		if !ok {
			continue
		}
		r.say("   recovery: %s %.2f s after %s %s", w.kind, took.Seconds(), w.since.UTC().Format("15:04:05.000"), about)
		count[w.kind]++
		worst[w.kind] = max(worst[w.kind], took)
		if w.limit > 0 && took > w.limit {
			r.problem("recovery: %s after %.2f s, the limit is %s %s", w.kind, took.Seconds(), w.limit, about)
		}
	}
	for kind, took := range worst {
		told = append(told, fmt.Sprintf("%s ≤ %.1f s (%d×)", kind, took.Seconds(), count[kind]))
	}
	slices.Sort(told)
	return told
}
