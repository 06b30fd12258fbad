package acts

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"disburser/payout/secrets"
)

// take folds records that are signed, at offsets 0, 1, 2, …
func take(t testing.TB, actions ...Action) *Fold {
	t.Helper()
	f := NewFold(Rules{Keys: keys})
	for i, a := range actions {
		f.Take(at(t, int64(i), key, a))
	}
	return f
}

// stopped asks about a payout p1 of batch b1 of merchant m1.
func stopped(f *Fold) Why { return f.View().Stops(true, "m1", "b1", "p1").Why }

func TestWhatIsInForce(t *testing.T) {
	for name, c := range map[string]struct {
		actions []Action
		want    Why
	}{
		"nothing":                    {nil, ""},
		"the fleet":                  {[]Action{pause(t, "1", "fleet")}, Paused},
		"its merchant":               {[]Action{pause(t, "1", "merchant:m1")}, Paused},
		"its batch":                  {[]Action{pause(t, "1", "batch:b1")}, Paused},
		"itself":                     {[]Action{pause(t, "1", "payout:p1")}, Paused},
		"another merchant":           {[]Action{pause(t, "1", "merchant:m2")}, ""},
		"a batch named as a payout":  {[]Action{pause(t, "1", "batch:p1")}, ""},
		"lifted":                     {[]Action{pause(t, "1", "fleet"), resume(t, "2", "fleet")}, ""},
		"one of two lifted":          {[]Action{pause(t, "1", "fleet"), pause(t, "2", "fleet"), resume(t, "3", "fleet", "2")}, Paused},
		"two lifted":                 {[]Action{pause(t, "1", "fleet"), pause(t, "2", "fleet"), resume(t, "3", "fleet")}, ""},
		"a wider one lifted":         {[]Action{pause(t, "1", "batch:b1"), resume(t, "2", "fleet")}, Paused},
		"a narrower one lifted":      {[]Action{pause(t, "1", "fleet"), resume(t, "2", "batch:b1", "1")}, Paused},
		"lifted before":              {[]Action{resume(t, "1", "fleet"), pause(t, "2", "fleet")}, Paused},
		"named before":               {[]Action{resume(t, "1", "fleet", "2"), pause(t, "2", "fleet")}, Paused},
		"lifts nobody":               {[]Action{pause(t, "1", "fleet"), {ID: "2", Kind: Resume, Scope: Scope{Kind: Fleet}, Lifts: []string{"x"}}}, Paused},
		"paused again":               {[]Action{pause(t, "1", "fleet"), resume(t, "2", "fleet"), pause(t, "3", "fleet")}, Paused},
		"cancelled":                  {[]Action{{ID: "1", Kind: Cancel, Scope: scope(t, "batch:b1")}}, Cancelled},
		"cancelled and resumed":      {[]Action{{ID: "1", Kind: Cancel, Scope: scope(t, "batch:b1")}, resume(t, "2", "batch:b1")}, Cancelled},
		"cancelled, paused, resumed": {[]Action{{ID: "1", Kind: Cancel, Scope: scope(t, "payout:p1")}, pause(t, "2", "payout:p1"), resume(t, "3", "payout:p1")}, Cancelled},
	} {
		if got := stopped(take(t, c.actions...)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The first record of an id counts (protocol A1). A late copy of a resume lifts no newer pause.
func TestACopyIsNothing(t *testing.T) {
	f := NewFold(Rules{Keys: keys})
	f.Take(at(t, 0, key, pause(t, "1", "fleet")))
	f.Take(at(t, 1, key, resume(t, "2", "fleet")))
	f.Take(at(t, 2, key, pause(t, "3", "fleet")))
	if _, result, _ := f.Take(at(t, 3, key, resume(t, "2", "fleet"))); result != Repeated || stopped(f) != Paused {
		t.Errorf("a copy of a resume: %s, %q", result, stopped(f))
	}
	f.Take(at(t, 4, key, resume(t, "4", "fleet")))
	if _, result, _ := f.Take(at(t, 5, key, pause(t, "3", "fleet"))); result != Repeated || stopped(f) != "" {
		t.Errorf("a copy of a pause: %s, %q", result, stopped(f))
	}
}

// The first *valid* record counts: what is skipped takes nobody's place.
func TestWhatIsSkippedTakesNobodysPlace(t *testing.T) {
	f := take(t, pause(t, "1", "fleet"))
	f.Take(at(t, 1, secrets.Secret{}, resume(t, "2", "fleet")))
	f.Take(Record{Offset: 2, Key: []byte("2"), Value: []byte("rubbish")})
	if stopped(f) != Paused {
		t.Fatal("an unsigned resume lifted a pause")
	}
	f.Take(at(t, 3, key, resume(t, "2", "fleet")))
	if stopped(f) != "" {
		t.Error("the signed resume counts for nothing")
	}
}

// Nor does an unsigned pause, though it is obeyed: whoever learns of an id early could void what is to come.
func TestAnUnsignedRecordTakesNoSignedOnesPlace(t *testing.T) {
	f := NewFold(Rules{Keys: keys})
	f.Take(at(t, 0, secrets.Secret{}, pause(t, "1", "batch:b1")))
	f.Take(at(t, 1, key, Action{ID: "1", Kind: Cancel, Scope: scope(t, "batch:b1")}))
	f.Take(at(t, 2, key, resume(t, "2", "batch:b1")))
	if stopped(f) != Cancelled {
		t.Errorf("%q: the cancellation was void", stopped(f))
	}
}

func TestAnUnsignedCancelOfABatchPausesIt(t *testing.T) {
	f := NewFold(Rules{Keys: keys})
	f.Take(at(t, 0, secrets.Secret{}, Action{ID: "1", Kind: Cancel, Scope: scope(t, "batch:b1")}))
	if stopped(f) != Paused {
		t.Errorf("%q", stopped(f))
	}
	f.Take(at(t, 1, key, resume(t, "2", "batch:b1", "1")))
	if stopped(f) != "" {
		t.Errorf("%q after it was lifted", stopped(f))
	}
}

// A resume that needs two people waits for the second one, and lifts only what stands before itself.
func TestTwoPeople(t *testing.T) {
	two := resume(t, "2", "fleet")
	two.Needs = 2
	confirm := func(id, by, of string) Action { return Action{ID: id, Kind: Confirm, By: by, Of: of} }
	f := take(t, pause(t, "1", "fleet"), confirm("0", "bob", "2"), two, confirm("3", "alice", "2"), confirm("4", "bob", "x"))
	if stopped(f) != Paused {
		t.Fatal("one person was enough")
	}
	f.Take(at(t, 5, key, pause(t, "5", "fleet")))
	f.Take(at(t, 6, key, confirm("6", "bob", "2")))
	if all := f.View().All(); len(all) != 1 || all[0].ID != "5" {
		t.Errorf("in force: %v", all)
	}
	f.Take(at(t, 7, key, confirm("7", "bob", "2")))
	if stopped(f) != Paused {
		t.Error("a second confirmation lifted what came later")
	}
}

func TestTheAnswer(t *testing.T) {
	none := NewFold(Rules{Keys: keys}).View()
	if s := none.Stops(false, "m1", "b1", "p1"); s.Why != NotFresh || !s.Wide() {
		t.Errorf("%+v", s)
	}
	if s := none.Stops(true, "m1", "b1", "p1"); s.Any() || s.Wide() {
		t.Errorf("%+v", s)
	}
	f := take(t, pause(t, "1", "batch:b1"), pause(t, "2", "merchant:m2"), Action{ID: "3", Kind: Cancel, Scope: scope(t, "payout:p9"), Reason: "twice"})
	if s := f.View().Stops(true, "m1", "b1", "p1"); s.Wide() || len(s.By) != 1 {
		t.Errorf("a batch's: %+v", s)
	}
	if s := f.View().Stops(true, "m1", "", ""); s.Any() {
		t.Errorf("a merchant is stopped by its batch: %v", s)
	}
	if s := f.View().Stops(true, "m2", "b1", "p1"); !s.Wide() || len(s.By) != 2 {
		t.Errorf("a merchant's and a batch's: %+v", s)
	}
	if s := f.View().Stops(false, "m2", "b1", "p9"); s.Why != Cancelled || s.Wide() || s.String() != "cancelled: payout:p9 by alice (action 3)" {
		t.Errorf("%v", s)
	}
	if n := f.View().Count(Pause); n[Batch] != 1 || n[Merchant] != 1 || n[Payout] != 0 {
		t.Errorf("%v", n)
	}
}

// A view doesn't change when more is taken.
func TestAViewStays(t *testing.T) {
	f := take(t, pause(t, "1", "fleet"))
	before := f.View()
	f.Take(at(t, 1, key, pause(t, "2", "fleet")))
	f.Take(at(t, 2, key, resume(t, "3", "fleet")))
	if all := before.All(); len(all) != 1 || all[0].ID != "1" || before.Next() != 1 || f.View().Next() != 3 {
		t.Errorf("%v", all)
	}
	f.Skip(9)
	if f.View().Next() != 9 {
		t.Error("what holds no record isn't skipped")
	}
	if _, result, _ := f.Take(at(t, 8, key, pause(t, "4", "fleet"))); result != Repeated || len(f.View().All()) != 0 {
		t.Error("a record of before counts")
	}
}

// Whatever copies stand where, and whatever is read once more: the same is in force. A plain fold of the first
// records says what.
func TestCopiesInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var first []Action
		scopes := []string{"fleet", "merchant:m1", "batch:b1", "payout:p1"}
		for i := range 12 {
			of := scopes[r.IntN(len(scopes))]
			a := pause(t, fmt.Sprint("a", i), of)
			if r.IntN(2) == 0 {
				a = resume(t, fmt.Sprint("a", i), of)
				if r.IntN(2) == 0 {
					a.Lifts = []string{fmt.Sprint("a", r.IntN(12)), fmt.Sprint("a", r.IntN(12))}
				}
			}
			first = append(first, a)
		}
		clean, dirty := NewFold(Rules{Keys: keys}), NewFold(Rules{Keys: keys})
		var records []Record
		offset := int64(0)
		add := func(a Action) {
			records = append(records, at(t, offset, key, a))
			offset++
		}
		for i, a := range first {
			add(a)
			clean.Take(records[len(records)-1])
			for range r.IntN(3) {
				add(first[r.IntN(i+1)]) // a copy
			}
		}
		for i, record := range records {
			dirty.Take(record)
			if r.IntN(4) == 0 {
				for _, again := range records[r.IntN(i+1) : i+1] { // read once more
					dirty.Take(again)
				}
			}
		}
		if got, want := dirty.View().All(), clean.View().All(); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %v\nwant %v", seed, got, want)
		}
	}
}

