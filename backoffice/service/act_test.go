package service_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/service"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/kafkatest"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// people are a viewer, two operators of whom one approves too, and an approver.
func people(c *config.Config) map[string]string {
	tokens := map[string]string{}
	c.Backoffice.Users = nil
	for name, roles := range map[string][]string{
		"victor": {config.Viewer}, "olga": {config.Viewer, config.Operator}, "both": {config.Viewer, config.Operator, config.Approver}, "anna": {config.Viewer, config.Approver},
	} {
		token, sum := service.NewToken()
		tokens[name] = token
		c.Backoffice.Users = append(c.Backoffice.Users, config.User{Name: name, SHA256: sum, Roles: roles})
	}
	return tokens
}

func (o *office) post(path, token, contentType string, body []byte) (int, []byte) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.URL+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return response.StatusCode, text
}

// say says an action that is taken.
func (o *office) say(token, query string, w api.Word) (a api.Action) {
	o.t.Helper()
	body, _ := json.Marshal(w)
	status, text := o.post("/actions"+query, token, "application/json", body)
	if err := json.Unmarshal(text, &a); status != http.StatusAccepted || err != nil || a.ID == "" {
		o.t.Fatalf("%+v: %d %s", w, status, text)
	}
	return a
}

const actionsKey = "a key of thirty-two bytes or more"

func headersOf(r acts.Record) (all []kafka.Header) {
	for _, h := range r.Headers {
		all = append(all, kafka.Header{Key: h.Name, Value: h.Value})
	}
	return all
}

// answers writes the outcome of each action that wants one, as an instance does.
func answers(t *testing.T, k *kafkatest.Kafka, topic string, result acts.Result, uncertain bool) {
	keys := acts.Keys{Current: secrets.New(actionsKey)}
	seen := 0
	go func() {
		for ; t.Context().Err() == nil; time.Sleep(20 * time.Millisecond) {
			records := k.Read(t, topic, 0)
			for _, r := range records[min(seen, len(records)):] {
				record := acts.Record{Key: r.Key, Value: r.Value}
				for _, h := range r.Headers {
					record.Headers = append(record.Headers, acts.Header{Name: h.Key, Value: h.Value})
				}
				a, read, why := acts.Parse(record, keys)
				if read != acts.Obeyed || !a.Trusted {
					t.Errorf("what was written isn't obeyed: %s %s", read, why)
				}
				if a.IsOneShot() && a.Needs < 2 {
					out, _ := acts.Ended{Of: a.ID, Result: result, TradeNo: a.Scope.Name, Detail: "as it is", Uncertain: uncertain, Time: time.Now()}.Record(keys.Current)
					k.Write(t, topic, 0, kafkatest.Record(string(out.Key), string(out.Value), headersOf(out)...))
				}
			}
			seen = max(seen, len(records))
		}
	}()
}

func TestWhatPeopleSay(t *testing.T) {
	k, c, _ := servicetest.World(t, nil)
	tokens := people(&c)
	c.Actions.Key = secrets.New(actionsKey)
	c.Actions.TwoPeople = []string{"cancel"}
	o := start(t, k, c, tokens["olga"])
	o.caughtUp()
	answers(t, k, c.Kafka.Topics.Actions, acts.Done, false)

	pause := o.say(tokens["olga"], "?wait=10s", api.Word{Kind: "pause", Scope: "merchant:eg-main", Reason: "wrong\nfile"})
	if pause.Status != "in force" || pause.By != "olga" || pause.Scope != "merchant:eg-main" || pause.Deadline != "" {
		t.Errorf("%+v", pause)
	}
	other := o.say(tokens["both"], "?wait=10s", api.Word{Kind: "pause", Scope: "merchant:eg-main", Reason: "me too"})
	resume := o.say(tokens["olga"], "?wait=10s", api.Word{Kind: "resume", Scope: "merchant:eg-main", Reason: "right file"})
	if strings.Join(resume.Lifts, " ") != pause.ID+" "+other.ID {
		t.Errorf("a resume names what it lifts: %+v", resume)
	}
	if got := get[api.Action](o, "/actions/"+pause.ID); got.Status != "lifted" {
		t.Errorf("%+v", got)
	}
	ask := o.say(tokens["olga"], "?wait=20s", api.Word{Kind: "ask", Scope: "payout:T1", Reason: "the payee asks"})
	if ask.Status != "done" || len(ask.Outcomes) != 1 || ask.Outcomes[0].Detail != "as it is" || ask.WaitFor != "1m30s" || ask.Deadline == "" {
		t.Errorf("%+v", ask)
	}
	cancel := o.say(tokens["both"], "?wait=1s", api.Word{Kind: "cancel", Scope: "payout:T2", Reason: "left"})
	if cancel.Status != "waits for a person" || cancel.Needs != 2 || cancel.WaitFor != "15m30s" {
		t.Errorf("%+v", cancel)
	}
	confirm := func(who, of string) (int, string) {
		body, _ := json.Marshal(api.Word{Kind: "confirm", Of: of, Reason: "yes"})
		status, text := o.post("/actions?wait=1s", tokens[who], "application/json", body)
		return status, string(text)
	}
	for _, test := range []struct {
		who, of string
		status  int
		says    string
	}{
		{"olga", cancel.ID, http.StatusForbidden, "you need the role approver"},
		{"both", cancel.ID, http.StatusForbidden, "nobody confirms their own action"},
		{"anna", "nobody's", http.StatusNotFound, "nobody has said"},
		{"anna", pause.ID, http.StatusConflict, "it is lifted"},
		{"anna", cancel.ID, http.StatusAccepted, `"status":"obeyed"`},
		{"anna", cancel.ID, http.StatusConflict, "it is waits"},
	} {
		if status, text := confirm(test.who, test.of); status != test.status || !strings.Contains(text, test.says) {
			t.Errorf("%s confirms: %d %s, want %d %s", test.who, status, text, test.status, test.says)
		}
	}
	if got := get[api.Action](o, "/actions/"+cancel.ID); got.ConfirmedBy != "anna" {
		t.Errorf("%+v", got)
	}
}

