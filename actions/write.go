package actions

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/payout/acts"
)

// writeAgain is the pause before an action is written once more.
const writeAgain = 300 * time.Millisecond

// Write writes an action's record, and answers its offset once all in-sync replicas have it. Until ctx ends it
// tries again: a copy of an action is nothing (protocol A1). After an error nobody knows whether it is written.
func Write(ctx context.Context, client *kafka.Client, topic string, r acts.Record) (offset int64, err error) {
	record := kafka.Record{Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value)}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, kafka.Header{Key: h.Name, Value: h.Value})
	}
	for {
		res, failed := client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: Number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(record),
		})
		if failed == nil {
			failed = res.Error
		}
		if failed == nil {
			return res.BaseOffset, nil
		}
		if err == nil || ctx.Err() == nil { // the first one says more than that time is over
			err = fmt.Errorf("write the action %s to %s: not acknowledged: %w", r.Key, topic, failed)
		}
		if pause(ctx, writeAgain); ctx.Err() != nil {
			return 0, err
		}
		record.Key, record.Value = kafka.NewBytes(r.Key), kafka.NewBytes(r.Value) // the last try has read them
	}
}
