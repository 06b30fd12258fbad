package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// service are the settings of an instance that parts differ in; all else is default.
type service struct {
	Rate, QueryRate float64
	Burst           int
	First           time.Duration // poll.first
	Timeout         time.Duration
	Lease           time.Duration
	MaxOpen         int
	Session         time.Duration
	OpenFor         time.Duration
	Slots           int
}

// unlimited is a production configuration but for the provider's limits: many times
// what two cores do, and a burst that lets a moment be used 100 ms late.
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
  session_timeout: {{.Session}}
  topics: {commands: {{.Topics.Commands}}, results: {{.Topics.Results}}, decisions: {{.Topics.Decisions}}, dead_letter: {{.Topics.DeadLetter}}}
redis: {addresses: ["{{.Redis}}"], namespace: bench}
merchants:
{{- range $name, $m := .Merchants}}
  {{$name}}:
    country: egypt
    base_url: http://{{$.Provider}}{{$m.Path}}
    merchant_no: "{{$m.No}}"
    secret: "{{$.Secret}}"
    notify_url: https://merchant.test/notify
    timeout: {{$.Timeout}}
    send: {rate: {{$.Rate}}, burst: {{$.Burst}}}
    query: {rate: {{$.QueryRate}}, burst: {{$.Burst}}}
    poll: {first: {{$.First}}}
{{- end}}
breaker: {open_for: {{.OpenFor}}}
disburse: {slots: {{.Slots}}, lease: {{.Lease}}, max_open: {{.MaxOpen}}, drain: 5s}
admin: {listen: "127.0.0.1:0"}
`))

type account struct{ Path, No string }

// configure writes a configuration and answers its file.
func (t *site) configure(s service) (string, error) {
	var text bytes.Buffer
	err := configuration.Execute(&text, struct {
		service
		*site
		Kafka, Redis, ID, Provider, Secret string
		Topics                             any
		Merchants                          map[string]account
	}{
		s, t, t.Kafka, t.Redis, t.id, t.provider.address, secret, t.topics,
		map[string]account{"eg-main": {"/a", merchantNos["eg-main"]}, "eg-other": {"/b", merchantNos["eg-other"]}},
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(t.dir, "disburser.yaml")
	return file, os.WriteFile(file, text.Bytes(), 0o600)
}

// instance is a disburser process.
type instance struct {
	*process
	address string // of the admin HTTP, "" until known
}

// run starts an instance; it is ready only after ready.
func (t *site) run(s service) (*instance, error) {
	file, err := t.configure(s)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("disburser-%d", len(t.running))
	p, err := start(name, filepath.Join(t.dir, name+".log"), t.disburser, "run", "--config", file)
	if err != nil {
		return nil, err
	}
	t.running = append(t.running, p)
	return &instance{process: p}, nil
}

// runReady starts an instance and waits until it is ready.
func (t *site) runReady(ctx context.Context, s service) (*instance, error) {
	i, err := t.run(s)
	if err != nil {
		return nil, err
	}
	return i, t.ready(ctx, i)
}

func (t *site) ready(ctx context.Context, i *instance) error {
	err := until(ctx, 60*time.Second, i.name+" is ready", func() bool {
		status, _ := i.get(ctx, "/readyz")
		return status == http.StatusOK || !i.running()
	})
	if err != nil || !i.running() {
		return fmt.Errorf("%w\n%s", err, i.tail())
	}
	return nil
}

var adminLine = regexp.MustCompile(`"address":"([^"]+)"[^\n]*"admin HTTP"`)

// get asks the admin HTTP; nothing comes of it where the process is not there.
func (i *instance) get(ctx context.Context, path string) (status int, body []byte) {
	if i.address == "" {
		text, _ := os.ReadFile(i.log)
		m := adminLine.FindSubmatch(text)
		if m == nil {
			return 0, nil
		}
		i.address = string(m[1])
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.address+path, nil)
	if err != nil {
		return 0, nil
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	body, _ = io.ReadAll(res.Body) // half an answer is as good as none
	return res.StatusCode, body
}

// metric adds up a metric over the label sets that contain all of the given texts.
func (i *instance) metric(ctx context.Context, name string, labels ...string) (sum float64) {
	_, body := i.get(ctx, "/metrics")
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