// What can't be said is refused with everything that is wrong, and nothing is written.
func TestWhatCantBeSaid(t *testing.T) {
	k, c, _ := servicetest.World(t, nil)
	tokens := people(&c)
	o := start(t, k, c, tokens["olga"])
	o.caughtUp()
	for _, test := range []struct {
		who, body string
		status    int
		says      []string
	}{
		{"", `{}`, 401, []string{"give your token"}},
		{"victor", `{"kind":"pause","scope":"fleet","reason":"x"}`, 403, []string{"you need the role operator or approver"}},
		{"anna", `{"kind":"pause","scope":"fleet","reason":"x"}`, 403, []string{"you need the role operator"}},
		{"olga", `{`, 400, nil},
		{"olga", `{"kind":"pause","scope":"fleet","reason":"x","by":"anna"}`, 422, []string{"by"}},
		{"olga", `{"kind":"outcome","scope":"fleet","reason":"x"}`, 422, []string{"kind"}},
		{"olga", `{"kind":"resolve","scope":"batch:b","reason":" ","lifts":["1"],"action":"A"}`, 422, []string{"resolve is for payout", "must say why", "paid or failed", "lifts", "confirm only"}},
		{"olga", `{"kind":"cancel","scope":"fleet","reason":"x","as":"paid"}`, 422, []string{"cancel is for batch:ID or payout:TRADENO", "as and force are for resolve only"}},
		{"olga", `{"kind":"ask","scope":"payout:a' OR 1=1--","reason":"x","deadline":"2020-01-01T00:00:00Z"}`, 422, []string{"a tradeNo is 1 to 64", "must be in the next 24 hours"}},
		{"olga", `{"kind":"resume","scope":"fleet","reason":"x"}`, 409, []string{"no pause of fleet stands"}},
		{"anna", `{"kind":"confirm","reason":"x","scope":"fleet"}`, 422, []string{"must be the id", "a confirm has none"}},
		{"olga", `{"kind":"pause","scope":"everything","reason":"` + strings.Repeat("x", 501) + `"}`, 422, []string{"a scope is fleet", "500 characters"}},
	} {
		status, text := o.post("/actions", tokens[test.who], "application/json", []byte(test.body))
		for _, says := range test.says {
			if !strings.Contains(string(text), says) {
				t.Errorf("%s: %s doesn't say %q", test.body, text, says)
			}
		}
		if status != test.status {
			t.Errorf("%s: %d, want %d: %s", test.body, status, test.status, text)
		}
	}
	if status, text := o.post("/actions?wait=soon", tokens["olga"], "application/json", []byte(`{"kind":"pause","scope":"fleet","reason":"x"}`)); status != 422 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := o.do("/api/v1/actions/nobody's", tokens["olga"]); status != http.StatusNotFound {
		t.Error(status)
	}
	if written := k.Read(t, c.Kafka.Topics.Actions, 0); len(written) != 0 {
		t.Errorf("%d records are written", len(written))
	}
}
