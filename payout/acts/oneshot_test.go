package acts

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"disburser/payout/secrets"
)

// ended is the record of an outcome at an offset, signed by a key.
func ended(t testing.TB, offset int64, by secrets.Secret, e Ended) Record {
	t.Helper()
	e.Time = noon
	r, err := e.Record(by)
	if err != nil {
		t.Fatal(err)
	}
	r.Offset, r.Time = offset, noon
	return r
}

// ids are those of what is pending, with a mark on what waits for another person.
func ids(f *Fold) string {
	text := ""
	for _, o := range f.View().OneShots() {
		text += o.ID
		if !o.Complete {
			text += "?"
		}
		text += " "
	}
	return text
}

func confirm(id, by, of string) Action { return Action{ID: id, Kind: Confirm, By: by, Of: of} }

func TestAnOutcomeIsReadAsItWasWritten(t *testing.T) {
	certain := Ended{Of: "1", Result: Refused, TradeNo: "p1", Detail: "it was sent", Evidence: &Evidence{"no_record", "8000", 7, noon}}
	for _, want := range []Ended{
		certain,
		{Of: "1", Result: Expired, TradeNo: "p1", Uncertain: true},
		{Of: "1", Result: Done, Shard: 3, Counts: map[string]int{"rejected": 4, "sent": 1}},
		{Of: "1", Result: Done},
	} {
		r := ended(t, 4, key, want)
		a, result, why := Parse(r, keys)
		want.Time = noon
		if result != Obeyed || a.Ended == nil || !reflect.DeepEqual(*a.Ended, want) || a.ID != want.ID() || a.By != "disburser" {
			t.Errorf("%s %s\ngot  %+v\nwant %+v", result, why, a.Ended, want)
		}
	}
	want := `{"id":"` + certain.ID() + `","kind":"outcome","action":"1","result":"refused","tradeNo":"p1","detail":"it was sent",` +
		`"evidence":{"finding":"no_record","code":"8000","asks":7,"at":"2026-11-25T12:00:00Z"},"by":"disburser","time":"2026-11-25T12:00:00Z"}`
	if r := ended(t, 4, key, certain); string(r.Value) != want {
		t.Errorf("%s", r.Value)
	}
	other := certain
	other.Result, other.Detail = Done, "another instance's word"
	if certain.ID() != other.ID() || (Ended{Of: "1"}).ID() == (Ended{Of: "1", Shard: 1}).ID() || !isWord(certain.ID()) {
		t.Error("an outcome's id must follow from its action and its place alone")
	}
}

// The outcome of an action that can be written survives being read: by any deadline, also none.
func TestDeadlines(t *testing.T) {
	for _, lasts := range []time.Duration{0, time.Second, time.Hour} {
		a, _, _ := Parse(at(t, 0, key, Action{ID: "1", Kind: Ask, Scope: scope(t, "payout:p1"), Lasts: lasts}), keys)
		if a.Lasts != lasts {
			t.Errorf("%v became %v", lasts, a.Lasts)
		}
	}
	for name, c := range map[string]struct {
		times string
		want  time.Duration
	}{
		"the same":     {`"time":"2026-11-25T12:00:00Z","deadline":"2026-11-25T12:00:00Z"`, -1},
		"before":       {`"time":"2026-11-25T12:00:00Z","deadline":"2026-11-25T11:00:00Z"`, -1},
		"no time":      {`"deadline":"2026-11-25T11:00:00Z"`, -1},
		"unreadable":   {`"time":"2026-11-25T12:00:00Z","deadline":"soon"`, -1},
		"another zone": {`"time":"2026-11-25T12:00:00+02:00","deadline":"2026-11-25T10:00:07Z"`, 7 * time.Second},
		"in a year":    {`"time":"2026-11-25T12:00:00Z","deadline":"2027-11-25T12:00:00Z"`, longest},
		"for ever":     {`"time":"0001-01-01T00:00:00Z","deadline":"9999-11-25T12:00:00Z"`, longest},
	} {
		r := Record{Key: []byte("1"), Value: []byte(`{"id":"1","kind":"ask","scope":"payout:x","by":"a",` + c.times + `}`)}
		if a, result, _ := Parse(r, Keys{}); a.Lasts != c.want || result != Obeyed {
			t.Errorf("%s: %v %s", name, a.Lasts, result)
		}
	}
}

