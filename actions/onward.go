package actions

import (
	"context"
	"time"

	"disburser/internal/partition"
	"disburser/payout/acts"
)

// onwardWait is how long a fetch waits for more records.
const onwardWait = 500 * time.Millisecond

// Onward reads the topic from an offset on, and shows each record that can be obeyed. It ends when seen answers that
// it is enough, or with ctx. What Kafka doesn't answer is tried again; the error is the last one.
func Onward(ctx context.Context, c Config, from int64, seen func(acts.Action) (enough bool)) error {
	source := partition.Source{Client: c.Client, Topic: c.Topic, Partition: Number}
	reader := partition.Reader{Source: source}
	defer reader.Release()
	var last error
	for ctx.Err() == nil {
		page, err := reader.Next(ctx, from, onwardWait)
		if err != nil {
			if ctx.Err() == nil {
				last = err
			}
			pause(ctx, writeAgain)
			continue
		}
		for _, r := range page.Records {
			if r.Offset < from {
				continue
			}
			record := acts.Record{Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, acts.Header{Name: h.Key, Value: h.Value})
			}
			if a, result, _ := acts.Parse(record, c.Rules.Keys); result == acts.Obeyed && seen(a) {
				return nil
			}
		}
		from = max(from, page.Next)
	}
	if last != nil {
		return last
	}
	return ctx.Err()
}
