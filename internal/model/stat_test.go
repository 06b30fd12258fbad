package model

import (
	"fmt"
	"sort"
	"testing"
)

func TestStat(t *testing.T) {
	o := options{faults: *faults, epochs: *epochs, late: *late_, expiry: *expiry, busy: *busy, mark: *mark, off: guard(*off)}
	r := newRun(o, *limit)
	r.search()
	count := map[string]map[string]int{}
	inc := func(k, v string) {
		if count[k] == nil {
			count[k] = map[string]int{}
		}
		count[k][v]++
	}
	for i := range r.seen.len() {
		s := r.seen.key(uint32(i)).unpack()
		inc("keep", fmt.Sprint(s.instance[0].keep, s.instance[1].keep))
		inc("work", fmt.Sprint(s.instance[0].work))
		inc("belief", fmt.Sprint(s.instance[0].belief, s.instance[1].belief))
		inc("epochs", fmt.Sprint(s.epochs))
		inc("logs", fmt.Sprintf("%o", s.log))
		inc("log0", fmt.Sprintf("%o", s.log[0]))
		inc("fence", fmt.Sprint(s.fence))
		inc("state", fmt.Sprint(s.redis[0].state, s.redis[1].state, s.redis[2].state))
		inc("kinds", fmt.Sprint(s.redis[0].kind, s.redis[1].kind, s.redis[2].kind))
		inc("mark", fmt.Sprint(s.redis[0].mark, s.redis[1].mark, s.redis[2].mark))
		inc("ep", fmt.Sprint(s.redis[0].epoch, s.redis[1].epoch, s.redis[0].building, s.redis[1].building))
		inc("paidsaid", fmt.Sprint(s.paid, s.said))
		inc("marking", fmt.Sprint(s.marker))
		inc("late", fmt.Sprint(s.late))
	}
	for k, m := range count {
		var l []string
		for v := range m {
			l = append(l, v)
		}
		sort.Slice(l, func(i, j int) bool { return m[l[i]] > m[l[j]] })
		line := ""
		for _, v := range l[:min(len(l), 14)] {
			line += fmt.Sprintf(" %s:%d%%", v, 100*m[v]/r.seen.len())
		}
		t.Log(k, len(l), line)
	}
}