// What is carried out once is pending until its outcome stands: a payout's one, a batch's of each shard.
func TestWhatIsPending(t *testing.T) {
	f := NewFold(Rules{Keys: keys, Shards: 2})
	f.Take(at(t, 0, key, Action{ID: "1", Kind: Ask, Scope: scope(t, "payout:p1")}))
	f.Take(at(t, 1, key, Action{ID: "2", Kind: Resolve, Scope: scope(t, "payout:p2"), As: Paid}))
	f.Take(at(t, 2, key, Action{ID: "3", Kind: Ask, Scope: scope(t, "batch:b1")}))
	f.Take(at(t, 3, key, Action{ID: "1", Kind: Ask, Scope: scope(t, "payout:p7")})) // a copy is nothing
	if got := ids(f); got != "1 2 3 " {
		t.Fatalf("%q", got)
	}
	for i, c := range []struct {
		by     secrets.Secret
		e      Ended
		result Result
		left   string
	}{
		{secrets.Secret{}, Ended{Of: "1", Result: Done, TradeNo: "p1"}, Unsigned, "1 2 3 "},
		{other, Ended{Of: "1", Result: Done, TradeNo: "p1"}, Unsigned, "1 2 3 "},
		{key, Ended{Of: "1", Result: Done, TradeNo: "p2"}, Void, "1 2 3 "},
		{key, Ended{Of: "x", Result: Done, TradeNo: "p1"}, Void, "1 2 3 "},
		{key, Ended{Of: "3", Result: Done, TradeNo: "p1"}, Void, "1 2 3 "},
		{key, Ended{Of: "1", Result: Done, TradeNo: "p1"}, Done, "2 3 "},
		{key, Ended{Of: "1", Result: Done, TradeNo: "p1"}, Repeated, "2 3 "},
		{key, Ended{Of: "2", Result: Refused, TradeNo: "p2"}, Refused, "3 "},
		{key, Ended{Of: "3", Result: Expired, Shard: 1}, Expired, "3 "},
		{key, Ended{Of: "3", Result: Done, Shard: 0}, Done, ""},
	} {
		a, result, _ := f.Take(ended(t, int64(4+i), c.by, c.e))
		if got := ids(f); result != c.result || got != c.left {
			t.Errorf("%d: %s, %q is left; want %s, %q", i, result, got, c.result, c.left)
		}
		if result == Expired && (a.Kind != Ask || a.ID == "3") {
			t.Errorf("an outcome counts under the kind of its action: %+v", a)
		}
	}
	if len(f.pending) != 0 {
		t.Error("something stays in memory")
	}
}

