package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// said is a back office that answers as it is told, and notes what is said to it.
type said struct {
	words  []api.Word
	answer func(w api.Word) api.Action // what the action has become
}

func (o *said) serve(t *testing.T) {
	byID := map[string]api.Action{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id, one := strings.Cut(r.URL.Path, "/actions/")
		switch {
		case one:
			_ = json.NewEncoder(w).Encode(byID[id])
		case strings.HasPrefix(r.URL.Path, "/api/v1/payouts/"):
			_, _ = io.WriteString(w, `{"state":"sending"}`)
		default:
			var word api.Word
			if err := json.NewDecoder(r.Body).Decode(&word); err != nil {
				t.Error(err)
			}
			o.words = append(o.words, word)
			a := o.answer(word)
			byID[a.ID] = a
			a.Outcomes, a.Status = nil, "waits"
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(a)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("PAYCTL_URL", server.URL)
	t.Setenv("PAYCTL_TOKEN", "token")
}

// What becomes of an action is the exit status, and stands in the output.
func TestWhatBecomesOfAnAction(t *testing.T) {
	maybe := false
	one := api.Action{ID: "A1", WaitFor: "1m30s"}
	with := func(status string, outcomes ...api.Outcome) func(api.Word) api.Action {
		return func(api.Word) api.Action {
			a := one
			a.Status, a.Outcomes = status, outcomes
			return a
		}
	}
	for _, test := range []struct {
		args   string
		answer func(api.Word) api.Action
		status int
		has    []string
	}{
		{"pause fleet", with("in force"), cli.Done, []string{"state\tin force"}},
		{"resume fleet --lifts 1,2", with("obeyed"), cli.Done, []string{"state\tobeyed"}},
		{"ask payout:T1", with("done", api.Outcome{Result: "done", TradeNo: "T1", Detail: "it is\x1b[2J paid"}), cli.Done, []string{"done\tT1: it is [2J paid\n"}},
		{"cancel batch:b", with("done", api.Outcome{Result: "done", Shard: new(int), Counts: map[string]int{"rejected": 3, "in flight": 1}}), cli.Done, []string{"shard 0, 1 in flight, 3 rejected"}},
		{"resolve T1 --as failed", with("refused", api.Outcome{Result: "refused", TradeNo: "T1", Detail: "it is paid"}), cli.Failed, []string{"refused\tT1: it is paid"}},
		{"resolve T1 --as paid --force", with("expired", api.Outcome{Result: "expired", TradeNo: "T1", Certain: &maybe}), cli.Failed,
			[]string{"the journal was lost meanwhile, so it may have happened; the payout is sending now"}},
		{"ask payout:T1 --wait 50ms", with("waits"), cli.Failed, []string{"nobody has said yet what became of it"}},
		{"ask payout:T1 --wait 0s", with("waits"), cli.Done, []string{"action\tA1"}},
		{"confirm A0", with("ignored"), cli.Failed, []string{"state\tignored"}},
	} {
		o := &said{answer: test.answer}
		o.serve(t)
		status, out := run(t, append(strings.Fields(test.args), "--reason", "why not")...)
		for _, has := range test.has {
			if status != test.status || !strings.Contains(out, has) {
				t.Errorf("payctl %s: status %d, want %d and %q:\n%s", test.args, status, test.status, has, out)
			}
		}
		if len(o.words) != 1 || o.words[0].Reason != "why not" || o.words[0].Kind != strings.Fields(test.args)[0] {
			t.Errorf("%s: %+v", test.args, o.words)
		}
	}
}

// What is wrong is told before anything is said.
func TestWordsThatArentSaid(t *testing.T) {
	o := &said{answer: func(api.Word) api.Action { return api.Action{} }}
	o.serve(t)
	for args, says := range map[string]string{
		"pause everything --reason x":                               "a scope is fleet",
		"pause fleet":                                               "--reason",
		"pause fleet --by alice --reason x":                         "--by is for --direct and --config only",
		"pause fleet --direct b:1 --by " + strings.Repeat("x", 101): "--direct and --config need --by",
		"cancel fleet --reason x":                                   "cancel is for batch:ID or payout:TRADENO",
		"ask payout:a'b --reason x":                                 "a tradeNo is 1 to 64",
		"resolve T1 --as lost --reason x":                           "--as",
		"ask payout:T1 --reason x --wait soon":                      "--wait",
	} {
		if status, out := run(t, strings.Fields(args)...); status != cli.Wrong || !strings.Contains(out, says) {
			t.Errorf("payctl %s: %d %s", args, status, out)
		}
	}
	if len(o.words) > 0 {
		t.Errorf("%+v", o.words)
	}
}

// A confirm waits for what becomes of the action that it is about.
func TestAConfirmWaitsForItsAction(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; {
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, `{"id":"A2","kind":"confirm","action":"A1","status":"waits"}`)
		case strings.HasSuffix(r.URL.Path, "/A2"):
			_, _ = io.WriteString(w, `{"id":"A2","kind":"confirm","action":"A1","status":"obeyed"}`)
		default:
			_, _ = io.WriteString(w, `{"id":"A1","kind":"resolve","status":"refused","outcomes":[{"result":"refused","tradeNo":"T1","detail":"it is paid"}]}`)
		}
	}))
	defer server.Close()
	if status, out := run(t, "confirm", "A1", "--url", server.URL, "--token-file", tokenFile(t)); status != cli.Failed || !strings.Contains(out, "it is paid") || asked != 3 {
		t.Errorf("%d %d %s", status, asked, out)
	}
}

// A pause is written without a back office, for the hour in which it is down.
func TestAPauseWithoutABackOffice(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payout.actions"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	t.Setenv("ACTIONS_KEY", "a key of thirty-two bytes or more")
	args := []string{"pause", "fleet", "--direct", broker.ListenAddrs()[0], "--by", "alice", "--reason", "the office burns"}
	if status, out := run(t, args...); status != cli.Done || !strings.Contains(out, "payout.actions, offset 0, signed") {
		t.Errorf("%d %s", status, out)
	}
	short, out := run(t, "--json", "pause", "fleet", "--direct", broker.ListenAddrs()[0])
	var written api.Action
	if err := json.Unmarshal([]byte(out), &written); short != cli.Done || err != nil || written.Reason != noReason || written.By != userHere() || written.By == "" {
		t.Errorf("%d %s", short, out)
	}
	if status, out := run(t, append(args, "--topic", "nowhere")...); status != cli.Wrong || !strings.Contains(out, "kafka has no topic nowhere") {
		t.Errorf("%d %s", status, out)
	}
}

// tokenFile is a file with a token in it.
func tokenFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte("token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