// A lane is told of each batch and each payout that something in force stops, a cancel too, and of nothing else.
func TestWhatIsStoppedNarrowly(t *testing.T) {
	f := NewFold(Rules{Keys: keys})
	is := func(batches, payouts []string) {
		t.Helper()
		n := f.View().Narrow()
		slices.Sort(n.Batches)
		slices.Sort(n.Payouts)
		if !slices.Equal(n.Batches, batches) || !slices.Equal(n.Payouts, payouts) || n.N() != len(batches)+len(payouts) {
			t.Errorf("%+v", n)
		}
	}
	is(nil, nil)
	for i, of := range []string{"fleet", "merchant:eg", "batch:b1", "payout:p1", "batch:b1"} {
		f.Take(at(t, int64(i), key, Action{ID: fmt.Sprint(i), Kind: Pause, Scope: scope(t, of)}))
	}
	f.Take(at(t, 5, key, Action{ID: "5", Kind: Cancel, Scope: scope(t, "batch:b2")}))
	f.Take(at(t, 6, key, Action{ID: "6", Kind: Cancel, Scope: scope(t, "payout:p2")}))
	is([]string{"b1", "b2"}, []string{"p1", "p2"})
	f.Take(at(t, 7, key, Action{ID: "7", Kind: Resume, Scope: scope(t, "batch:b1"), Lifts: []string{"2"}}))
	is([]string{"b1", "b2"}, []string{"p1", "p2"})
	f.Take(at(t, 8, key, Action{ID: "8", Kind: Resume, Scope: scope(t, "batch:b1")}))
	f.Take(at(t, 9, key, Action{ID: "9", Kind: Resume, Scope: scope(t, "payout:p1")}))
	is([]string{"b2"}, []string{"p2"})
}
