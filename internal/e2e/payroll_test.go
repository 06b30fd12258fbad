//go:build real

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/trial"
	"disburser/message"
	"disburser/paypro/paysim"
)

// The provider loses one reply in a hundred, fails late as often, and doesn't know itself
// as often. Refusals are Brazil's alone, so that there absence is proof (failed) and
// elsewhere the reason to send again.
var (
	losing = paysim.Behavior{
		Latency: 5 * time.Millisecond, LatencyMax: 60 * time.Millisecond, SettleMin: 50 * time.Millisecond, SettleMax: 4 * time.Second,
		Failed: 0.03, Partial: 0.02, LostReply: 0.01, LateError: 0.01, Outer5000: 0.01, EarlyError: 0.01,
	}
	refusing = paysim.Behavior{
		Latency: 5 * time.Millisecond, LatencyMax: 60 * time.Millisecond, SettleMin: 50 * time.Millisecond, SettleMax: 4 * time.Second,
		Failed: 0.03, Partial: 0.02, Refused: 0.02, QueryError: 0.01, QueryLost: 0.01,
	}
	perfect = paysim.Behavior{}
)

func TestAPayrollGoesThroughTwoProcesses(t *testing.T) {
	s := newSite(t, losing, refusing)
	s.createTopics()
	w := s.watch()
	one, two := s.start(), s.start()
	one.ready(20 * time.Second)
	two.ready(20 * time.Second)
	lines := trial.Payroll(s.id+"-", 3, 2000)
	began := time.Now()
	s.publish(lines)
	e := trial.Expect(lines)
	s.settled(w, e, 60*time.Second)
	t.Logf("settled in %s", time.Since(began).Round(time.Millisecond))

	var metrics []byte
	for _, p := range []*process{one, two} {
		if status, body := p.get("/readyz"); status != http.StatusOK {
			t.Errorf("/readyz answers %d while running: %s", status, body)
		}
		if status, _ := p.get("/healthz"); status != http.StatusOK {
			t.Errorf("/healthz answers %d while running", status)
		}
		_, text := p.get("/metrics")
		wantMetrics(t, text)
		metrics = append(metrics, text...)
	}
	one.terminate()
	two.terminate()
	s.judge(w, e)
	if !bytes.Contains(one.Printed(), []byte(`"partitions":[`)) || !bytes.Contains(two.Printed(), []byte(`"partitions":[`)) {
		t.Error("one of the instances had no part in it")
	}
	find := needles(lines)
	find.in(t, "what the first one printed", one.Printed())
	find.in(t, "what the second one printed", two.Printed())
	find.in(t, "the metrics", metrics)
	for _, l := range w.Letters() {
		for _, h := range message.EncodeDeadLetter(l).Headers {
			find.in(t, "the dead letters' header "+h.Key, h.Value)
		}
	}
}

// names that dashboards rely on.
var names = strings.Fields(`disburser_intake_total disburser_open_payouts disburser_oldest_open_seconds
	disburser_provider_requests_total disburser_provider_request_seconds_bucket disburser_results_total disburser_payout_seconds_bucket
	disburser_breaker_state disburser_rate_tokens_total disburser_slots disburser_intake_lag disburser_safe_mark_lag
	disburser_safe_mark_age_seconds disburser_epoch disburser_journal_seconds_bucket`)

func wantMetrics(t *testing.T, text []byte) {
	t.Helper()
	for _, name := range names {
		if !bytes.Contains(text, []byte("\n"+name+"{")) && !bytes.Contains(text, []byte("\n"+name+" ")) {
			t.Errorf("/metrics has no sample of %s", name)
		}
	}
}

// sum adds the samples of a counter that carry a label.
func sum(t *testing.T, text []byte, name, label string) (total int) {
	t.Helper()
	samples := regexp.MustCompile(`(?m)^` + name + `\{[^}]*` + regexp.QuoteMeta(label) + `[^}]*\} (\S+)$`)
	for _, m := range samples.FindAllSubmatch(text, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		total += int(v)
	}
	return total
}

// Each payout comes three times, in partitions of both instances: twice the same, and
// once with another amount. Whatever comes first is paid; all else is counted.
func TestDuplicatesAndConflictsAcrossInstances(t *testing.T) {
	const n = 200
	s := newSite(t, perfect, perfect)
	s.createTopics()
	w := s.watch()
	one, two := s.start(), s.start()
	one.ready(20 * time.Second)
	two.ready(20 * time.Second)
	until(t, 20*time.Second, "both instances have partitions", func() bool {
		_, a := one.get("/metrics")
		_, b := two.get("/metrics")
		return bytes.Contains(a, []byte("disburser_intake_lag{")) && bytes.Contains(b, []byte("disburser_intake_lag{"))
	})
	s.scatter(n)
	until(t, 40*time.Second, "all of it is taken in and settled", func() bool {
		finals, _ := w.Progress()
		return finals == n && s.intake(one, two, "new", "duplicate", "conflict") == 3*n
	})
	one.terminate()
	two.terminate()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		tradeNo := fmt.Sprintf("%s-%d", s.id, i)
		if paid := s.sim.Ledger().Executed(merchantNos["eg-main"], tradeNo); paid != 1 {
			t.Errorf("%s: paid %d times", tradeNo, paid)
		}
		if seen := w.Results(tradeNo); len(seen) != 1 {
			t.Errorf("%s: %d results", tradeNo, len(seen))
		}
	}
	if _, letters := w.Progress(); letters < n || letters > 2*n {
		t.Errorf("%d conflicts for %d payouts with one other amount each", letters, n)
	}
}

// scatter writes the copies of each payout into partitions that follow each other.
func (s *site) scatter(n int) {
	s.t.Helper()
	for partition := range 6 {
		var messages []kafka.Record
		for i := range n {
			copyNo := (partition - i%6 + 6) % 6
			if copyNo > 2 {
				continue
			}
			amount := map[bool]string{true: "300", false: "301"}[copyNo != 1]
			messages = append(messages, kafka.Record{Value: kafka.NewBytes(fmt.Appendf(nil,
				`{"tradeNo": "%s-%d", "merchant": "eg-main", "amount": "%s", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`, s.id, i, amount))})
		}
		_, err := s.client.Produce(s.t.Context(), &kafka.ProduceRequest{
			Topic: s.topics.Commands, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(messages...),
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// intake adds outcomes over two instances.
func (s *site) intake(one, two *process, outcomes ...string) (total int) {
	s.t.Helper()
	for _, p := range []*process{one, two} {
		_, text := p.get("/metrics")
		for _, outcome := range outcomes {
			total += sum(s.t, text, "disburser_intake_total", `outcome="`+outcome+`"`)
		}
	}
	return total
}
