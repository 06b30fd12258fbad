package service_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/kafkatest"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

const partitions = servicetest.Partitions

// office is a back office that runs, and who asks it.
type office struct {
	*servicetest.Office
	t *testing.T
}

func start(t *testing.T, k *kafkatest.Kafka, c config.Config, token string) *office {
	t.Helper()
	return &office{servicetest.Start(t, k, c, token), t}
}

func (o *office) do(path, token string) (int, []byte) {
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.URL+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return response.StatusCode, body
}

// get asks, and reads the answer.
func get[T any](o *office, path string) (answer T) {
	o.t.Helper()
	status, body := o.do("/api/v1"+path, o.Token)
	if status != http.StatusOK {
		o.t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		o.t.Fatalf("%s: %v", path, err)
	}
	return answer
}

// caughtUp waits until everything is read.
func (o *office) caughtUp() {
	o.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, _ := o.do("/readyz", ""); status != http.StatusOK {
			continue
		}
		if !slices.ContainsFunc(get[api.Overview](o, "/overview").Books, func(l api.Lag) bool { return l.Lag != 0 }) {
			return
		}
	}
	_, body := o.do("/readyz", "")
	o.t.Fatalf("the books are not whole after a minute: %s", body)
}

// The whole way: from the topics to the answers, with the back office stopped again and again.
func TestFromTheTopicsToTheAnswers(t *testing.T) {
	const payouts = 90
	rng := rand.New(rand.NewPCG(5, 5))
	k, c, token := servicetest.World(t, bookstest.NewRun(rng, payouts, partitions, false))
	said, err := acts.Write(acts.Action{ID: "A1", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Batch, Name: "batch-1"}, By: "alice", Reason: "wrong file", Time: bookstest.Start}, secrets.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, c.Kafka.Topics.Actions, 0, kafkatest.Record(string(said.Key), string(said.Value)))
	for range 5 { // stopped at any moment
		o := start(t, k, c, token)
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
		o.Stop()
	}
	o := start(t, k, c, token)
	o.caughtUp()

	overview := get[api.Overview](o, "/overview")
	if overview.States["paid"] != payouts || overview.Amounts["EGP"].Open != "0" || len(overview.Pauses) != 1 || overview.Merchants["eg-main"].States["paid"] != payouts {
		t.Errorf("%+v", overview)
	}
	b := get[api.Batch](o, "/batches/batch-1")
	if !b.Closed || b.Seen != 30 || b.Size != 30 || b.States["paid"] != 30 || b.Copies != 0 || b.Amounts["EGP"].Ordered != b.Amounts["EGP"].Paid || len(b.Pauses) != 1 || b.Pauses[0].By != "alice" {
		t.Errorf("%+v", b)
	}
	if all := get[api.Batches](o, "/batches?limit=2"); len(all.Batches) != 2 || all.Next == "" {
		t.Errorf("%+v", all)
	} else if rest := get[api.Batches](o, "/batches?cursor="+all.Next); len(rest.Batches) != 1 || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		page := get[api.Payouts](o, "/payouts?merchant=eg-main&state=paid&limit=7&cursor="+cursor)
		for _, p := range page.Payouts {
			if seen[p.TradeNo] {
				t.Errorf("%s comes twice", p.TradeNo)
			}
			seen[p.TradeNo] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != payouts {
		t.Errorf("%d of %d payouts", len(seen), payouts)
	}
	if found := get[api.Payouts](o, "/payouts?payee=01120000007"); len(found.Payouts) != 1 || found.Payouts[0].TradeNo != "20261125-0000007" || found.Payouts[0].Payee["walletId"] != "***0007" {
		t.Errorf("%+v", found)
	}
	d := get[api.PayoutDetail](o, "/payouts/20261125-0000007")
	if d.State != "paid" || len(d.History) != 3 || d.History[0].Topic != c.Kafka.Topics.Commands || !strings.HasPrefix(d.Why, "Paid: 107.07 EGP, by the provider's word") {
		t.Errorf("%+v", d)
	}
	if a := get[api.Actions](o, "/actions").Actions; len(a) != 1 || a[0].Status != "in force" || a[0].Scope != "batch:batch-1" {
		t.Errorf("%+v", a)
	}
	if _, metrics := o.do("/metrics", ""); !strings.Contains(string(metrics), `backoffice_books_lag{partition="1",topic="payout.results"} 0`) {
		t.Errorf("%s", metrics)
	}
	batchEvents(t, k, c.Kafka.Topics.Batches)
}

// batchEvents reads the topic of the batches: each batch has five events, each under one id and with one content.
func batchEvents(t *testing.T, k *kafkatest.Kafka, topic string) {
	t.Helper()
	said := map[string]string{}
	for deadline := time.Now().Add(20 * time.Second); len(said) < 3*5 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, r := range k.Read(t, topic, 0) {
			id := kafkatest.Header(t, r.Headers, "ce_id")
			if before, known := said[id]; known && before != string(r.Value) {
				t.Errorf("%s says two things:\n%s\n%s", id, before, r.Value)
			}
			said[id] = string(r.Value)
		}
	}
	if len(said) != 3*5 {
		t.Errorf("%d events of batches: %v", len(said), said)
	}
}

