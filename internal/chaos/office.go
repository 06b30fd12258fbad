package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/service"
	"disburser/internal/harness"
)

// Where the books of a scenario are.
const (
	onSQLite   = "sqlite"
	onPostgres = "postgres"
)

// bookkeeping is the back office of a scenario: all its instances, and who asks them.
type bookkeeping struct {
	batches  string // the topic
	token    string // of olga, who reads and acts
	tokenSum string
	payeeKey string
	database string
	offices  []*office
	answers  *tee
	payees   []string // commands beside the load's, of which no payee may be found

	mu      sync.Mutex
	sampled int
	again   int // questions that found nobody
}

// office is a place for a back office, at one address. One process after another runs in it.
type office struct {
	*harness.Process
	name, config, address string
	generation            int
}

// OfficeParams are what the configuration of a back office has beside the disburser's.
type OfficeParams struct{ Listen, Database, PayeeKey, TokenSum, Batches string }

// openBooks prepares the back offices of a scenario, and starts them.
func (r *run) openBooks(ctx context.Context) (err error) {
	b := &bookkeeping{batches: r.id + ".batches"}
	b.token, b.tokenSum = service.NewToken()
	b.payeeKey, _ = service.NewToken()
	r.kept = b
	if err := harness.CreateTopics(ctx, r.broker.client, map[string]int{b.batches: 2}); err != nil {
		return err
	}
	if b.answers, err = newTee(filepath.Join(r.dir, "answers")); err != nil {
		return err
	}
	if b.database, err = r.newDatabase(ctx, "books"); err != nil {
		return err
	}
	for i := range max(1, r.scenario.offices) {
		o, err := r.newOffice(fmt.Sprintf("office-%d", i), b.database, b.batches)
		if err != nil {
			return err
		}
		b.offices = append(b.offices, o)
		if err := o.start(r.programs("backoffice")); err != nil {
			return err
		}
	}
	return harness.Until(ctx, readyLimit, "the back offices are ready", func() bool { return b.ready(ctx) })
}

// newOffice writes the configuration of a back office.
func (r *run) newOffice(name, database, batches string) (*office, error) {
	port, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	o := &office{name: name, config: filepath.Join(r.dir, name+".yaml"), address: fmt.Sprintf("127.0.0.1:%d", port)}
	p := r.params()
	p.Kafka, p.Redis, p.Provider, p.Secret = r.broker.address, "127.0.0.1:1", "127.0.0.1:1", secret
	p.Lease, p.Timeout, p.Session, p.Drain = lease, timeout, session, drain
	p.Office = &OfficeParams{Listen: o.address, Database: database, PayeeKey: r.kept.payeeKey, TokenSum: r.kept.tokenSum, Batches: batches}
	var text bytes.Buffer
	if err := configuration.Execute(&text, p); err != nil {
		return nil, err
	}
	return o, os.WriteFile(o.config, text.Bytes(), 0o600)
}

func (o *office) start(program string) (err error) {
	o.generation++
	log := strings.TrimSuffix(o.config, ".yaml") + fmt.Sprintf(".%d.log", o.generation)
	o.Process, err = harness.Start(fmt.Sprintf("%s.%d", o.name, o.generation), log, program, "run", "--config", o.config)
	return err
}

