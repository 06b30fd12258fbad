package journal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
)

// ordersOf are all orders of each subset of letters.
func ordersOf(letters string) []string {
	all := []string{""}
	for i, letter := range letters {
		for _, rest := range ordersOf(letters[:i] + letters[i+len(string(letter)):]) {
			all = append(all, string(letter)+rest)
		}
	}
	return all
}

// ranked is where a payout is after a replay of what the letters stand for, by the ranks of protocol A6.
func ranked(from, said string) string {
	has := func(letter string) bool { return strings.Contains(said, letter) }
	provider := from == "paid" || from == "partial" || from == "failed"
	memory := from == "unknown" || strings.HasPrefix(from, "remembered")
	own := from == "failed by absence" || from == "rejected"
	switch {
	case has("F") || from == "remembered as ended":
		return "remembered as ended"
	case provider:
		return from
	case has("B"):
		return "failed by a person"
	case has("D"):
		return "rejected"
	case has("H") && memory, from == "remembered as held":
		return "remembered as held"
	case has("H"):
		return "held"
	case has("S") && memory:
		return "remembered as sent"
	case has("S") && strings.HasSuffix(from, "by a person"):
		return "held" // as sending it could be sent again
	case has("S") && (from == "received" || own):
		return "sending"
	}
	return from
}

// Whatever the log says of a payout, in any order of portions and more than once: the ranks decide. A person's end
// that a decision vouches for stands over all but an announced final, and without one a held payout is never sent.
func TestThePersonsEndRanksInAnyOrder(t *testing.T) {
	var variants []string
	for _, letters := range []string{"BHS", "DHS", "FB", "FH", "FS"} {
		variants = append(variants, ordersOf(letters)...)
	}
	slices.Sort(variants)
	variants = slices.Compact(variants)
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for _, token := range []string{noToken, "=another-one"} { // not vouched for, or in an earlier building
			s := onStage(t, client, variants, func(string, *payout.Payout) (string, time.Time) { return token, time.Time{} })
			id := build(t, s.j)
			for at := range 3 {
				var items []epochs.Restored
				for tradeNo := range s.from {
					_, said, _ := strings.Cut(tradeNo, "/")
					if at >= len(said) {
						continue
					}
					item := was(epochs.RestoredKind(said[at]), tradeNo, payout.StatePaid)
					switch said[at] {
					case 'B':
						item.Kind, item.State, item.By, item.Action = epochs.WasEnded, payout.StateFailed, "alice", "1"
					case 'D':
						item.State = payout.StateRejected
					}
					items = append(items, item)
				}
				restore(t, s.j, id, items...)
				restore(t, s.j, id, items...)
			}
			for tradeNo, got := range s.places() {
				from, said := s.from[tradeNo], strings.TrimPrefix(tradeNo, s.from[tradeNo]+"/")
				if want := ranked(from, said); got != want {
					t.Errorf("%s, replayed %q: it is %s, want %s", from, said, got, want)
				}
			}
		}
	})
}

// A later rebuild still knows that a restored end is a person's: it makes it held again, never sending.
func TestAPersonsEndStaysAPersons(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		end := was(epochs.WasEnded, "a", payout.StateFailed)
		end.By, end.ConfirmedBy, end.Action = "alice", "bob", "1"
		known(t, j, "a", 3, payout.StateHeld)
		open(t, j, build(t, j, end))
		if p := show(t, client, j, "a"); p.By != "alice" || p.ConfirmedBy != "bob" || p.Action != "1" || !p.EndedByPerson() || p.Absent {
			t.Errorf("%+v", p)
		}
		open(t, j, build(t, j, was(epochs.WasDecided, "a", 0)))
		if p := show(t, client, j, "a"); p.State != payout.StateHeld || p.By != "" {
			t.Errorf("%+v", p)
		}
	})
}

// What a replay or an insert makes held counts as shown, and as sent as late as any send that may still leave.
func TestWhatARebuildHoldsCountsAsShown(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		known(t, j, "person", 3, payout.StateFailed)
		write(t, j, lease(t, j, payout.StepAnnounce, "", 1), func(p *payout.Payout) { p.By, p.Due = "alice", time.Now() })
		known(t, j, "received", 4, payout.StateReceived)
		known(t, j, "sent", 5, payout.StateReceived)
		id := build(t, j, was(epochs.WasHeld, "received", payout.StateHeld), was(epochs.WasDecided, "sent", 0), was(epochs.WasHeld, "sent", payout.StateHeld),
			was(epochs.WasDecided, "person", 0), was(epochs.WasHeld, "memory", payout.StateHeld))
		open(t, j, id)
		if got := insert(t, j, 9, at("memory", 3)); got != "d" {
			t.Fatalf("outcome %q", got)
		}
		for _, tradeNo := range []string{"received", "sent", "person", "memory"} {
			p := show(t, client, j, tradeNo)
			if p.State != payout.StateHeld || !p.MaybeShown() || p.Sends < 1 || !p.SendBy.After(time.Now()) || p.By != "" || p.Own() || p.Reason == "" {
				t.Errorf("%s: %+v", tradeNo, p)
			}
		}
	})
}
