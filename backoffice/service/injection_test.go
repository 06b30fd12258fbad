package service_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"unicode"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/rules"
	"disburser/payout/secrets"
)

// nasty is what somebody may put where a name, a text or a number is wanted.
var nasty = []string{
	`'`, `"`, `';DROP TABLE payouts;--`, `' OR '1'='1`, `") OR 1=1--`, `x' UNION SELECT facts,facts FROM payouts--`, `\`, `%`, `_`, `$1`, `$9999`, `?1`, `:a`,
	"a\nINFO forged", "a\r\nX-Forged: 1", "\x1b[2J\x1b]0;forged\a", "\u202egro.live", "\x00", "a\x00b", "\xff\xfe", "\u2028", "😀", `../../../etc/passwd`, `{{.}}`, `${jndi:ldap://x}`,
	`=cmd|'/C calc'!A0`, `+1`, `-1`, `@x`, `1e9999`, `NaN`, `99999999999999999999`, `0x10`, strings.Repeat("x", 8000), strings.Repeat(",", 500), "<script>", `{"a":1}`, "null",
}

// journal is what the back office logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

// Whatever stands in a question, the answer is an answer or a problem, and never an error inside. The books stay as they are.
// Neither the answer's header nor the log has a line or a control character of it.
func TestNothingInAQuestionIsObeyed(t *testing.T) { injected(t, nil) }

func injected(t *testing.T, database *secrets.Secret) {
	k, c, _ := servicetest.World(t, bookstest.NewRun(rand.New(rand.NewPCG(8, 8)), 30, partitions, false))
	if database != nil {
		c.Backoffice.Database = *database
	}
	tokens := people(&c)
	c.Log.Level = "debug"
	log := &journal{}
	o := &office{servicetest.StartLogging(t, k, c, tokens["both"], rules.Merchants{}, log), t}
	o.caughtUp()
	before := get[api.Overview](o, "/overview")
	asked := 0
	for path, operations := range o.described().Paths {
		if path == "/api/v1/events" {
			continue // a stream: its one parameter is tried below
		}
		for method, operation := range operations {
			for _, text := range nasty {
				for _, address := range addresses(path, text, operation.Parameters) {
					asked++
					o.inert(strings.ToUpper(method), address, tokens["both"], text)
				}
			}
		}
	}
	for _, id := range nasty {
		if strings.IndexFunc(id, unicode.IsControl) < 0 && len(id) <= 100 {
			next(t, o.listen(id), api.EventMissed, nil)
		}
	}
	for _, text := range nasty {
		body, _ := json.Marshal(api.Word{Kind: text, Scope: "batch:" + text, Reason: text, As: text, Of: text, Lifts: []string{text}})
		if status, answer := o.post("/actions", tokens["both"], "application/json", body); status != http.StatusUnprocessableEntity {
			t.Errorf("%.40q: %d %.200s", text, status, answer)
		}
		body, _ = json.Marshal(api.Word{Kind: "pause", Scope: "batch:" + text, Reason: text})
		if status, answer := o.post("/actions", tokens["both"], "application/json", body); status != http.StatusAccepted && status != http.StatusUnprocessableEntity {
			t.Errorf("%.40q: %d %.200s", text, status, answer)
		}
		if status, answer := o.post("/batches?dry_run=true", tokens["both"], "text/csv", []byte("tradeNo,"+text+"\n"+text+","+text+"\n")); status != http.StatusUnprocessableEntity {
			t.Errorf("%.40q: %d %.200s", text, status, answer)
		}
	}
	o.caughtUp()
	after := get[api.Overview](o, "/overview")
	if asked < 500 || after.States["paid"] != before.States["paid"] || before.States["paid"] != 30 {
		t.Errorf("%d questions; %+v and then %+v", asked, before, after)
	}
	o.Stop()
	for line := range strings.Lines(log.text.String()) {
		if !json.Valid([]byte(line)) || strings.IndexFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) >= 0 || strings.Contains(line, `"level":"error"`) && !strings.Contains(line, "context canceled") {
			t.Errorf("the log: %.300q", line)
		}
	}
}

// addresses put a text into each parameter of an operation.
func addresses(path, text string, parameters []struct {
	Name, In string
	Schema   struct{ Type any }
}) (all []string) {
	good := strings.NewReplacer("{id}", "x", "{tradeNo}", "x").Replace(path)
	for _, p := range parameters {
		switch p.In {
		case "path":
			all = append(all, strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text)))
		case "query":
			all = append(all, good+"?"+p.Name+"="+url.QueryEscape(text))
		}
	}
	return append(all, good+"?"+url.QueryEscape(text)+"=1")
}

// inert asks, and looks at the answer.
func (o *office) inert(method, address, token, text string) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.URL+address, strings.NewReader(map[string]string{http.MethodPost: "{}"}[method]))
	if err != nil {
		return // Go itself refuses it
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request) // follows nothing
	if err != nil {
		o.t.Errorf("%s %.80q: %v", method, address, err)
		return
	}
	defer response.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(response.Body)
	moved := response.StatusCode == http.StatusMovedPermanently || response.StatusCode == http.StatusTemporaryRedirect // a path with ..
	if response.StatusCode >= 500 || !moved && body.Len() > 0 && !json.Valid(body.Bytes()) || bytes.ContainsAny(body.Bytes(), "\x1b\x00\a") || response.Header.Get("X-Forged") != "" {
		o.t.Errorf("%s %.120q (%.40q): %d %.200s", method, address, text, response.StatusCode, body.String())
	}
}
