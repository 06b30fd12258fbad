package acts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"disburser/payout/secrets"
)

var (
	key   = secrets.New("0123456789abcdef0123456789abcdef")
	old   = secrets.New("an older key of thirty-two bytes")
	other = secrets.New("a stranger's key with many bytes")
	keys  = Keys{Current: key, Old: []secrets.Secret{old}}
	noon  = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

// at is an action's record at an offset, signed by a key (none: unsigned).
func at(t testing.TB, offset int64, by secrets.Secret, a Action) Record {
	t.Helper()
	if a.By == "" {
		a.By = "alice"
	}
	a.Time = noon
	r, err := Write(a, by)
	if err != nil {
		t.Fatal(err)
	}
	r.Offset, r.Time = offset, noon.Add(time.Duration(offset)*time.Second)
	return r
}

func scope(t testing.TB, text string) Scope {
	t.Helper()
	s, err := ParseScope(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func pause(t testing.TB, id, of string) Action {
	return Action{ID: id, Kind: Pause, Scope: scope(t, of)}
}

func resume(t testing.TB, id, of string, lifts ...string) Action {
	return Action{ID: id, Kind: Resume, Scope: scope(t, of), Lifts: lifts}
}

func TestScopes(t *testing.T) {
	for _, text := range []string{"fleet", "merchant:eg-main", "batch:2026-11 payroll: all", "payout:20261125-000001", "batch:ü"} {
		if s := scope(t, text); s.String() != text {
			t.Errorf("%q became %q", text, s)
		}
	}
	for _, text := range []string{"", "Fleet", "fleet:", "fleet:x", "merchant", "merchant:", "batch:", "payout:", "country:egypt", "batch:\xff", "batch:" + strings.Repeat("x", 801)} {
		if s, err := ParseScope(text); err == nil {
			t.Errorf("%q became %q", text, s)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, a := range []Action{
		{ID: "1", Kind: Pause, Scope: scope(t, "fleet"), By: "alice", Reason: "wrong file"},
		{ID: "2", Kind: Resume, Scope: scope(t, "batch:b 1"), By: "alice", Lifts: []string{"1", "x"}, Needs: 2},
		{ID: "3", Kind: Cancel, Scope: scope(t, "payout:p1"), By: "böb"},
		{ID: "4", Kind: Confirm, Of: "2", By: "carol"},
	} {
		for _, by := range []secrets.Secret{key, old} {
			r := at(t, 7, by, a)
			got, result, why := Parse(r, keys)
			if result != Obeyed || why != "" {
				t.Errorf("%+v: %s %s", a, result, why)
			}
			want := a
			want.Needs, want.Offset, want.Read, want.Trusted, want.Time = max(1, a.Needs), 7, r.Time, true, noon
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	}
}

// Each record that isn't obeyed is skipped for a reason. What stops payouts needs no key.
func TestWhatIsSkipped(t *testing.T) {
	plain := func(id, value string) Record { return Record{Key: []byte(id), Value: []byte(value)} }
	signed := func(id, value string) Record {
		r := plain(id, value)
		r.Headers = []Header{{HeaderSig, []byte(Sign(key, r))}}
		return r
	}
	for name, c := range map[string]struct {
		record Record
		want   Result
	}{
		"a pause by nobody":               {plain("1", `{"id":"1","kind":"pause","scope":"fleet"}`), Obeyed},
		"a pause at no time":              {plain("1", `{"id":"1","kind":"pause","scope":"fleet","time":"yesterday"}`), Obeyed},
		"a pause of what nobody knows":    {plain("1", `{"id":"1","kind":"pause","scope":"batch:who knows"}`), Obeyed},
		"a pause with more than is known": {plain("1", `{"id":"1","kind":"pause","scope":"fleet","colour":[1]}`), Obeyed},
		"an unsigned batch's cancel":      {plain("1", `{"id":"1","kind":"cancel","scope":"batch:x","by":"a"}`), Obeyed},
		"an unsigned payout's cancel":     {plain("1", `{"id":"1","kind":"cancel","scope":"payout:x","by":"a"}`), Unsigned},
		"an unsigned resume":              {plain("1", `{"id":"1","kind":"resume","scope":"fleet","by":"a"}`), Unsigned},
		"an unsigned confirm":             {plain("1", `{"id":"1","kind":"confirm","action":"2","by":"a"}`), Unsigned},
		"nothing":                         {plain("1", ``), Unreadable},
		"a tombstone":                     {Record{Key: []byte("1")}, Unreadable},
		"no JSON":                         {plain("1", `pause fleet`), Unreadable},
		"another JSON":                    {plain("1", `["pause"]`), Unreadable},
		"two of them":                     {plain("1", `{"id":"1","kind":"pause","scope":"fleet"}{}`), Unreadable},
		"no id":                           {plain("", `{"kind":"pause","scope":"fleet"}`), Unreadable},
		"another key":                     {plain("2", `{"id":"1","kind":"pause","scope":"fleet"}`), Unreadable},
		"an id with a space":              {plain("1 2", `{"id":"1 2","kind":"pause","scope":"fleet"}`), Unreadable},
		"no scope":                        {plain("1", `{"id":"1","kind":"pause"}`), Unreadable},
		"a wrong scope":                   {plain("1", `{"id":"1","kind":"pause","scope":"everything"}`), Unreadable},
		"a cancel of all":                 {signed("1", `{"id":"1","kind":"cancel","scope":"fleet","by":"a"}`), Unreadable},
		"a resume by nobody":              {signed("1", `{"id":"1","kind":"resume","scope":"fleet"}`), Unreadable},
		"a confirm of nothing":            {signed("1", `{"id":"1","kind":"confirm","by":"a"}`), Unreadable},
		"another kind":                    {signed("1", `{"id":"1","kind":"explode","scope":"fleet","by":"a"}`), Unknown},
		"no kind":                         {signed("1", `{"id":"1","scope":"fleet","by":"a"}`), Unknown},
		"a resolve":                       {signed("1", `{"id":"1","kind":"resolve","scope":"payout:x","as":"paid","by":"a"}`), Obeyed},
		"a resolve of a batch":            {signed("1", `{"id":"1","kind":"resolve","scope":"batch:x","as":"paid","by":"a"}`), Unreadable},
		"a resolve as rejected":           {signed("1", `{"id":"1","kind":"resolve","scope":"payout:x","as":"rejected","by":"a"}`), Unreadable},
		"an unsigned resolve":             {plain("1", `{"id":"1","kind":"resolve","scope":"payout:x","as":"paid","by":"a"}`), Unsigned},
		"an ask of a merchant":            {signed("1", `{"id":"1","kind":"ask","scope":"merchant:x","by":"a"}`), Unreadable},
		"an unsigned ask":                 {plain("1", `{"id":"1","kind":"ask","scope":"payout:x","by":"a"}`), Unsigned},
		"a deadline before its time":      {signed("1", `{"id":"1","kind":"ask","scope":"payout:x","by":"a","time":"2026-11-25T12:00:00Z","deadline":"2026-11-25T11:00:00Z"}`), Obeyed}, // and refused by an outcome
		"an outcome":                      {signed("1", `{"id":"1","kind":"outcome","action":"2","result":"done","shard":0}`), Obeyed},
		"an unsigned outcome":             {plain("1", `{"id":"1","kind":"outcome","action":"2","result":"done","shard":0}`), Unsigned},
		"an outcome of nothing":           {signed("1", `{"id":"1","kind":"outcome","result":"done","shard":0}`), Unreadable},
		"an outcome nowhere":              {signed("1", `{"id":"1","kind":"outcome","action":"2","result":"done"}`), Unreadable},
		"an outcome in two places":        {signed("1", `{"id":"1","kind":"outcome","action":"2","result":"done","shard":0,"tradeNo":"x"}`), Unreadable},
		"another outcome":                 {signed("1", `{"id":"1","kind":"outcome","action":"2","result":"maybe","shard":0}`), Unreadable},
	} {
		if _, got, why := Parse(c.record, keys); got != c.want || (got == Obeyed) != (why == "") {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.want, why)
		}
	}
}

// Only a key that is ours vouches, and for exactly this record (protocol A11).
func TestSignatures(t *testing.T) {
	a := resume(t, "r", "fleet")
	good := at(t, 0, key, a)
	for name, c := range map[string]struct {
		keys   Keys
		change func(*Record)
		want   Result
	}{
		"ours":                    {keys, func(*Record) {}, Obeyed},
		"an old one":              {Keys{other, []secrets.Secret{old, key}}, func(*Record) {}, Obeyed},
		"a stranger's":            {Keys{Current: other}, func(*Record) {}, Unsigned},
		"an empty old one":        {Keys{other, []secrets.Secret{{}}}, func(r *Record) { r.Headers = []Header{{HeaderSig, []byte(Sign(secrets.Secret{}, *r))}} }, Unsigned},
		"no key is set":           {Keys{}, func(r *Record) { r.Headers = nil }, Obeyed},
		"no key but an old one":   {Keys{Old: []secrets.Secret{old}}, func(r *Record) { r.Headers = nil }, Obeyed},
		"none":                    {keys, func(r *Record) { r.Headers = nil }, Unsigned},
		"an empty one":            {keys, func(r *Record) { r.Headers = []Header{{HeaderSig, nil}} }, Unsigned},
		"two":                     {keys, func(r *Record) { r.Headers = append(r.Headers, r.Headers[0]) }, Unsigned},
		"cut":                     {keys, func(r *Record) { r.Headers = []Header{{HeaderSig, r.Headers[0].Value[:62]}} }, Unsigned},
		"no hex":                  {keys, func(r *Record) { r.Headers = []Header{{HeaderSig, []byte("sig")}} }, Unsigned},
		"of another value":        {keys, func(r *Record) { r.Value = []byte(strings.Replace(string(r.Value), "fleet", "batch:x", 1)) }, Unsigned},
		"of another number needs": {keys, func(r *Record) { r.Headers = append(r.Headers, Header{HeaderNeeds, []byte("1")}) }, Unsigned},
		"of another key": {keys, func(r *Record) {
			r.Key, r.Value = []byte("s"), []byte(strings.Replace(string(r.Value), `"r"`, `"s"`, 1))
		}, Unsigned},
	} {
		r := good
		r.Headers = append([]Header(nil), good.Headers...)
		c.change(&r)
		if _, got, why := Parse(r, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.want, why)
		}
	}
}

// No part of what is signed can be moved to its neighbour.
func TestWhatIsSignedHasBorders(t *testing.T) {
	sums := map[string]string{}
	for _, r := range []Record{
		{Key: []byte("ab"), Value: []byte("c")}, {Key: []byte("a"), Value: []byte("bc")},
		{Key: []byte("a"), Value: []byte("b"), Headers: []Header{{HeaderNeeds, []byte("c")}}}, {Key: []byte("abc")},
	} {
		sum := Sign(key, r)
		if sums[sum] != "" {
			t.Errorf("%s and %s are signed alike", sums[sum], r.Key)
		}
		sums[sum] = string(r.Key)
	}
	// So that another program can sign too.
	if got := Sign(secrets.New("key"), Record{Key: []byte("id"), Value: []byte("{}"), Headers: []Header{{HeaderNeeds, []byte("2")}}}); got != "a30c1e50a2677cc46d7604bd709b5b11341439c5af0c4c753b5b8539ff772d99" {
		t.Error(got)
	}
}

func TestIDs(t *testing.T) {
	if got := NewID(time.UnixMilli(1469918176385), [10]byte{}); got != "01ARYZ6S410000000000000000" { // the example of the ULID's specification
		t.Error(got)
	}
	if got := NewID(time.UnixMilli(0), [10]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}); got != "0000000000ZZZZZZZZZZZZZZZZ" {
		t.Error(got)
	}
	if !isWord(NewID(noon, [10]byte{1})) || NewID(noon, [10]byte{}) >= NewID(noon.Add(time.Millisecond), [10]byte{}) {
		t.Error("an id is no word, or doesn't sort by time")
	}
}

// FuzzParse: nothing that stands in the topic ends the process, and what has no key lets nothing go on.
func FuzzParse(f *testing.F) {
	f.Add("1", `{"id":"1","kind":"pause","scope":"fleet"}`, "", "")
	f.Add("2", `{"id":"2","kind":"resume","scope":"fleet","by":"a","lifts":["1"]}`, "00", "2")
	f.Add("3", `{"id":"3","kind":"cancel","scope":"batch:x","by":"a"}`, "zz", "x")
	f.Add("4", `{"id":"4","kind":"confirm","action":"2","by":"b"}`, "", "-1")
	f.Add("", `{}`, "", "")
	f.Fuzz(func(t *testing.T, id, value, sig, needs string) {
		r := Record{Offset: 1, Key: []byte(id), Value: []byte(value), Headers: []Header{{HeaderSig, []byte(sig)}, {HeaderNeeds, []byte(needs)}}}
		a, result, why := Parse(r, keys)
		if result == Obeyed && a.Kind != Pause {
			t.Fatalf("a stranger's %s is obeyed", a.Kind)
		}
		if (result == Obeyed) != (why == "") {
			t.Fatalf("%s, %q", result, why)
		}
		fold := NewFold(Rules{Keys: keys})
		fold.Take(at(t, 0, key, pause(t, "before", "fleet")))
		fold.Take(r)
		if !fold.View().Stops(true, "", "", "").Any() {
			t.Fatal("a stranger lifted a pause")
		}
	})
}