// Every operation of the API wants a token, and a role.
func TestEveryRouteIsGuarded(t *testing.T) {
	k, c, token := servicetest.World(t, nil)
	other, sum := service.NewToken()
	c.Backoffice.Users[1].SHA256 = sum
	o := start(t, k, c, token)
	o.caughtUp()
	_, text := o.do("/api/v1/openapi.json", "")
	var description struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(text, &description); err != nil || !strings.HasPrefix(description.OpenAPI, "3.1") || len(description.Paths) < 8 {
		t.Fatalf("%v: %s", err, text)
	}
	for path, operations := range description.Paths {
		for method := range operations {
			if method != "get" {
				o.guarded(method, path, other, token)
			}
		}
		if operations["get"] == nil {
			continue
		}
		path = strings.NewReplacer("{id}", "x", "{tradeNo}", "x").Replace(path)
		for _, test := range []struct {
			token string
			want  int
		}{{"", http.StatusUnauthorized}, {"wrong", http.StatusUnauthorized}, {token + "x", http.StatusUnauthorized}, {other, http.StatusForbidden}} {
			status, body := o.do(path, test.token)
			var problem api.Problem
			if err := json.Unmarshal(body, &problem); status != test.want || err != nil || problem.Status != test.want || problem.Detail == "" {
				t.Errorf("%s with the token %q: %d %s", path, test.token, status, body)
			}
		}
	}
}

// guarded looks whether an operation that changes something lets nobody do it without a token, or with a viewer's.
func (o *office) guarded(method, path, approver, viewer string) {
	for token, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, approver + "x": http.StatusUnauthorized, viewer: http.StatusForbidden} {
		request, err := http.NewRequestWithContext(o.t.Context(), strings.ToUpper(method), o.URL+path, strings.NewReader("{}"))
		if err != nil {
			o.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			o.t.Fatal(err)
		}
		var problem api.Problem
		err = json.NewDecoder(response.Body).Decode(&problem)
		if response.Body.Close(); err != nil || response.StatusCode != want || problem.Status != want || problem.Detail == "" {
			o.t.Errorf("%s %s with the token %q: %d %+v %v", method, path, token, response.StatusCode, problem, err)
		}
	}
}

// What is asked wrongly is a problem that says what to do, and never an error of SQL.
func TestQuestionsThatCantBeAnswered(t *testing.T) {
	k, c, token := servicetest.World(t, nil)
	o := start(t, k, c, token)
	o.caughtUp()
	for path, want := range map[string]int{
		"/payouts/20261125-1":                       http.StatusNotFound,
		"/payouts/a%27b":                            http.StatusUnprocessableEntity,
		"/why/20261125-1":                           http.StatusNotFound,
		"/batches/nobody":                           http.StatusNotFound,
		"/payouts?limit=1001":                       http.StatusUnprocessableEntity,
		"/payouts?state=lost":                       http.StatusUnprocessableEntity,
		"/payouts?cursor=%27":                       http.StatusUnprocessableEntity,
		"/payouts?since=yesterday":                  http.StatusUnprocessableEntity,
		"/payouts?batch=%27%3Bdrop+table+payouts--": http.StatusOK,
		"/dead-letters?cursor=-1":                   http.StatusUnprocessableEntity,
		"/batches/a%2Fb":                            http.StatusNotFound,
		"/nowhere":                                  http.StatusNotFound,
	} {
		status, body := o.do("/api/v1"+path, token)
		var problem api.Problem
		if err := json.Unmarshal(body, &problem); status != want || err != nil || want != http.StatusOK && (problem.Status != want || problem.Detail == "") {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
	if page := get[api.Payouts](o, "/payouts"); page.Payouts == nil || len(page.Payouts) != 0 {
		t.Error(page)
	}
}

// A rebuild gives the same answers, and says nothing twice.
func TestARebuildGivesTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	k, c, token := servicetest.World(t, bookstest.NewRun(rng, 60, partitions, true))
	answers := func() string {
		o := start(t, k, c, token)
		o.caughtUp()
		defer o.Stop()
		b := get[api.Batch](o, "/batches/batch-1")
		return fmt.Sprintf("%+v %+v %+v", b, get[api.Payouts](o, "/payouts?limit=1000"), get[api.Letters](o, "/dead-letters"))
	}
	before := answers()
	s, err := service.New(c, nil, service.Options{DialKafka: k.Dial, LogTo: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rebuild(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if after := answers(); after != before {
		t.Errorf("before\n%.2000s\nafter\n%.2000s", before, after)
	}
}
