package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"disburser/internal/trial"
	"disburser/message"
)

// reasons says of one's own commands why they were rejected, failed, or became dead
// letters.
func (s *screen) reasons(w *world, e trial.Expected) {
	var all [][2]string
	for _, tradeNo := range slices.Sorted(maps.Keys(e.TradeNos)) {
		for _, seen := range w.watcher.Results(tradeNo) {
			switch event := seen.Event; event.Type {
			case message.EventRejected:
				all = append(all, [2]string{"rejected", tradeNo + ": " + event.Reason})
			case message.EventFailed:
				all = append(all, [2]string{"failed", tradeNo + ": " + cmp.Or(event.Reason, event.Status+" "+event.StatusText)})
			case message.EventPaid, message.EventPartial, message.EventHeld: // nothing to correct
			}
		}
	}
	all = append(all, why(w.watcher.Letters())...)
	for i, r := range all {
		if i == most {
			s.line("  … and %d more", len(all)-most)
			break
		}
		s.line("  %s %s", s.in(red, r[0]), r[1])
	}
	if len(all) > 0 {
		s.line("")
	}
}

// why explains dead letters, in the order of the file's lines.
func why(letters []message.DeadLetter) (all [][2]string) {
	line := func(d message.DeadLetter) int {
		n, _ := strconv.Atoi(message.Message{Headers: d.Headers}.Header(trial.LineHeader))
		return n
	}
	slices.SortFunc(letters, func(a, b message.DeadLetter) int {
		return cmp.Or(cmp.Compare(line(a), line(b)), cmp.Compare(a.Index, b.Index))
	})
	for _, d := range letters {
		where := "line " + strconv.Itoa(line(d))
		if d.Index >= 0 {
			where += ", index " + strconv.Itoa(d.Index) + " of its payouts"
		}
		all = append(all, [2]string{"dead letter", where + ": " + string(d.Code) + ": " + d.Reason})
	}
	return all
}
