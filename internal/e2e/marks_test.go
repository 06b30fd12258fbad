//go:build real

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/trial"
)

// committed answers what the group has committed of each partition, -1 for nothing.
func (s *site) committed() map[int]int64 {
	s.t.Helper()
	res, err := s.client.OffsetFetch(s.t.Context(), &kafka.OffsetFetchRequest{
		GroupID: s.id, Topics: map[string][]int{s.topics.Commands: {0, 1, 2, 3, 4, 5}},
	})
	if err != nil || res.Error != nil {
		s.t.Fatal(err, res)
	}
	offsets := map[int]int64{}
	for _, p := range res.Topics[s.topics.Commands] {
		offsets[p.Partition] = p.CommittedOffset
	}
	return offsets
}

// On a real broker too the committed offset stands at the first open payout and not behind it,
// although everything around that payout has ended. When it ends, the offset follows.
func TestCommittedOffsetsNeverPassAnOpenPayout(t *testing.T) {
	const partitions, each, sticks = 6, 40, 7
	s := newSite(t, perfect, perfect)
	s.createTopics()
	w := s.watch()
	one, two := s.start(), s.start()
	one.ready(20 * time.Second)
	two.ready(20 * time.Second)
	later := time.Now().Add(12 * time.Second)
	for p := range partitions {
		var records []kafka.Record
		for i := range each {
			date := ""
			if i == sticks {
				date = fmt.Sprintf(`, "notBefore": %q`, later.UTC().Format(time.RFC3339Nano))
			}
			records = append(records, kafka.Record{Value: kafka.NewBytes(fmt.Appendf(nil,
				`{"tradeNo": "%s-%d-%d", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}%s}`, s.id, p, i, date))})
		}
		if _, err := s.client.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: s.topics.Commands, Partition: p, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
		}); err != nil {
			t.Fatal(err)
		}
	}
	finals := func() int { n, _ := w.Progress(); return n }
	for time.Until(later) > 100*time.Millisecond {
		for p, offset := range s.committed() {
			if offset > sticks {
				t.Fatalf("partition %d: %d is committed, and the payout at %d is open", p, offset, sticks)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := finals(); n != partitions*(each-1) {
		t.Errorf("%d have ended by then, want all but %d", n, partitions)
	}
	for p, offset := range s.committed() {
		if offset != sticks {
			t.Errorf("partition %d: %d is committed, want %d", p, offset, sticks)
		}
	}
	until(t, 20*time.Second, "the last ones end, and the marks follow", func() bool {
		for _, offset := range s.committed() {
			if offset != each {
				return false
			}
		}
		return finals() == partitions*each
	})
	one.terminate()
	two.terminate()
}

// restart ends a server at once and starts it again on what it has written.
func (r *server) restart() {
	r.t.Helper()
	r.Kill()
	if err := r.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// A restart begins another epoch, and intake goes on where it was: only a wiped journal
// reads commands again.
func TestARestartOfRedisReadsNothingAgain(t *testing.T) {
	s := newSite(t, losing, refusing)
	r := startRedis(t)
	s.params.Redis, s.params.User, s.params.Password = []string{r.Address()}, "disburser", redisPassword
	s.createTopics()
	w := s.watch()
	one, two := s.start(), s.start()
	one.ready(20 * time.Second)
	two.ready(20 * time.Second)
	all := trial.Payroll(s.id+"-", 5, 600)
	lines, e := all, trial.Expect(all)
	half := len(lines) / 2
	s.publish(lines[:half])
	early := trial.Expect(lines[:half])
	taken := func() int { return s.intake(one, two, "new", "rejected") }
	until(t, 30*time.Second, "the first half is in", func() bool { return taken() >= len(early.TradeNos) })
	before := s.intake(one, two, "duplicate")
	r.restart()
	s.publish(lines[half:])
	s.settled(w, e, 60*time.Second)
	until(t, 20*time.Second, "both are ready", func() bool {
		a, _ := one.get("/readyz")
		b, _ := two.get("/readyz")
		return a == 200 && b == 200
	})
	// The payroll repeats some commands itself; those of the second half are counted here.
	if got, most := s.intake(one, two, "duplicate")-before, repeats(lines[half:], lines[:half]); got > most {
		t.Errorf("%d duplicates after the restart, the payroll itself has %d", got, most)
	}
	one.terminate()
	two.terminate()
	s.judge(w, e)
}

// repeats counts what of some lines' payouts stands there twice, or before.
func repeats(lines, before []string) int {
	n := 0
	for _, l := range lines {
		n += len(trial.Expect([]string{l}).TradeNos)
	}
	return n - (len(trial.Expect(append(append([]string(nil), before...), lines...)).TradeNos) - len(trial.Expect(before).TradeNos))
}
