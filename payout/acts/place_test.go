package acts

import (
	"testing"
	"time"

	"disburser/payout/secrets"
)

func TestPlaces(t *testing.T) {
	none, first, second, renewed := Place{}, Place{0, 5, "a:b"}, Place{0, 6, "c"}, Place{1, 0, "d"}
	for i, p := range []Place{none, first, second, renewed} {
		for j, o := range []Place{none, first, second, renewed} {
			if p.After(o) != (i > j) || p.Denies(o) {
				t.Errorf("%v and %v", p, o)
			}
		}
		if ParsePlace(p.Text()) != p {
			t.Errorf("%q is read as %v", p.Text(), ParsePlace(p.Text()))
		}
	}
	if other := (Place{0, 5, "x"}); !other.Denies(first) || !first.Denies(other) || other.After(first) {
		t.Error("another action at the same offset")
	}
	for _, text := range []string{"", "1", "1:2", "x:2:y", "1:x:y"} {
		if ParsePlace(text).Any() {
			t.Errorf("%q", text)
		}
	}
}

// The latest action is the last that can be read, whatever became of it. A generation only grows, and only somebody
// with the key begins one.
func TestTheLatestActionAndItsGeneration(t *testing.T) {
	key := secrets.New("a key of thirty-two bytes or more")
	f := NewFold(Rules{Keys: Keys{Current: key}})
	take := func(offset int64, a Action, key secrets.Secret) Result {
		a.By, a.Reason, a.Time = "alice", "why", time.Now()
		r, err := Write(a, key)
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = offset
		_, result, _ := f.Take(r)
		return result
	}
	fleet := Scope{Kind: Fleet}
	for _, c := range []struct {
		action Action
		key    secrets.Secret
		want   Result
		latest string
	}{
		{Action{ID: "a", Kind: Pause, Scope: fleet}, key, Obeyed, "0:0:a"},
		{Action{ID: "b", Kind: Resume, Scope: fleet}, secrets.Secret{}, Unsigned, "0:1:b"},
		{Action{ID: "c", Kind: "new", Scope: fleet}, key, Unknown, "0:1:b"},
		{Action{ID: "d", Kind: Renew, Generation: 3}, secrets.Secret{}, Unsigned, "0:3:d"},
		{Action{ID: "e", Kind: Renew}, key, Unreadable, "0:3:d"},
		{Action{ID: "f", Kind: Renew, Generation: 3}, key, Obeyed, "3:5:f"},
		{Action{ID: "g", Kind: Renew, Generation: 3}, key, Void, "3:5:f"},
		{Action{ID: "h", Kind: Renew, Generation: 2}, key, Void, "3:5:f"},
		{Action{ID: "i", Kind: Pause, Scope: fleet}, key, Obeyed, "3:8:i"},
	} {
		offset := f.View().Next()
		if got := take(offset, c.action, c.key); got != c.want || f.Latest().Text() != c.latest || f.View().Latest() != f.Latest() {
			t.Errorf("%s: %s, %s", c.action.ID, got, f.Latest().Text())
		}
	}
	if v := f.View(); v.Order() != 3<<40|9 || len(v.All()) != 2 {
		t.Errorf("%d, %v", v.Order(), v.All())
	}
}

// What is kept can be written again, and counts as it did.
func TestWhatIsKeptCountsAgain(t *testing.T) {
	rules := Rules{TwoPeople: []string{"cancel"}, Shards: 1}
	take := func(f *Fold, offset int64, a Action) {
		t.Helper()
		r, err := Write(a, secrets.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = offset
		if _, result, why := f.Take(r); result != Obeyed && result != Waits {
			t.Fatal(result, why)
		}
	}
	f := NewFold(rules)
	now := time.Now()
	take(f, 0, Action{ID: "p", Kind: Pause, Scope: Scope{Payout, "t"}, By: "alice", Time: now})
	take(f, 1, Action{ID: "c", Kind: Cancel, Scope: Scope{Batch, "b"}, By: "alice", Time: now})
	take(f, 2, Action{ID: "k", Kind: Confirm, Of: "c", By: "bob", Time: now})
	take(f, 3, Action{ID: "x", Kind: Cancel, Scope: Scope{Payout, "u"}, By: "alice", Time: now})
	take(f, 4, Action{ID: "y", Kind: Confirm, Of: "x", By: "bob", Time: now})
	kept, left := f.View().Keep()
	if len(kept) != 2 || left != 0 || kept[0].ID != "c" || kept[0].ConfirmedBy != "bob" || kept[1].ID != "p" {
		t.Fatalf("%+v, %d", kept, left)
	}
	again, offset := NewFold(rules), int64(0)
	for _, k := range kept {
		a, err := k.Again()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range append([]Action{a}, k.Confirms(func() string { return "new" })...) {
			take(again, offset, a)
			offset++
		}
	}
	for _, v := range []*View{f.View(), again.View()} {
		if v.Stops(true, "m", "b", "").Why != Cancelled || v.Stops(true, "m", "", "t").Why != Paused {
			t.Errorf("%+v", v.All())
		}
	}
}
