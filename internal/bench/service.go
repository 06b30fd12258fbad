package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"disburser/internal/harness"
)

// service are the settings of an instance that parts differ in; what is zero is default.
type service struct {
	Rate, QueryRate float64
	Burst           int
	First           time.Duration // poll.first
	Plain           bool          // without poll.learn; only with First
	Timeout         time.Duration
	Lease           time.Duration
	MaxOpen         int
	Session         time.Duration
	OpenFor         time.Duration
	Slots           int
}

// unlimited is a production configuration, but for the provider's limits. They are many times
// what two cores can do, and the burst lets a moment be used 100 ms late.
func unlimited() service {
	return service{
		Rate: 50_000, QueryRate: 50_000, Burst: 5000, First: 50 * time.Millisecond, Timeout: 10 * time.Second,
		Lease: 30 * time.Second, MaxOpen: 2_000_000, Session: 10 * time.Second, OpenFor: 10 * time.Second, Slots: 128,
	}
}

var configuration = template.Must(template.New("config").Parse(`
kafka:
  brokers: ["{{.Kafka}}"]
  group: {{.ID}}
{{- with .Session}}
  session_timeout: {{.}}
{{- end}}
  topics: {commands: {{.Topics.Commands}}, results: {{.Topics.Results}}, decisions: {{.Topics.Decisions}}, dead_letter: {{.Topics.DeadLetter}}, actions: {{.Topics.Actions}}}
redis: {addresses: ["{{.Redis}}"], namespace: bench}
merchants:
{{- range $name, $m := .Merchants}}
  {{$name}}:
    country: egypt
    base_url: http://{{$.Provider}}{{$m.Path}}
    merchant_no: "{{$m.No}}"
    secret: "{{$.Secret}}"
    notify_url: https://merchant.test/notify
{{- with $.Timeout}}
    timeout: {{.}}
{{- end}}
    send: {rate: {{$.Rate}}{{with $.Burst}}, burst: {{.}}{{end}}}
    query: {rate: {{$.QueryRate}}{{with $.Burst}}, burst: {{.}}{{end}}}
{{- with $.First}}
    poll: {first: {{.}}{{if $.Plain}}, learn: false{{end}}}
{{- end}}
{{- end}}
{{- with .OpenFor}}
breaker: {open_for: {{.}}}
{{- end}}
disburse: {drain: 5s{{with .Slots}}, slots: {{.}}{{end}}{{with .Lease}}, lease: {{.}}{{end}}{{with .MaxOpen}}, max_open: {{.}}{{end}}}
admin: {listen: "127.0.0.1:0", token: "{{.Secret}}"}
`))

// configure writes a configuration and answers its file.
func (t *site) configure(s service) (string, error) {
	var text bytes.Buffer
	err := configuration.Execute(&text, struct {
		service
		*site
		Kafka, Redis, ID, Provider, Secret string
		Topics                             any
		Merchants                          accounts
	}{s, t, t.Kafka, t.Redis, t.id, t.provider.Address, secret, t.topics, t.accounts})
	if err != nil {
		return "", err
	}
	return t.file(), os.WriteFile(t.file(), text.Bytes(), 0o600)
}

// file is where the configuration stands.
func (t *site) file() string { return filepath.Join(t.dir, "disburser.yaml") }

// run starts an instance; it is ready only after ready.
func (t *site) run(s service) (*harness.Instance, error) {
	file, err := t.configure(s)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("disburser-%d", len(t.running))
	i, err := harness.StartInstance(name, filepath.Join(t.dir, name+".log"), t.program, file)
	if err != nil {
		return nil, err
	}
	i.Token = secret // for profiles
	t.running = append(t.running, i.Process)
	return i, nil
}

// runReady starts an instance and waits until it is ready.
func (t *site) runReady(ctx context.Context, s service) (*harness.Instance, error) {
	i, err := t.run(s)
	if err != nil {
		return nil, err
	}
	return i, t.ready(ctx, i)
}

func (t *site) ready(ctx context.Context, i *harness.Instance) error {
	err := harness.Until(ctx, 60*time.Second, i.Name+" is ready", func() bool {
		return i.Ready(ctx) || !i.Running()
	})
	if err == nil && !i.Running() {
		err = fmt.Errorf("%s has ended before it was ready", i.Name)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, i.Tail())
	}
	return nil
}

// metric adds up a metric over the label sets that contain all of the given texts.
func metric(ctx context.Context, i *harness.Instance, name string, labels ...string) (sum float64) {
	_, body := i.Get(ctx, "/metrics")
	return sumOf(body, name, labels...)
}

// sumOf is metric of a scrape that is there already.
func sumOf(body []byte, name string, labels ...string) (sum float64) {
lines:
	for line := range strings.Lines(string(body)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if rest, found := strings.CutPrefix(series, name); !found || rest != "" && rest[0] != '{' {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue lines
			}
		}
		f, _ := strconv.ParseFloat(value, 64)
		sum += f
	}
	return sum
}
