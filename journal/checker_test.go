package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
)

// nowhere is _layout.lua's NO_PARTITION.
const nowhere = 999_999

// holds is all that a shard's keys hold, read key by key.
type holds struct {
	records map[string]string
	sets    map[string]map[string]float64 // due and open sets, by the key's end
	memos   map[string]string
	counts  map[string]string
	total   string
	lanes   []string
	parked  map[string]string  // how many of each merchant
	batches []string           // of which payouts are parked
	waited  map[string]string  // undecided ends of actions, for which watermarks wait
	index   map[string]float64 // of due sets, the lower bounds
}

func heldBy(t *testing.T, client redis.UniversalClient, j *Journal) holds {
	t.Helper()
	ctx := context.Background()
	h := holds{records: map[string]string{}, sets: map[string]map[string]float64{}, memos: map[string]string{}}
	var cursor uint64
	for {
		keys, next, err := client.Scan(ctx, cursor, strings.NewReplacer("{", "\\{", "}", "\\}").Replace(j.prefix)+"*", 500).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			name := strings.TrimPrefix(key, j.prefix)
			kind, rest, _ := strings.Cut(name, ":")
			switch kind {
			case "p":
				h.records[rest] = client.Get(ctx, key).Val()
			case "due", "open", "parked":
				if name == "parked" {
					h.parked = client.HGetAll(ctx, key).Val()
					continue
				}
				h.sets[name] = map[string]float64{}
				for _, z := range client.ZRangeWithScores(ctx, key, 0, -1).Val() {
					h.sets[name][fmt.Sprint(z.Member)] = z.Score
				}
			case "memo":
				maps.Copy(h.memos, client.HGetAll(ctx, key).Val())
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	h.counts = client.HGetAll(ctx, j.prefix+"count").Val()
	h.total = client.Get(ctx, j.prefix+"total").Val()
	h.index = map[string]float64{}
	for _, z := range client.ZRangeWithScores(ctx, j.prefix+"lanes", 0, -1).Val() {
		h.index["due:"+fmt.Sprint(z.Member)] = z.Score
	}
	h.batches = client.ZRange(ctx, j.prefix+"parkings", 0, -1).Val()
	h.waited = client.HGetAll(ctx, j.prefix+"undecided").Val()
	h.lanes = client.SMembers(ctx, j.prefix+"merchants").Val()
	return h
}

// checks recomputes counts, sets and the total from all records and compares.
func checks(t *testing.T, client redis.UniversalClient, j *Journal) holds {
	t.Helper()
	h := heldBy(t, client, j)
	counts, open, parked := map[string]int{}, map[string]map[string]float64{}, map[string]int{}
	for tradeNo, record := range h.records {
		p, err := decode(tradeNo, record)
		if err != nil {
			t.Error(err)
			continue
		}
		lane, _, _ := strings.Cut(record[headLen:], "\n")
		counts[lane+"\n"+string(p.State)]++
		if !slices.Contains(h.lanes, lane) {
			t.Errorf("%s: the lane %q is not among the merchants %q: the safe mark would not see it", tradeNo, lane, h.lanes)
		}
		if memo := h.memos[tradeNo]; memo != "" && memo[0] != 'S' && memo[0] != 's' { // a send that a rebuild learned of stays remembered
			t.Errorf("%s is open and remembered as ended: %q", tradeNo, h.memos[tradeNo])
		}
		contentless := p.Source.Partition == nowhere
		if !contentless {
			set := fmt.Sprintf("open:%d:%s", p.Source.Partition, lane)
			if open[set] == nil {
				open[set] = map[string]float64{}
			}
			open[set][tradeNo] = float64(p.Source.Offset)
		}
		if p.State.Final() && p.Step != payout.StepAnnounce || p.State == payout.StateSending && p.Step != payout.StepAsk {
			t.Errorf("%s is %v and waits to %v", tradeNo, p.State, p.Step)
		}
		if p.Step == payout.StepParked {
			parked[lane]++
			if p.State != payout.StateReceived {
				t.Errorf("%s is parked and %v", tradeNo, p.State)
			}
			if _, batch, _ := strings.Cut(setOf(record), ":"); !slices.Contains(h.batches, batch) {
				t.Errorf("%s is parked, and %q isn't listed: nobody would bring it back", tradeNo, batch)
			}
		}
		_, waits := h.sets[setOf(record)][tradeNo]
		_, expires := h.sets["due:x"][tradeNo]
		switch silent := contentless && p.Step != payout.StepAsk; {
		case silent && (waits || expires):
			t.Errorf("%s has no content and waits to %v", tradeNo, p.Step)
		case !silent && !waits && !(p.State == payout.StateReceived && p.Step != payout.StepParked && expires):
			t.Errorf("%s (%v, %v) waits in no set: it is stuck", tradeNo, p.State, p.Step)
		}
	}
	for tradeNo := range h.waited {
		if record := h.records[tradeNo]; record == "" || record[flagsAt] != personEnd {
			t.Errorf("watermarks wait for the end of %s, which no person has ended: %q", tradeNo, record)
		}
	}
	for merchant, n := range h.parked {
		if n != strconv.Itoa(parked[merchant]) {
			t.Errorf("%s parked payouts of %q are counted, and there are %d", n, merchant, parked[merchant])
		}
	}
	if len(parked) != len(h.parked) {
		t.Errorf("of %v merchants payouts are parked, and there are some of %v", h.parked, parked)
	}
	for field, n := range h.counts {
		if n != "0" && n != strconv.Itoa(counts[field]) {
			t.Errorf("the count of %q is %s, and there are %d", field, n, counts[field])
		}
	}
	for field, n := range counts {
		if h.counts[field] != strconv.Itoa(n) {
			t.Errorf("the count of %q is %q, and there are %d", field, h.counts[field], n)
		}
	}
	if n, _ := strconv.Atoi(h.total); n != len(h.records) {
		t.Errorf("the total is %q, and there are %d", h.total, len(h.records))
	}
	for name, members := range h.sets {
		if strings.HasPrefix(name, "open:") {
			if !maps.Equal(members, open[name]) {
				t.Errorf("%s holds %v, want %v", name, members, open[name])
			}
			continue
		}
		for tradeNo, due := range members {
			if bound, listed := h.index[name]; strings.HasPrefix(name, "due:") && (!listed || bound > due) {
				t.Errorf("%s comes due in %s at %.0f, and the index of lanes says %.0f (%v): it would wait for ever", tradeNo, name, due, bound, listed)
			}
			record, found := h.records[tradeNo]
			if !found {
				t.Errorf("%s holds %s, which isn't open", name, tradeNo)
				continue
			}
			if name != setOf(record) && !(record[stateAt] == 'r' && name == "due:x") {
				t.Errorf("%s holds %s, which is %q and waits to %q", name, tradeNo, record[stateAt], record[stepAt])
			}
		}
	}
	for name := range open {
		if h.sets[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	return h
}

// setOf is the set in which a record's payout waits.
func setOf(record string) string {
	lines := strings.SplitN(record[headLen:], "\n", 3)
	if step := payout.Step(record[stepAt]); step != payout.StepParked {
		return dueSet(step, lines[0])
	}
	return "parked:" + lines[0] + "\n" + lines[1]
}

func dueSet(step payout.Step, lane string) string {
	if step == payout.StepSend || step == payout.StepAsk {
		return "due:" + string(step) + ":" + lane
	}
	return "due:" + string(step)
}