// ready tells that each of them says so, and knows all that stands in the topics.
func (b *bookkeeping) ready(ctx context.Context) bool {
	for _, o := range b.offices {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.address+"/readyz", nil)
		if err != nil {
			return false
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

// client asks an office as olga. What is answered is kept.
func (b *bookkeeping) client(o *office) api.Client {
	return api.Client{URL: "http://" + o.address, Token: b.token, HTTP: &http.Client{Transport: b.answers, Timeout: 20 * time.Second}}
}

// caughtUp waits until all offices know all records.
func (r *run) caughtUp(ctx context.Context) error {
	return harness.Until(ctx, 90*time.Second, "the books are at the end of the topics", func() bool {
		for _, o := range r.kept.offices {
			whole, err := api.Get[api.Overview](ctx, r.kept.client(o), "/overview", nil)
			if err != nil || len(whole.Books) < 6+3+3+2+1 {
				return false
			}
			for _, l := range whole.Books {
				if l.Lag != 0 || l.Trouble != "" {
					return false
				}
			}
		}
		return true
	})
}

// kill ends an office without a warning, and starts the next one in its place.
func (r *run) killOffice(o *office) error {
	r.note("SIGKILL", "%s", o.Name)
	o.Kill()
	return o.start(r.programs("backoffice"))
}

// payctl runs the program as olga would. What it prints stands in a file of its name.
func (r *run) payctl(name string, args ...string) (*harness.Process, error) {
	o := r.kept.offices[0]
	argv := append([]string{"env", "PAYCTL_URL=http://" + o.address, "PAYCTL_TOKEN=" + r.kept.token, "XDG_STATE_HOME=" + filepath.Join(r.dir, "state"), r.programs("payctl")}, args...)
	return harness.Start(name, filepath.Join(r.dir, name+".log"), argv...)
}

// asked runs payctl to its end.
func (r *run) asked(ctx context.Context, limit time.Duration, name string, args ...string) (status int, out string, err error) {
	p, err := r.payctl(name, args...)
	if err != nil {
		return 0, "", err
	}
	defer p.Kill()
	if err := harness.Until(ctx, limit, name+" has ended", func() bool { return !p.Running() }); err != nil {
		return 0, "", fmt.Errorf("%w: %s", err, p.Tail())
	}
	return p.Status(), string(p.Printed()), nil
}

// freshBooks makes other books from the topics, by the shipped program, and answers their database. What belongs to them and
// isn't read from topics, such as digests, an office of their own adds. Its events go to a topic of their own.
func (r *run) freshBooks(ctx context.Context) (database string, err error) {
	batches := r.id + ".fresh"
	if err := harness.CreateTopics(ctx, r.broker.client, map[string]int{batches: 1}); err != nil {
		return "", err
	}
	if database, err = r.newDatabase(ctx, "fresh"); err != nil {
		return "", err
	}
	o, err := r.newOffice("fresh", database, batches)
	if err != nil {
		return "", err
	}
	if err := r.rebuild(ctx, o); err != nil {
		return "", err
	}
	if err := o.start(r.programs("backoffice")); err != nil {
		return "", err
	}
	defer o.Kill()
	return database, r.digested(ctx, database)
}

// digested waits until each batch that has closed has its digest.
func (r *run) digested(ctx context.Context, database string) error {
	return harness.Until(ctx, time.Minute, "the digests of all batches are there", func() bool {
		n, err := countOf(ctx, database, "batches WHERE changed <> digested")
		return err == nil && n == 0
	})
}

// rebuild empties the books of an office, which may run meanwhile, and reads everything again.
func (r *run) rebuild(ctx context.Context, o *office) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.programs("backoffice"), "rebuild", "--config", o.config).CombinedOutput()
	if err == nil && !bytes.Contains(out, []byte("the books are whole")) {
		err = errors.New("it doesn't say that the books are whole")
	}
	if err != nil {
		return fmt.Errorf("rebuild the books of %s: %w\n%s", o.name, err, out)
	}
	return os.WriteFile(filepath.Join(r.dir, o.name+".rebuild.log"), out, 0o600)
}

func (b *bookkeeping) close() {
	if b == nil {
		return
	}
	for _, o := range b.offices {
		o.Kill()
	}
	if b.answers != nil {
		_ = b.answers.file.Close()
	}
}

// tee keeps the bodies of all answers in a file.
type tee struct {
	mu   sync.Mutex
	file *os.File
}

func newTee(name string) (*tee, error) {
	file, err := os.Create(name)
	return &tee{file: file}, err
}

// RoundTrip asks, and keeps what is answered.
func (t *tee) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.file.Write(append(body, '\n')); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
