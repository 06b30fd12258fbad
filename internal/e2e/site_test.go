//go:build real

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

var (
	brokers = os.Getenv("DISBURSER_KAFKA")
	redisAt = os.Getenv("DISBURSER_REDIS")
	program string // the built disburser
)

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if brokers == "" || redisAt == "" {
		fmt.Fprintln(os.Stderr, "e2e: DISBURSER_KAFKA and DISBURSER_REDIS must say where real servers are; make test-real starts some")
		return 1
	}
	dir, err := os.MkdirTemp("", "disburser-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "disburser")
	if err := harness.Build(context.Background(), "../..", dir, "cmd/disburser"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// The secrets of the two merchants: no log may ever show them.
const (
	secretEG = "e2e-secret-of-egypt-4711"
	secretBR = "e2e-secret-of-brazil-0815"
)

var merchantNos = map[string]string{"eg-main": "0000000001", "br-main": "0000000002"}

// site is what one test has for itself: topics, a namespace, a group and a provider.
type site struct {
	t      *testing.T
	id     string
	topics trial.Topics
	client *kafka.Client
	sim    *paysim.Sim
	params params
}

// params are the parts of the configuration that tests differ in.
type params struct {
	Kafka, MasterName       string
	User, Password          string // of Redis, and the sentinels' password
	Redis                   []string
	Shards                  int
	Rate, QueryRate         float64
	Burst                   int
	Drain, Session, Timeout time.Duration
	Lease                   time.Duration // 0 = the default
	Topics                  trial.Topics
	ID, BaseURL             string
	SecretEG, SecretBR      string
}

// newSite makes topics and a provider that behaves like that.
func newSite(t *testing.T, eg, br paysim.Behavior) *site {
	t.Helper()
	var raw [4]byte
	_, _ = rand.Read(raw[:])
	id := "e2e-" + hex.EncodeToString(raw[:])
	s := &site{
		t: t, id: id, client: &kafka.Client{Addr: kafka.TCP(brokers)},
		topics: trial.Topics{Commands: id + ".commands", Results: id + ".results", Decisions: id + ".decisions", DeadLetter: id + ".dead-letter", Actions: id + ".actions"},
	}
	s.sim = paysim.New(paysim.Config{Seed: 7, Repeat: paysim.PayAgain, Merchants: []paysim.Merchant{
		{Country: "egypt", MerchantNo: merchantNos["eg-main"], Secret: secretEG, BasePath: "/egy-pay", Behavior: &eg},
		{Country: "brazil", MerchantNo: merchantNos["br-main"], Secret: secretBR, BasePath: "/brz-pay", Behavior: &br},
	}})
	server := httptest.NewServer(s.sim.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.params = params{
		Kafka: brokers, Redis: []string{redisAt}, Shards: 1, Rate: 400, QueryRate: 800, Burst: 40, Drain: 5 * time.Second, Session: 6 * time.Second,
		Timeout: 2 * time.Second, Topics: s.topics, ID: id, BaseURL: server.URL, SecretEG: secretEG, SecretBR: secretBR,
	}
	return s
}

// createTopics makes all topics but those that are left out.
func (s *site) createTopics(without ...string) {
	s.t.Helper()
	partitions := map[string]int{s.topics.Commands: 6, s.topics.Results: 3, s.topics.Decisions: 3, s.topics.DeadLetter: 2, s.topics.Actions: 1}
	for _, topic := range without {
		delete(partitions, topic)
	}
	if err := harness.CreateTopics(s.t.Context(), s.client, partitions, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "-1"}); err != nil {
		s.t.Fatal(err)
	}
}

// file is the configuration that the programs of this site run with.
var file = template.Must(template.New("config").Parse(`
kafka:
  brokers: ["{{.Kafka}}"]
  group: {{.ID}}
  session_timeout: {{.Session}}
  topics: {commands: {{.Topics.Commands}}, results: {{.Topics.Results}}, decisions: {{.Topics.Decisions}}, dead_letter: {{.Topics.DeadLetter}}, actions: {{.Topics.Actions}}}
redis:
  addresses: [{{range .Redis}}"{{.}}", {{end}}]
  master_name: "{{.MasterName}}"
  username: "{{.User}}"
  password: "{{.Password}}"
  sentinel_password: "{{.Password}}"
  namespace: {{.ID}}
  shards: {{.Shards}}
merchants:
  eg-main:
    country: egypt
    base_url: {{.BaseURL}}/egy-pay
    merchant_no: "0000000001"
    secret: "{{.SecretEG}}"
    notify_url: https://merchant.test/notify
    currency: EGP
    timeout: {{.Timeout}}
    send: {rate: {{.Rate}}, burst: {{.Burst}}}
    query: {rate: {{.QueryRate}}, burst: {{.Burst}}}
    poll: {first: 500ms, factor: 1.5, max: 2s}
    no_record: {answers: 3, every: 1s, then: resend}   # the simulator's no-record is the truth
  br-main:
    country: brazil
    base_url: {{.BaseURL}}/brz-pay
    merchant_no: "0000000002"
    secret: "{{.SecretBR}}"
    notify_url: https://merchant.test/notify
    currency: BRL
    timeout: {{.Timeout}}
    send: {rate: {{.Rate}}, burst: {{.Burst}}}
    query: {rate: {{.QueryRate}}, burst: {{.Burst}}}
    poll: {first: 500ms, factor: 1.5, max: 2s}
    no_record: {answers: 3, every: 1s, then: resend}
unknown_merchant_grace: 2s
disburse: {drain: {{.Drain}}{{if .Lease}}, lease: {{.Lease}}{{end}}}
admin: {listen: "127.0.0.1:0"}
log: {level: debug}   # whatever must not be logged, must not be logged here either
`))

// writeConfig writes the configuration and answers its name.
func (s *site) writeConfig() string {
	s.t.Helper()
	var text strings.Builder
	if err := file.Execute(&text, s.params); err != nil {
		s.t.Fatal(err)
	}
	name := filepath.Join(s.t.TempDir(), "disburser.yaml")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// publish sends commands.
func (s *site) publish(lines []string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	if err := trial.Publish(ctx, []string{brokers}, nil, s.topics.Commands, lines); err != nil {
		s.t.Fatal(err)
	}
}

// watch gathers the results until the test ends.
func (s *site) watch() *trial.Watcher {
	w := trial.NewWatcher(s.client, s.topics)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return w
}

// settled waits until every payout has a final result and every dead letter is there.
func (s *site) settled(w *trial.Watcher, e trial.Expected, limit time.Duration) {
	s.t.Helper()
	until(s.t, limit, "everything is settled", func() bool {
		finals, letters := w.Progress()
		return finals >= len(e.TradeNos) && letters >= e.Letters
	})
}

// judge fails the test unless all is well.
func (s *site) judge(w *trial.Watcher, e trial.Expected) trial.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := w.CatchUp(ctx); err != nil {
		s.t.Fatal(err)
	}
	r := w.Judge(e, s.sim.Ledger(), merchantNos)
	for i, problem := range append(r.Problems, r.Open...) {
		if i == 20 {
			s.t.Errorf("… and more: %d problems, %d open", len(r.Problems), len(r.Open))
			break
		}
		s.t.Error(problem)
	}
	s.t.Logf("%d payouts %v, %d dead letters %v, %d+%d repeats", len(e.TradeNos), r.Rows, r.Letters, r.Codes, r.Repeats, r.LetterRepeats)
	return r
}

// until polls real servers for a condition.
func until(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	if err := harness.Until(context.Background(), limit, what, condition); err != nil {
		t.Fatal(err)
	}
}
