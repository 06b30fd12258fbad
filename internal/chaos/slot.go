package chaos

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
)

// The times of the instances. The lease is the shortest that the configuration accepts with such
// a timeout.
const (
	lease   = 4 * time.Second
	timeout = time.Second
	session = 6 * time.Second
	drain   = 5 * time.Second
)

// slot is a place for an instance, with links of its own to Kafka and Redis. One instance after
// another runs in it. The link to the provider is one for all slots. All
// instances send to one account, and base_url is a part of its name.
type slot struct {
	number                 int
	kafka, redis, provider *link
	config                 string // of the scenario that is being played
	generation             int
	instance               *instance // nil until the first one
}

// instance is a disburser process.
type instance struct {
	*harness.Instance
	slot int
}

func newSlot(number int, provider *link) (s *slot, err error) {
	s = &slot{number: number, provider: provider}
	for name, l := range map[string]**link{"kafka": &s.kafka, "redis": &s.redis} {
		if *l, err = newLink(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *slot) links() []*link { return []*link{s.kafka, s.redis, s.provider} }

func (s *slot) heal() {
	for _, l := range s.links() {
		l.heal()
	}
}

// close ends the slot's own links.
func (s *slot) close() {
	s.kafka.close()
	s.redis.close()
}

// params are what the configurations of instances differ in.
type params struct {
	Kafka, Redis, Provider, ID, Then, Secret string
	Topics                                   trial.Topics
	Slots                                    int
	Rate                                     float64
	Lease, Timeout, Session, Drain, GiveUp   time.Duration
	Breaker                                  int           // breaker.min_requests; 0 = the default
	Office                                   *OfficeParams // nil: no back office
}

var configuration = template.Must(template.New("config").Parse(`
kafka:
  brokers: ["{{.Kafka}}"]
  group: {{.ID}}
  session_timeout: {{.Session}}
  topics: {commands: {{.Topics.Commands}}, results: {{.Topics.Results}}, decisions: {{.Topics.Decisions}}, dead_letter: {{.Topics.DeadLetter}}, actions: {{.Topics.Actions}}{{with .Office}}, batches: {{.Batches}}{{end}}}
redis: {addresses: ["{{.Redis}}"], namespace: {{.ID}}, dedup_window: 1h}
merchants:
{{- range $name, $path := .Merchants}}
  {{$name}}:
    country: {{$path.Country}}
    base_url: http://{{$.Provider}}{{$path.Path}}
    merchant_no: "{{$path.No}}"
    secret: "{{$.Secret}}"
    notify_url: https://merchant.test/notify
    timeout: {{$.Timeout}}
    send: {rate: {{$.Rate}}, burst: 40}
    query: {rate: {{$.Rate}}, burst: 40}
    poll: {first: 300ms, factor: 1.5, max: 2s{{with $.GiveUp}}, give_up: {{.}}{{end}}}
    no_record: {answers: 3, every: 1s, then: {{$.Then}}}   # the simulator's no-record is the truth
{{- end}}
breaker: {open_for: 1s, max_open_for: 3s{{with .Breaker}}, min_requests: {{.}}{{end}}}
unknown_merchant_grace: 2s
disburse: {slots: {{.Slots}}, lease: {{.Lease}}, drain: {{.Drain}}}
admin: {listen: "127.0.0.1:0"}
log: {level: debug}   # the evidence, should anything go wrong
{{- with .Office}}
backoffice:
  listen: "{{.Listen}}"
  database: "{{.Database}}"
  payee_key: "{{.PayeeKey}}"
  users:
    - {name: olga, token_sha256: "{{.TokenSum}}", roles: [viewer, operator]}
{{- end}}
`))

type account struct{ Country, Path, No string }

// Merchants are in every configuration.
func (params) Merchants() map[string]account {
	return map[string]account{
		"eg-main": {"egypt", "/egy-pay", merchantNos["eg-main"]},
		"br-main": {"brazil", "/brz-pay", merchantNos["br-main"]},
	}
}

// configure writes the slot's configuration.
func (s *slot) configure(dir string, p params) error {
	p.Kafka, p.Redis, p.Provider = s.kafka.address(), s.redis.address(), s.provider.address()
	p.Secret, p.Lease, p.Timeout, p.Session, p.Drain = secret, lease, timeout, session, drain
	var text bytes.Buffer
	if err := configuration.Execute(&text, p); err != nil {
		return err
	}
	s.config, s.generation, s.instance = filepath.Join(dir, fmt.Sprintf("disburser-%d.yaml", s.number)), 0, nil
	return os.WriteFile(s.config, text.Bytes(), 0o600)
}

// start runs the next instance in the slot.
func (s *slot) start(program string) error {
	s.generation++
	name := fmt.Sprintf("disburser-%d.%d", s.number, s.generation)
	i, err := harness.StartInstance(name, filepath.Join(filepath.Dir(s.config), name+".log"), program, s.config)
	if err != nil {
		return err
	}
	s.instance = &instance{Instance: i, slot: s.number}
	return nil
}

// get asks the admin HTTP; nothing comes of it where the process is not there.
func (i *instance) get(ctx context.Context, path string) (status int, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return i.Get(ctx, path)
}

func (i *instance) ready(ctx context.Context) bool {
	status, _ := i.get(ctx, "/readyz")
	return status == http.StatusOK
}
