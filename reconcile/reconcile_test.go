package reconcile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout/money"
)

var now = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func amount(text string) money.Amount {
	a, err := money.Read(text)
	if err != nil {
		panic(text)
	}
	return a
}

func order(tradeNo, a string) Order {
	return Order{TradeNo: tradeNo, Amount: amount(a), Currency: "EGP"}
}

func result(tradeNo string, t message.EventType, a string) Result {
	return Result{TradeNo: tradeNo, EventID: tradeNo + string(t), Type: t, Amount: amount(a), Currency: "EGP"}
}

func line(tradeNo string, s State, a string) Line {
	return Line{TradeNo: tradeNo, State: s, Amount: amount(a), Currency: "EGP"}
}

// each hands out values.
func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// books are an input that can be read again.
type books struct {
	orders  []Order
	results []Result
	lines   []Line
	without bool // there is no statement
}

func (b books) run(t testing.TB, o Options) Report {
	t.Helper()
	in := Input{Orders: each(b.orders), Results: each(b.results), Lines: each(b.lines)}
	if b.without {
		in.Lines = nil
	}
	o.Now, o.Dir = now, t.TempDir()
	report, err := Run(in, o)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
	return report
}

func TestEachClass(t *testing.T) {
	later := order("A", "300")
	later.NotBefore = now.Add(time.Hour)
	paid, failed, held := result("A", message.EventPaid, "300"), result("A", message.EventFailed, "300"), result("A", message.EventHeld, "300")
	partial, underpaid := result("A", message.EventPartial, "300"), paid
	partial.PaidAmount, underpaid.PaidAmount = "100.00", "299"
	dollars := line("A", Paid, "300")
	dollars.Currency = "USD"
	for name, c := range map[string]struct {
		orders  []Order
		results []Result
		lines   []Line
		want    string
	}{
		"all agree":                {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Paid, "300.00")}, ""},
		"repeated":                 {[]Order{order("A", "300"), order("A", "300.00")}, []Result{paid, paid, held}, []Line{line("A", Paid, "300")}, ""},
		"failed everywhere":        {[]Order{order("A", "300")}, []Result{failed}, []Line{line("A", Failed, "300")}, ""},
		"failed and not there":     {[]Order{order("A", "300")}, []Result{failed}, nil, ""},
		"failed and came back":     {[]Order{order("A", "300")}, []Result{failed}, []Line{line("A", Paid, "300"), line("A", Returned, "300")}, ""},
		"a part":                   {[]Order{order("A", "300")}, []Result{partial}, []Line{line("A", Paid, "100")}, ""},
		"tried twice":              {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Failed, "300"), line("A", Paid, "300")}, ""},
		"other money":              {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Paid, "300"), line("B", Credit, "5"), line("", Credit, "5")}, ""},
		"no result":                {[]Order{order("A", "300")}, nil, nil, "missing"},
		"no result but paid":       {[]Order{order("A", "300")}, nil, []Line{line("A", Paid, "300")}, "missing"},
		"held":                     {[]Order{order("A", "300")}, []Result{held}, nil, "missing"},
		"not in the statement":     {[]Order{order("A", "300")}, []Result{paid}, nil, "missing"},
		"pending in the statement": {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Pending, "300")}, "missing"},
		"unknown payment":          {nil, nil, []Line{line("A", Paid, "300")}, "unknown"},
		"unknown result":           {nil, []Result{paid}, nil, "unknown"},
		"no tradeNo":               {nil, nil, []Line{line("", Paid, "300")}, "unknown"},
		"paid twice":               {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Paid, "300"), line("A", Paid, "300")}, "duplicate"},
		"two results":              {[]Order{order("A", "300")}, []Result{paid, failed}, []Line{line("A", Paid, "300")}, "duplicate"},
		"another amount":           {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Paid, "3000")}, "amount"},
		"another currency":         {[]Order{order("A", "300")}, []Result{paid}, []Line{dollars}, "amount"},
		"a result of another one":  {[]Order{order("A", "301")}, []Result{paid}, []Line{line("A", Paid, "300")}, "amount"},
		"the provider's amount":    {[]Order{order("A", "300")}, []Result{underpaid}, []Line{line("A", Paid, "300")}, "amount"},
		"not the part":             {[]Order{order("A", "300")}, []Result{partial}, []Line{line("A", Paid, "300")}, "amount"},
		"paid, the bank says no":   {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Failed, "300")}, "paid_but_failed"},
		"paid, and came back":      {[]Order{order("A", "300")}, []Result{paid}, []Line{line("A", Paid, "300"), line("A", Credit, "300")}, "paid_but_failed"},
		"failed, and paid":         {[]Order{order("A", "300")}, []Result{failed}, []Line{line("A", Paid, "300")}, "failed_but_paid"},
		"failed, other amount":     {[]Order{order("A", "300")}, []Result{failed}, []Line{line("A", Paid, "30")}, "amount failed_but_paid"},
		"not yet":                  {[]Order{later}, nil, nil, "not_due_yet"},
		"not yet, but paid":        {[]Order{later}, nil, []Line{line("A", Paid, "300")}, "missing"},
	} {
		report := books{c.orders, c.results, c.lines, false}.run(t, Options{})
		var classes []string
		for _, f := range report.Findings {
			classes = append(classes, string(f.Class))
			if f.Detail == "" || f.TradeNo != "A" && name != "no tradeNo" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got := strings.Join(classes, " "); got != c.want || (report.Matched == 1) != (c.want == "") || report.Agrees() != (c.want == "" || c.want == "not_due_yet") {
			t.Errorf("%s: %s, want %q", name, got, c.want)
		}
	}
	if report := (books{orders: []Order{order("A", "300")}, results: []Result{paid}, without: true}).run(t, Options{}); report.Matched != 1 {
		t.Errorf("without a statement: %+v", report)
	}
	raw, _ := json.Marshal(books{orders: []Order{order("A", "300")}}.run(t, Options{}))
	if string(raw) != `{"matched":0,"findings":[{"class":"missing","tradeNo":"A","detail":"it has no final result"}]}` {
		t.Errorf("%s", raw)
	}
}

