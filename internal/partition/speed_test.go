package partition_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
)

// BenchmarkReader reads commands of 300 bytes in batches of 500, as a payroll comes.
func BenchmarkReader(b *testing.B) {
	k := kafkatest.Start(b, map[string]int{"t": 1})
	const batches, each = 40, 500
	for i := range batches {
		records := make([]kafka.Record, each)
		for j := range records {
			records[j] = kafkatest.Record(fmt.Sprint("key", i, j), fmt.Sprintf("%0300d", i*each+j))
		}
		k.Write(b, "t", 0, records...)
	}
	for range b.N {
		r := &partition.Reader{Source: partition.Source{Client: k.Client, Topic: "t"}}
		for at := int64(0); at < batches*each; {
			page, err := r.Next(context.Background(), at, wait)
			if err != nil || page.Next == at {
				b.Fatal(at, err)
			}
			at = page.Next
		}
	}
	b.ReportMetric(float64(batches*each*b.N)/b.Elapsed().Seconds(), "records/s")
}
