package decisions

import (
	"context"
	"fmt"

	"disburser/payout/epochs"
)

// Unfenced looks at every partition of the decisions up to its end. It answers nil if no foreign fence stands there:
// then everything that this Redis held before the call is true (protocol A5). An error that wraps epochs.ErrOver says
// that the epoch is over.
func (l *Log) Unfenced(ctx context.Context, epoch string) error {
	l.mu.Lock()
	current, looked := l.epoch, l.all
	l.mu.Unlock()
	if current.ID == "" || current.ID != epoch {
		return fmt.Errorf("decisions: look for a fence: %w: it was left", epochs.ErrOver)
	}
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	ends := make(map[int]int64, len(looked))
	for p, from := range looked { // a later epoch fences all of them before it opens, and others besides
		end, err := l.source(p).Latest(ctx)
		if err != nil {
			return fmt.Errorf("decisions: look for a fence: %w", err)
		}
		if end.Offset < from {
			return fmt.Errorf("decisions: look for a fence: %s/%d ends at %d, and was read up to %d", l.topic, p, end.Offset, from)
		}
		seen, err := survey(ctx, l.source(p), l.shard, epoch, from, end.Offset)
		if err != nil {
			return fmt.Errorf("decisions: look for a fence: %w", err)
		}
		if seen.fenced {
			return fmt.Errorf("decisions: %w: a later epoch has fenced %s/%d", epochs.ErrOver, l.topic, p)
		}
		ends[p] = end.Offset
	}
	l.saw(current, ends)
	return nil
}