// A payout's cancel stops it until its outcome stands, a batch's for ever. Only a refused one of a batch that
// nobody knows falls (protocol A0).
func TestACancelStandsUntil(t *testing.T) {
	for name, c := range map[string]struct {
		scope string
		lasts time.Duration
		ended Ended
		want  Why
	}{
		"a payout's, done":                {"payout:p1", 0, Ended{Result: Done, TradeNo: "p1"}, ""},
		"a payout's, refused":             {"payout:p1", 0, Ended{Result: Refused, TradeNo: "p1"}, ""},
		"a payout's, expired":             {"payout:p1", 0, Ended{Result: Expired, TradeNo: "p1"}, ""},
		"a payout's, another's outcome":   {"payout:p1", 0, Ended{Result: Done, TradeNo: "p2"}, Cancelled},
		"a batch's, done":                 {"batch:b1", 0, Ended{Result: Done}, Cancelled},
		"a batch's, nothing in one shard": {"batch:b1", 0, Ended{Result: Refused, Shard: 1}, Cancelled},
		"a batch's, nobody knows it":      {"batch:b1", 0, Ended{Result: Refused}, ""},
	} {
		f := NewFold(Rules{Keys: keys, Shards: 2})
		f.Take(at(t, 0, key, Action{ID: "1", Kind: Cancel, Scope: scope(t, c.scope), Lasts: c.lasts}))
		if stopped(f) != Cancelled {
			t.Errorf("%s: not cancelled at first", name)
		}
		c.ended.Of = "1"
		f.Take(ended(t, 1, key, c.ended))
		if got := stopped(f); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	f := NewFold(Rules{})
	f.Take(Record{Key: []byte("1"), Value: []byte(`{"id":"1","kind":"cancel","scope":"payout:p1","by":"a","time":"2026-11-25T12:00:00Z","deadline":"2026-11-25T12:00:00Z"}`)})
	if o := f.View().OneShots(); stopped(f) != "" || len(o) != 1 || !o[0].Malformed() {
		t.Errorf("a deadline that isn't after its time: %+v", o)
	}
}

// Two people are needed where the configuration or the record says so, and always for a forced resolve. The same
// person twice is one person. The second word's offset is the action's place (protocol A9).
func TestWhoNeedsTwo(t *testing.T) {
	cancel := Action{ID: "1", Kind: Cancel, Scope: Scope{Payout, "p1"}}
	resolve := Action{ID: "1", Kind: Resolve, Scope: Scope{Payout, "p1"}, As: Failed}
	forced, needs := resolve, resolve
	forced.Force, needs.Needs = true, 3
	for name, c := range map[string]struct {
		two    []string
		action Action
		needs  int
	}{
		"nobody asks for it":     {nil, cancel, 1},
		"a cancel":               {[]string{"cancel"}, cancel, 2},
		"another kind":           {[]string{"resume", "paid"}, resolve, 1},
		"as failed":              {[]string{"failed"}, resolve, 2},
		"forced":                 {nil, forced, 2},
		"the record asks for it": {[]string{"failed"}, needs, 3},
		"an ask":                 {NeedTwo, Action{ID: "1", Kind: Ask, Scope: Scope{Payout, "p1"}}, 1},
	} {
		f := NewFold(Rules{Keys: keys, TwoPeople: c.two})
		f.Take(at(t, 0, key, c.action))
		f.Take(at(t, 1, key, pause(t, "2", "fleet")))
		f.Take(at(t, 2, key, confirm("3", "alice", "1")))
		for n := 1; n < c.needs; n++ {
			if ids(f) != "1? " || f.View().Stops(true, "m1", "b1", "p1").Why == Cancelled {
				t.Errorf("%s: %d were enough", name, n)
			}
			f.Take(at(t, int64(2+n), key, confirm(fmt.Sprint("c", n), fmt.Sprint("bob", n), "1")))
		}
		o := f.View().OneShots()[0]
		place, lasts, by := int64(1+c.needs), LastsOfTwo, "bob1"
		if c.needs == 1 {
			place, lasts, by = 0, LastsAlone, ""
		}
		if c.needs == 3 {
			by = "bob1, bob2"
		}
		if !o.Complete || o.Offset != 0 || o.Place != place || o.Lasts != lasts || o.ConfirmedBy != by {
			t.Errorf("%s: %+v", name, o)
		}
	}
	f := NewFold(Rules{Keys: keys, TwoPeople: NeedTwo})
	f.Take(at(t, 0, key, pause(t, "1", "fleet")))
	if stopped(f) != Paused {
		t.Error("a pause waits for a second person")
	}
	f.Take(at(t, 1, key, resume(t, "2", "fleet")))
	if stopped(f) != Paused {
		t.Error("one person has resumed")
	}
	f.Take(at(t, 2, key, confirm("3", "bob", "2")))
	if stopped(f) != "" {
		t.Error("two were not enough")
	}
}

// A confirmation that comes after the outcome brings nothing back.
func TestAConfirmationTooLate(t *testing.T) {
	f := NewFold(Rules{Keys: keys, TwoPeople: NeedTwo})
	f.Take(at(t, 0, key, Action{ID: "1", Kind: Cancel, Scope: Scope{Payout, "p1"}}))
	f.Take(ended(t, 1, key, Ended{Of: "1", Result: Expired, TradeNo: "p1"}))
	if _, result, _ := f.Take(at(t, 2, key, confirm("3", "bob", "1"))); result != Void || stopped(f) != "" || ids(f) != "" {
		t.Errorf("%s %q", result, ids(f))
	}
}

// A view of before shows what was pending then.
func TestAViewOfWhatIsPendingStays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	f := NewFold(Rules{Keys: keys, TwoPeople: NeedTwo, Shards: 3})
	var views []*View
	var said []string
	for i := range 200 {
		switch r.IntN(3) {
		case 0:
			f.Take(at(t, int64(i), key, Action{ID: fmt.Sprint(i), Kind: Cancel, Scope: Scope{Batch, "b1"}}))
		case 1:
			f.Take(at(t, int64(i), key, confirm(fmt.Sprint(i), "bob", fmt.Sprint(r.IntN(i+1)))))
		default:
			f.Take(ended(t, int64(i), key, Ended{Of: fmt.Sprint(r.IntN(i + 1)), Result: Done, Shard: r.IntN(3)}))
		}
		views, said = append(views, f.View()), append(said, fmt.Sprintf("%+v", f.View().OneShots()))
	}
	for i, v := range views {
		if got := fmt.Sprintf("%+v", v.OneShots()); got != said[i] {
			t.Fatalf("%d: %s became %s", i, said[i], got)
		}
	}
}

