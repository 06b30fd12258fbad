package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// marks checks each committed offset. Everything before it had ended and was announced by then,
// or had been carried forward to a later offset.
func (o *oracle) marks() {
	told := map[string]bool{}
	again := map[string][]time.Time{} // when a payout was carried forward
	for _, m := range o.commands {
		if m.carried {
			again[m.tradeNos[0]] = append(again[m.tradeNos[0]], m.at)
		}
	}
	for _, c := range o.commits {
		for _, m := range o.commands {
			if m.partition != c.partition || m.offset >= c.offset {
				continue
			}
			for _, tradeNo := range m.tradeNos {
				r, ended := o.final(tradeNo)
				if slices.ContainsFunc(again[tradeNo], func(at time.Time) bool { return at.After(m.at) && !at.After(c.at) }) {
					continue
				}
				if (!ended || r.at.After(c.at)) && !told[tradeNo] {
					told[tradeNo] = true
					o.violated(safeMark, tradeNo, "offset %d of partition %d was committed at %s, its command stands at %d", c.offset, c.partition, since(c.at), m.offset)
				}
			}
		}
	}
}

// behind lists the partitions that aren't committed up to the first command of what is still held. At the end there
// are none: nothing that ended is lost in the journal.
func (o *oracle) behind() (why []string) {
	want, have, carried := map[int]int64{}, map[int]int64{}, map[string]command{}
	for _, m := range o.commands {
		want[m.partition] = max(want[m.partition], m.offset+1)
		if m.carried {
			carried[m.tradeNos[0]] = m
		}
	}
	for _, m := range o.commands {
		for _, tradeNo := range m.tradeNos {
			again, moved := carried[tradeNo]
			if _, ended := o.final(tradeNo); !ended && (!moved || again.partition == m.partition && again.offset == m.offset) {
				want[m.partition] = min(want[m.partition], m.offset)
			}
		}
	}
	for _, c := range o.commits {
		have[c.partition] = max(have[c.partition], c.offset)
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if have[p] < want[p] {
			why = append(why, fmt.Sprintf("partition %d is committed up to %d, and nothing is open before %d", p, have[p], want[p]))
		}
	}
	return why
}