// seeded are books with n payouts and some mismatches of eight kinds, and what must be found.
func seeded(n int) (b books, want map[string]Class) {
	want = map[string]Class{}
	for i := range n {
		tradeNo, a := fmt.Sprintf("T%07d", i), fmt.Sprint(100+i%900)
		o, r, l := order(tradeNo, a), result(tradeNo, message.EventPaid, a), line(tradeNo, Paid, a)
		if i%13 == 5 {
			r.Type = message.EventFailed
			l.State = Failed
		}
		if i%1000 == 500 {
			switch i / 1000 % 8 {
			case 0: // no result
				want[tradeNo] = Missing
				b.orders, b.lines = append(b.orders, o), append(b.lines, l)
				continue
			case 1: // not in the statement
				r.Type, want[tradeNo] = message.EventPaid, Missing
				b.orders, b.results = append(b.orders, o), append(b.results, r)
				continue
			case 2:
				want[tradeNo], l.State = Unknown, Paid
				b.lines = append(b.lines, l)
				continue
			case 3:
				r.Type, l.State, want[tradeNo] = message.EventPaid, Paid, Duplicate
				b.lines = append(b.lines, l)
			case 4:
				r.Type, l.State, l.Amount, want[tradeNo] = message.EventPaid, Paid, amount(a+".01"), Amount
			case 5:
				r.Type, l.State, want[tradeNo] = message.EventPaid, Failed, PaidButFailed
			case 6:
				r.Type, l.State, want[tradeNo] = message.EventFailed, Paid, FailedButPaid
			case 7:
				o.NotBefore, want[tradeNo] = now.Add(time.Hour), NotDueYet
				b.orders = append(b.orders, o)
				continue
			}
		}
		b.orders, b.results, b.lines = append(b.orders, o), append(b.results, r), append(b.lines, l)
	}
	return b, want
}

