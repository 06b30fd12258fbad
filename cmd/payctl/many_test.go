package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// holds is a back office with held payouts. It hangs up on whoever says more than it takes.
type holds struct {
	mu     sync.Mutex
	states map[string]string
	said   map[string]int // how often something was said about a payout
	takes  int
}

func (h *holds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	payoutOf := func(tradeNo string) api.Payout {
		return api.Payout{TradeNo: tradeNo, State: h.states[tradeNo], Amount: "10.5", Currency: "EGP", Merchant: "eg-main", Reason: "no record, twice"}
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	switch {
	case r.Method == http.MethodPost:
		var word api.Word
		_ = json.NewDecoder(r.Body).Decode(&word)
		tradeNo := strings.TrimPrefix(word.Scope, "payout:")
		if h.takes--; h.takes < 0 {
			panic(http.ErrAbortHandler)
		}
		h.said[tradeNo]++
		_ = json.NewEncoder(w).Encode(api.Action{ID: "A-" + tradeNo, Kind: "resolve", Status: "waits"})
	case strings.HasPrefix(path, "/actions/A-"):
		tradeNo := strings.TrimPrefix(path, "/actions/A-")
		result := "done"
		if tradeNo == "T-03" {
			result = "refused"
		}
		_ = json.NewEncoder(w).Encode(api.Action{ID: "A-" + tradeNo, Kind: "resolve", Status: result, Outcomes: []api.Outcome{{Result: result, TradeNo: tradeNo, Detail: "the provider says so"}}})
	case strings.HasPrefix(path, "/payouts/"):
		_ = json.NewEncoder(w).Encode(api.PayoutDetail{Payout: payoutOf(strings.TrimPrefix(path, "/payouts/"))})
	default:
		var page api.Payouts
		for tradeNo, state := range h.states {
			if state == r.URL.Query().Get("state") && r.URL.Query().Get("merchant") == "eg-main" {
				page.Payouts = append(page.Payouts, payoutOf(tradeNo))
			}
		}
		_ = json.NewEncoder(w).Encode(page)
	}
}

// Many held payouts are resolved. The list is shown and asked for, and what moved is left alone. A run that was stopped goes on
// with the list that was shown. Nothing is said twice.
func TestManyAreResolved(t *testing.T) {
	h := &holds{states: map[string]string{}, said: map[string]int{}}
	for i := range 20 {
		h.states[fmt.Sprintf("T-%02d", i)] = "held"
	}
	server := httptest.NewServer(h)
	defer server.Close()
	t.Setenv("PAYCTL_URL", server.URL)
	t.Setenv("PAYCTL_TOKEN", "token")
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	args := []string{"resolve", "--where", "merchant=eg-main,state=held,reason=no record, twice", "--as", "failed", "--reason", "ticket 4711"}
	stdin = strings.NewReader("no\n")
	defer func() { stdin = os.Stdin }()
	if status, out := run(t, args...); status != cli.Failed || !strings.Contains(out, "20 payouts: resolve as failed, 210 EGP in sum? Type yes: nothing was done") || !strings.Contains(out, "T-07\theld\t10.5 EGP\n") {
		t.Fatalf("%d %s", status, out)
	}
	h.takes = 9
	stdin = strings.NewReader("yes\n")
	if status, out := run(t, args...); status != cli.Failed || !strings.Contains(out, "11 payouts left: say the same again") {
		t.Fatalf("%d %s", status, out)
	}
	h.mu.Lock()
	h.takes = 100
	moved := ""
	for tradeNo := range h.states {
		if h.said[tradeNo] == 0 && tradeNo != "T-03" {
			moved = tradeNo
		}
	}
	h.states[moved], h.states["T-99"] = "paid", "held" // one moves, one comes
	h.mu.Unlock()
	status, out := run(t, args...)
	for _, has := range []string{"it goes on with the list that was shown then, 11 of 20 payouts are left", moved + "\tmoved\tit was held and is paid now", "18 done, 1 moved, 1 refused"} {
		if status != cli.Failed || !strings.Contains(out, has) {
			t.Errorf("%d, and not %q: %s", status, has, out)
		}
	}
	for tradeNo, n := range h.said {
		if n != 1 || tradeNo == moved || tradeNo == "T-99" {
			t.Errorf("%s: said %d times", tradeNo, n)
		}
	}
	if len(h.said) != 19 {
		t.Errorf("%d payouts", len(h.said))
	}
	if left, _ := filepath.Glob(filepath.Join(state, "payctl", "*")); len(left) > 0 {
		t.Errorf("a run that is over leaves %s", left)
	}

	file := write(t, "list.txt", "T-01\nT-02\n\nT-01\n")
	status, out = run(t, "resolve", "--from", file, "--as", "failed", "--reason", "x", "--yes", "--json")
	if status != cli.Done || strings.Count(out, `"result":"done"`) != 2 {
		t.Errorf("%d %s", status, out)
	}
}

func TestListsAndConditions(t *testing.T) {
	for text, want := range map[string]struct {
		query  url.Values
		reason string
	}{
		"merchant=a,state=held":        {url.Values{"merchant": {"a"}, "state": {"held"}}, ""},
		"reason=no record, twice":      {url.Values{}, "no record, twice"},
		"reason=a=b,batch=2026-11":     {url.Values{"batch": {"2026-11"}}, "a=b"},
		"batch=x' OR 1=1--,state=held": {url.Values{"batch": {"x' OR 1=1--"}, "state": {"held"}}, ""},
	} {
		query, reason, err := parseWhere(text)
		if err != nil || query.Encode() != want.query.Encode() || reason != want.reason {
			t.Errorf("%s: %v %q %v", text, query, reason, err)
		}
	}
	for _, text := range []string{"", "payee=kevin", "merchant", "merchant=", "state=lost", "state=held,state=held", "state=held,x"} {
		if _, _, err := parseWhere(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	for text, want := range map[string]string{"a\nb\r\na\n": "a b", "tradeNo,amount\nc,1\n": "c", "{\"tradeNo\":\"d\"}\n": "d", "a\nb c\n": "", "tradeNo\nx\n": "x"} {
		all, err := tradeNosOf([]byte(text))
		if strings.Join(all, " ") != want && err == nil || want == "" && err == nil {
			t.Errorf("%q: %v %v", text, all, err)
		}
	}
	if _, err := (many{From: "-"}).input(); err == nil {
		t.Error("stdin answers too")
	}
	for _, args := range []string{"ask --reason x", "ask payout:T1 --from f --reason x", "cancel --from nowhere --reason x", "resolve --where payee=x --as paid --reason x"} {
		t.Setenv("PAYCTL_URL", "http://127.0.0.1:1")
		t.Setenv("PAYCTL_TOKEN", "t")
		t.Setenv("XDG_STATE_HOME", t.TempDir())
		if status, out := run(t, strings.Fields(args)...); status != cli.Wrong {
			t.Errorf("%s: %d %s", args, status, out)
		}
	}
}

// A journal whose last line was cut off goes on before it.
func TestARunThatWasCutOff(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	w := api.Word{Kind: "ask"}
	j, err := openRun("o", w, "state=held", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.begin([]frozen{{TradeNo: "a"}, {TradeNo: "b"}, {TradeNo: "c"}}); err != nil {
		t.Fatal(err)
	}
	for _, st := range []step{{TradeNo: "a", ID: "1", Result: "done"}, {TradeNo: "b", ID: "2"}} {
		if err := j.note(st); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.file.WriteString(`{"tradeNo":"c","res`); err != nil {
		t.Fatal(err)
	}
	j.close()
	again, err := openRun("o", w, "state=held", nil)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range again.left() {
		left = append(left, f.TradeNo+again.said[f.TradeNo])
	}
	if !slices.Equal(left, []string{"b2", "c"}) {
		t.Error(left)
	}
	again.close()
	if other, err := openRun("o", w, "state=received", nil); err != nil || other.list != nil {
		t.Error(other, err)
	}
}