// A batch's cancel is refused, or it stands: the first word counts, whatever comes later. A refusal that is void takes no
// outcome's place (protocol A10).
func TestABatchsCancelIsRefusedOrStands(t *testing.T) {
	of := scope(t, "batch:b1")
	stands := func(t *testing.T, offset int64) Record {
		r, err := StandsFor("1", time.Unix(0, 0), key)
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = offset
		return r
	}
	said := func(t *testing.T, offset int64, shard int, result Result) Record {
		r, err := Ended{Of: "1", Shard: shard, Result: result, Detail: string(result)}.Record(key)
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = offset
		return r
	}
	for name, c := range map[string]struct {
		words           string // s stands, r refused, d done, by shard 0; D done by shard 1
		results         []Result
		inForce, firm   bool
		pending, shards int
	}{
		"nobody has spoken":       {"", nil, true, false, 1, 1},
		"it stands":               {"s", []Result{Obeyed}, true, true, 1, 1},
		"refused":                 {"r", []Result{Refused}, false, false, 0, 1},
		"refused, then it stands": {"rs", []Result{Refused, Void}, false, false, 0, 1},
		"it stands, then refused": {"sr", []Result{Obeyed, Void}, true, true, 1, 1},
		"and done after that":     {"srd", []Result{Obeyed, Void, Done}, true, true, 0, 1},
		"and refused once more":   {"srdr", []Result{Obeyed, Void, Done, Repeated}, true, true, 0, 1},
		"done":                    {"d", []Result{Done}, true, true, 0, 1},
		"done, then refused":      {"dr", []Result{Done, Repeated}, true, true, 0, 1},
		"done elsewhere":          {"D", []Result{Done}, true, false, 1, 2},
		"elsewhere, then refused": {"Dr", []Result{Done, Refused}, false, false, 0, 2},
	} {
		f := NewFold(Rules{Keys: keys, Shards: c.shards})
		f.Take(at(t, 0, key, Action{ID: "1", Kind: Cancel, Scope: of}))
		for i, letter := range c.words {
			offset := int64(1 + i)
			r := map[rune]func() Record{
				's': func() Record { return stands(t, offset) }, 'r': func() Record { return said(t, offset, 0, Refused) },
				'd': func() Record { return said(t, offset, 0, Done) }, 'D': func() Record { return said(t, offset, 1, Done) },
			}[letter]()
			if _, result, why := f.Take(r); result != c.results[i] {
				t.Errorf("%s: %c is %s (%s)", name, letter, result, why)
			}
		}
		v := f.View()
		by, ends := v.Stops(true, "eg", "b1", "p1").Ends()
		if ends != c.inForce || by.Firm != c.firm || len(v.OneShots()) != c.pending {
			t.Errorf("%s: in force %v, firm %v, %d pending", name, ends, by.Firm, len(v.OneShots()))
		}
		if v.Latest().Offset != 0 {
			t.Errorf("%s: an instance's word is the latest action: %+v", name, v.Latest())
		}
	}
}