// Eight kinds of mismatch are found, and none is invented, with little memory as with much, in any order.
func TestAllAreFoundAndNoneIsInvented(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	b, want := seeded(n)
	first := b.run(t, Options{})
	if len(first.Findings) != len(want) || first.Matched != n-len(want) {
		t.Errorf("%d findings, want %d; %d matched", len(first.Findings), len(want), first.Matched)
	}
	for _, f := range first.Findings {
		if want[f.TradeNo] != f.Class {
			t.Errorf("%+v, want %s", f, want[f.TradeNo])
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	random.Shuffle(len(b.orders), func(i, j int) { b.orders[i], b.orders[j] = b.orders[j], b.orders[i] })
	random.Shuffle(len(b.results), func(i, j int) { b.results[i], b.results[j] = b.results[j], b.results[i] })
	random.Shuffle(len(b.lines), func(i, j int) { b.lines[i], b.lines[j] = b.lines[j], b.lines[i] })
	if again := b.run(t, Options{Memory: 1 << 20}); !reflect.DeepEqual(first, again) {
		t.Error("another order gives another report")
	}
}

// Whatever the input is, its order and the memory change nothing, byte for byte.
func TestTheOrderOfTheInputChangesNothing(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var b books
		pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
		for range random.IntN(30) {
			tradeNo := pick("A", "B", "AB", "C-1", "")
			a := pick("300", "300.00", "30")
			switch random.IntN(3) {
			case 0:
				o := order(tradeNo, a)
				if random.IntN(4) == 0 {
					o.NotBefore = now.Add(time.Duration(random.IntN(3)-1) * time.Hour)
				}
				b.orders = append(b.orders, o)
			case 1:
				r := result(tradeNo, message.EventTypes[random.IntN(len(message.EventTypes))], a)
				r.EventID, r.PaidAmount = pick("1", "2"), pick("", "300", "***")
				b.results = append(b.results, r)
			default:
				b.lines = append(b.lines, line(tradeNo, State(pick("p", "f", "r", "c", "w")[0]), a))
			}
		}
		first, _ := json.Marshal(b.run(t, Options{}))
		for range 3 {
			random.Shuffle(len(b.orders), func(i, j int) { b.orders[i], b.orders[j] = b.orders[j], b.orders[i] })
			random.Shuffle(len(b.results), func(i, j int) { b.results[i], b.results[j] = b.results[j], b.results[i] })
			random.Shuffle(len(b.lines), func(i, j int) { b.lines[i], b.lines[j] = b.lines[j], b.lines[i] })
			if again, _ := json.Marshal(b.run(t, Options{Memory: 1 + random.IntN(300)})); string(again) != string(first) {
				t.Fatalf("seed %d: %s\nthen %s", seed, first, again)
			}
		}
	}
}

// More files than are merged at a time.
func TestManyTemporaryFiles(t *testing.T) {
	b, want := seeded(3 * mostFiles)
	if report := b.run(t, Options{Memory: 1}); report.Matched != 3*mostFiles-len(want) {
		t.Errorf("%d matched", report.Matched)
	}
}

func TestAnInputThatCannotBeRead(t *testing.T) {
	bad := errors.New("line 7: broken")
	in := Input{Orders: each([]Order{order("A", "1")}), Results: each[Result](nil), Lines: func(yield func(Line, error) bool) { yield(Line{}, bad) }}
	if _, err := Run(in, Options{Memory: 1, Dir: t.TempDir()}); !errors.Is(err, bad) || err.Error() != "reconcile: the statement: line 7: broken" {
		t.Errorf("%v", err)
	}
	in.Lines = each([]Line{{TradeNo: "A", Amount: amount("1")}})
	if _, err := Run(in, Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "the state 0") {
		t.Errorf("%v", err)
	}
	in.Lines = nil
	if _, err := Run(in, Options{Memory: 1, Dir: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("%v", err)
	}
	stop := errors.New("stop")
	in.Orders = each([]Order{order("A", "1"), order("B", "1")})
	if _, err := Each(in, Options{Memory: 1, Dir: t.TempDir()}, func(Finding) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	o := Order{TradeNo: "A", Amount: amount("3.50"), Currency: "EGP", NotBefore: now.Add(5)}
	if r, err := decode(o.encode()); err != nil || r.order.Amount.Compare(o.Amount) != 0 || !r.order.NotBefore.Equal(o.NotBefore) || r.order.Currency != "EGP" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"", "A", "A\x00o\x00x\x00\x00", "A\x00q\x001\x00\x00", "A\x00r\x001\x00\x00", "A\x00s\x00pp\x001\x00", "A\x00o\x001\x00\x00x"} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%q is a record", bad)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("A\x00s\x00p\x001\x00EGP"))
	f.Add(Result{TradeNo: "A", EventID: "e", Type: message.EventPaid, Amount: amount("300")}.encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := decode(text); err == nil {
			again := written(r)
			if twice, err := decode(again); err != nil || !bytes.Equal(again, written(twice)) {
				t.Fatalf("%q: %+v, then %+v, %v", text, r, twice, err)
			}
		}
	})
}

// written is a record as it stands in a file.
func written(r record) []byte {
	switch r.kind {
	case anOrder:
		return r.order.encode()
	case aResult:
		return r.result.encode()
	case aLine:
		return r.line.encode()
	}
	return nil
}
