package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/acts"
)

// waitingRoom is a back office with actions that wait. One is the caller's own, one has ended, and of one the outcome is a refusal.
type waitingRoom struct {
	actions   map[string]api.Action
	confirmed []string
}

func newWaitingRoom() *waitingRoom {
	room := &waitingRoom{actions: map[string]api.Action{}}
	for i := range 6 {
		id := fmt.Sprintf("A%d", i)
		room.actions[id] = api.Action{
			ID: id, Kind: acts.Resolve, Scope: "payout:T" + id, As: "failed", Force: true, By: "alice", Reason: "ticket 4711", Status: waitsForPerson, Needs: 2,
		}
	}
	own, ended := room.actions["A4"], room.actions["A5"]
	own.By, ended.Status = "bob", "done"
	room.actions["A4"], room.actions["A5"] = own, ended
	return room
}

func (room *waitingRoom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	id := strings.TrimPrefix(path, "/actions/")
	switch {
	case r.Method == http.MethodPost:
		var word api.Word
		_ = json.NewDecoder(r.Body).Decode(&word)
		if room.actions[word.Of].By == "bob" {
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(api.Problem{Status: http.StatusForbidden, Detail: "nobody confirms their own action"})
			return
		}
		room.confirmed = append(room.confirmed, word.Of)
		a := room.actions[word.Of]
		a.Status, a.ConfirmedBy = "done", "bob"
		if word.Of == "A3" {
			a.Status = "refused"
		}
		a.Outcomes = []api.Outcome{{Result: a.Status, TradeNo: "T" + a.ID, Detail: "the provider says so"}}
		room.actions[word.Of] = a
		_ = json.NewEncoder(w).Encode(api.Action{ID: "C-" + word.Of, Kind: acts.Confirm, Of: word.Of, Status: "waits"})
	case path == "/actions":
		all := api.Actions{}
		for i := range 6 {
			all.Actions = append(all.Actions, room.actions[fmt.Sprintf("A%d", i)])
		}
		_ = json.NewEncoder(w).Encode(all)
	case strings.HasPrefix(id, "C-"):
		_ = json.NewEncoder(w).Encode(api.Action{ID: id, Kind: acts.Confirm, Of: strings.TrimPrefix(id, "C-"), Status: "obeyed"})
	case strings.HasPrefix(path, "/payouts/"):
		_ = json.NewEncoder(w).Encode(api.PayoutDetail{Payout: api.Payout{TradeNo: "T", State: "held", Amount: "10.5", Currency: "EGP"}})
	default:
		_ = json.NewEncoder(w).Encode(room.actions[id])
	}
}

// Many are confirmed: all are shown with count and sum before anything is said. Nobody's own action is confirmed, and what has ended
// is named.
func TestManyAreConfirmed(t *testing.T) {
	room := newWaitingRoom()
	server := httptest.NewServer(room)
	defer server.Close()
	t.Setenv("PAYCTL_URL", server.URL)
	t.Setenv("PAYCTL_TOKEN", "token")
	_, listed := run(t, "actions", "--waiting", "--json")
	if strings.Count(listed, "\n") != 5 || strings.Contains(listed, `"A5"`) {
		t.Fatal(listed)
	}
	list := write(t, "waiting.jsonl", listed+"A5\n\nA0\n")
	defer func() { stdin = os.Stdin }()
	stdin = strings.NewReader("no\n")
	status, out := run(t, "confirm", "--from", list, "--reason", "seen")
	for _, has := range []string{"A5 waits for nobody: it is done", "A1\tresolve payout:TA1 as failed by force\theld, 10.5 EGP\tby alice\tticket 4711\n", "Confirm 5 actions about 5 open payouts, 52.5 EGP in sum? Type yes: nothing was done"} {
		if status != cli.Failed || !strings.Contains(out, has) || len(room.confirmed) > 0 {
			t.Errorf("%d, and not %q:\n%s", status, has, out)
		}
	}
	stdin = strings.NewReader("yes\n")
	status, out = run(t, "confirm", "--from", list, "--reason", "seen")
	for _, has := range []string{"A4 is not confirmed: nobody confirms their own action", "payout:TA0\tdone\tthe provider says so\n", "payout:TA3\trefused\tthe provider says so\n"} {
		if status != cli.Failed || !strings.Contains(out, has) {
			t.Errorf("%d, and not %q:\n%s", status, has, out)
		}
	}
	if strings.Join(room.confirmed, " ") != "A0 A1 A2 A3" {
		t.Error(room.confirmed)
	}
	room.confirmed = nil
	if status, out := run(t, "confirm", "--from", write(t, "again", "A0\nA1\n"), "--reason", "seen", "--yes"); status != cli.Failed || !strings.Contains(out, "none of them waits") || len(room.confirmed) > 0 {
		t.Errorf("%d %s", status, out)
	}
	for _, args := range [][]string{{"confirm"}, {"confirm", "A1", "--from", list}, {"confirm", "--from", "nowhere"}, {"confirm", "--from", write(t, "bad", "a b\n")}, {"confirm", "--from", "-"}} {
		if status, out := run(t, append(args, "--reason", "seen")...); status != cli.Wrong {
			t.Errorf("%v: %d %s", args, status, out)
		}
	}
}
