//go:build real

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/service"
	"disburser/internal/audit"
	"disburser/internal/harness"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// office is a back office that runs beside a site, and who asks it.
type office struct {
	s      *site
	dir    string // of the programs
	client api.Client
	topic  string // of the batches
}

// openOffice builds and starts a back office, with its books in SQLite.
func (s *site) openOffice() *office {
	s.t.Helper()
	o := &office{s: s, dir: s.t.TempDir(), topic: s.id + ".batches"}
	if err := harness.Build(s.t.Context(), "../..", o.dir, "cmd/backoffice", "cmd/payctl"); err != nil {
		s.t.Fatal(err)
	}
	if err := harness.CreateTopics(s.t.Context(), s.client, map[string]int{o.topic: 1}); err != nil {
		s.t.Fatal(err)
	}
	port, err := harness.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	token, sum := service.NewToken()
	key, _ := service.NewToken()
	o.client = api.Client{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Token: token}
	config, err := os.ReadFile(s.writeConfig())
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.Replace(string(config), "actions: "+s.topics.Actions, "actions: "+s.topics.Actions+", batches: "+o.topic, 1) + fmt.Sprintf(`
backoffice:
  listen: "127.0.0.1:%d"
  database: "sqlite:%s"
  payee_key: "%s"
  users: [{name: olga, token_sha256: "%s", roles: [viewer, operator]}]
`, port, filepath.Join(o.dir, "books.db"), key, sum)
	name := filepath.Join(o.dir, "backoffice.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	p, err := harness.Start("backoffice", filepath.Join(o.dir, "log"), filepath.Join(o.dir, "backoffice"), "run", "--config", name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("the end of what the back office printed:\n%s", p.Tail())
		}
	})
	return o
}

// payctl runs the program to its end.
func (o *office) payctl(args ...string) (status int, out string) {
	o.s.t.Helper()
	log := filepath.Join(o.s.t.TempDir(), "log")
	argv := append([]string{"env", "PAYCTL_URL=" + o.client.URL, "PAYCTL_TOKEN=" + o.client.Token, filepath.Join(o.dir, "payctl")}, args...)
	p, err := harness.Start("payctl", log, argv...)
	if err != nil {
		o.s.t.Fatal(err)
	}
	defer p.Kill()
	until(o.s.t, time.Minute, "payctl has ended", func() bool { return !p.Running() })
	return p.Status(), string(p.Printed())
}

// batch waits until the books have seen so many payouts of a batch, all of them ended.
func (o *office) batch(id string, n int) (b api.Batch) {
	o.s.t.Helper()
	until(o.s.t, time.Minute, fmt.Sprintf("the books know that %d payouts have ended", n), func() bool {
		var err error
		b, err = api.Get[api.Batch](context.Background(), o.client, "/batches/"+url.PathEscape(id), nil)
		return err == nil && b.Seen == n && b.States["paid"] == n
	})
	return b
}

// events are those of batches, once so many are in the topic.
func (o *office) events(n int) (e audit.Events) {
	o.s.t.Helper()
	until(o.s.t, 20*time.Second, fmt.Sprintf("%d events of batches are published", n), func() bool {
		source := partition.Source{Client: o.s.client, Topic: o.topic}
		page, err := source.Fetch(context.Background(), 0, 100*time.Millisecond)
		if err != nil {
			return false
		}
		var problems []string
		if e, problems = audit.ReadEvents(page.Records); len(problems) > 0 {
			o.s.t.Fatal(problems)
		}
		return e.Distinct >= n
	})
	return e
}

// Of 1,000 payouts 999 arrive: the batch stays open, and payctl names the one that is missing. Once it has come, the batch
// closes, once.
func TestABatchThatLacksOnePayoutStaysOpen(t *testing.T) {
	const n, lacks = 1000, 437
	s := newSite(t, paysim.Behavior{}, paysim.Behavior{})
	s.createTopics()
	watcher := s.watch()
	s.start().ready(20 * time.Second)
	o := s.openOffice()
	var table strings.Builder
	table.WriteString("tradeNo,merchant,amount,customerName,walletId\n")
	var lines []string
	for i := range n {
		tradeNo := fmt.Sprintf("%s-%04d", s.id, i)
		fmt.Fprintf(&table, "%s,eg-main,%d,Karim Nabil,0110%07d\n", tradeNo, 100+i, i)
		lines = append(lines, fmt.Sprintf(`{"tradeNo":%q,"merchant":"eg-main","amount":"%d","batchId":"B","batchSize":%d,"payee":{"customerName":"Karim Nabil","walletId":"0110%07d"}}`, tradeNo, 100+i, n, i))
	}
	file := filepath.Join(t.TempDir(), "payroll.csv")
	if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.publish(append(append([]string{}, lines[:lacks]...), lines[lacks+1:]...))
	if b := o.batch("B", n-1); b.Closed || b.Size != n {
		t.Errorf("%+v", b)
	}
	if e := o.events(4); e.Of["B"]["payout.batch.closed"] != 0 || e.Of["B"]["payout.batch.progress"] != 3 {
		t.Errorf("%+v", e)
	}
	missing := fmt.Sprintf("%s-%04d", s.id, lacks)
	status, out := o.payctl("batch", "B", "--file", file)
	if status != 1 || strings.Count(out, "missing") != 1 || !strings.Contains(out, missing) || !strings.Contains(out, "999 of 1000") {
		t.Errorf("status %d:\n%s", status, out)
	}
	if status, out = o.payctl("batch", "B", "--file", file, "--json"); status != 1 || !strings.Contains(out, `"missing":["`+missing+`"]`) {
		t.Errorf("status %d:\n%s", status, out)
	}
	s.publish(lines[lacks : lacks+1])
	o.batch("B", n)
	if e := o.events(5); e.Of["B"]["payout.batch.closed"] != 1 {
		t.Errorf("%+v", e)
	}
	if status, out = o.payctl("batch", "B", "--file", file); status != 0 || !strings.Contains(out, "missing\tnothing of "+file) {
		t.Errorf("status %d:\n%s", status, out)
	}
	if status, out = o.payctl("find", "--payee", "01100000437"); status != 0 || !strings.Contains(out, missing) || strings.Contains(out, "01100000437") || strings.Contains(out, "Karim Nabil") {
		t.Errorf("status %d:\n%s", status, out)
	}
	s.judge(watcher, trial.Expect(lines))
}