// What instances have carried out stands, though the configuration asks for more people by now. What nobody has carried out
// waits for them.
func TestAListOfTwoPeopleLiftsNoCancel(t *testing.T) {
	of := scope(t, "batch:b1")
	stands, err := StandsFor("1", time.Unix(0, 0), key)
	if err != nil {
		t.Fatal(err)
	}
	stands.Offset = 1
	for name, c := range map[string]struct {
		word          *Record
		inForce, firm bool
		complete      bool // what pends, if any does
	}{
		"nothing":          {nil, false, false, false},
		"it stands":        {&stands, true, true, true},
		"done":             {new(ended(t, 1, key, Ended{Of: "1", Result: Done})), true, true, true},
		"done elsewhere":   {new(ended(t, 1, key, Ended{Of: "1", Result: Done, Shard: 1})), true, false, true},
		"refused":          {new(ended(t, 1, key, Ended{Of: "1", Result: Refused})), false, false, false},
		"nobody's word":    {new(ended(t, 1, secrets.Secret{}, Ended{Of: "1", Result: Done})), false, false, false},
		"another action's": {new(ended(t, 1, key, Ended{Of: "2", Result: Done})), false, false, false},
	} {
		f := NewFold(Rules{Keys: keys, Shards: 2, TwoPeople: []string{"cancel"}})
		f.Take(at(t, 0, key, Action{ID: "1", Kind: Cancel, Scope: of}))
		if c.word != nil {
			f.Take(*c.word)
		}
		v := f.View()
		by, ends := v.Stops(true, "eg", "b1", "p1").Ends()
		if ends != c.inForce || by.Firm != c.firm || v.OneShots()[0].Complete != c.complete {
			t.Errorf("%s: in force %v, firm %v, %+v", name, ends, by.Firm, v.OneShots()[0])
		}
	}
}

// An instance's word that is void takes no place: after the topic was renewed it may come before what it is about.
func TestAWordBeforeItsActionTakesNoPlace(t *testing.T) {
	stands, err := StandsFor("1", time.Unix(0, 0), key)
	if err != nil {
		t.Fatal(err)
	}
	done := ended(t, 0, key, Ended{Of: "1", Result: Done})
	f := NewFold(Rules{Keys: keys})
	for i, c := range []struct {
		record Record
		want   Result
	}{
		{stands, Void}, {done, Void}, {at(t, 0, key, Action{ID: "1", Kind: Cancel, Scope: scope(t, "batch:b1")}), Obeyed},
		{stands, Obeyed}, {stands, Repeated}, {done, Done}, {done, Repeated},
	} {
		c.record.Offset = int64(i)
		if _, result, why := f.Take(c.record); result != c.want {
			t.Errorf("record %d is %s (%s), want %s", i, result, why, c.want)
		}
	}
	if by, ends := f.View().Stops(true, "eg", "b1", "p1").Ends(); !ends || !by.Firm || len(f.View().OneShots()) != 0 {
		t.Errorf("%+v, %v, %d pending", by, ends, len(f.View().OneShots()))
	}
}

// What waits for another person is seen until that person has spoken, or its outcome stands.
func TestWhatWaitsForAPersonIsSeen(t *testing.T) {
	f := NewFold(Rules{Keys: keys, TwoPeople: NeedTwo})
	seen := func() (text string) {
		for _, a := range f.View().Waiting() {
			text += a.ID
		}
		return text
	}
	for i, c := range []struct {
		record Record
		want   string
	}{
		{at(t, 0, key, resume(t, "1", "fleet")), "1"},
		{at(t, 1, key, Action{ID: "2", Kind: Cancel, Scope: Scope{Batch, "b1"}}), "12"},
		{at(t, 2, key, Action{ID: "3", Kind: Cancel, Scope: Scope{Payout, "p1"}}), "123"},
		{at(t, 3, key, confirm("c2", "alice", "2")), "123"},
		{at(t, 4, key, confirm("c2b", "bob", "2")), "13"},
		{ended(t, 5, key, Ended{Of: "3", Result: Expired, TradeNo: "p1"}), "1"},
		{at(t, 6, key, confirm("c1", "bob", "1")), ""},
	} {
		if f.Take(c.record); seen() != c.want {
			t.Errorf("record %d: %q wait, want %q", i, seen(), c.want)
		}
	}
}
