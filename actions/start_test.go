package actions

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// BenchmarkStart measures what a start costs that reads many actions: parsing and folding, without Kafka.
func BenchmarkStart(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("ACTIONS"))
	n = max(n, 10_000)
	key := secrets.New("a key of thirty-two bytes or more")
	records := make([]acts.Record, n)
	for i := range records {
		scope := acts.Scope{Kind: acts.Payout, Name: fmt.Sprintf("20261125-%06d", i/2)}
		r, err := acts.Write(acts.Action{ID: fmt.Sprintf("01KAX3V0G5T2M4R8W6Y7%06d", i), Kind: []acts.Kind{acts.Pause, acts.Resume}[i%2], Scope: scope, By: "alice", Reason: "the amounts of this file are wrong", Time: time.Now()}, key)
		if err != nil {
			b.Fatal(err)
		}
		r.Offset = int64(i)
		records[i] = r
	}
	b.ReportAllocs()
	for b.Loop() {
		f := acts.NewFold(acts.Rules{Keys: acts.Keys{Current: key}})
		for _, r := range records {
			f.Take(r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/action")
}
