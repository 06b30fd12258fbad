package statements

import (
	"fmt"
	"io"
	"iter"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"disburser/reconcile"
)

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// read are the lines of a statement as "state tradeNo amount currency", and the error at its end.
func read(lines iter.Seq2[reconcile.Line, error]) (all []string, err error) {
	for l, err := range lines {
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%c %s %s %s", l.State, l.TradeNo, l.Amount.Canonical(), l.Currency))
	}
	return all, nil
}

var columns = Columns{TradeNo: "Order No", Amount: "Amount", Currency: "Ccy", Status: "State"}

func byName(in io.Reader) iter.Seq2[reconcile.Line, error] { return Table(in, columns) }

type reader func(io.Reader) iter.Seq2[reconcile.Line, error]

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		read reader
		want []string
	}{
		"camt053.v2.xml": {Camt053, []string{
			"p 20261125-000001 300 EGP", "p 20261125-000002 200 EGP", "p 20261125-000003 300 EGP", "r 20261125-000003 300 EGP", "c  9000 EGP", "p  12.5 EGP",
		}},
		"camt053.v8.xml": {Camt053, []string{"p 20261125-000001 300 EGP", "r 20261125-000001 300 EGP", "w 20261125-000004 5 EGP"}},
		"mt940.txt": {MT940, []string{
			"p 20261125-000001 300 EGP", "p 20261125-000002 200.5 EGP", "p 20261125-000003 300 EGP", "r 20261125-000003 300 EGP", "c  9000 EGP", "p  12.5 EGP",
		}},
		"table.csv": {byName, []string{"p 20261125-000001 300 EGP", "p 20261125-000002 200.5 EGP", "f 20261125-000003 300 EGP", "p  12.5 EGP"}},
	} {
		got, err := read(c.read(iotest.HalfReader(strings.NewReader(file(t, name)))))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		for range c.read(strings.NewReader(file(t, name))) { // whoever has enough stops
			break
		}
	}
}

// What can't be read exactly is an error with its line, and shows nobody's name.
func TestNothingIsGuessed(t *testing.T) {
	for _, c := range []struct {
		read          reader
		name          string
		old, new      string
		want          string
		wantSomething bool
	}{
		{byName, "table.csv", "200.5;", "200,50;", "line 3: the amount must be plain digits", true},
		{byName, "table.csv", "Success", "Perhaps", "line 3: nobody knows what its status means", true},
		{byName, "table.csv", "Order No", "OrderNo", `line 1: the header has no column "Order No"`, false},
		{byName, "table.csv", "Beneficiary", "Amount", `line 1: the column "Amount" stands twice`, false},
		{byName, "table.csv", "FAILED;nobody", "FAILED", "line 4: it has 4 cells, the header 5", true},
		{byName, "table.csv", "Success;", "Success\";", "line 3: has a quotation mark", true},
		{Camt053, "camt053.v2.xml", "200.00", "2.00,00", "line 17: camt.053: the amount of an entry", true},
		{Camt053, "camt053.v2.xml", "BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn", "it has no statement", true},
		{Camt053, "camt053.v2.xml", "</Stmt>", "", "it is no XML at line", true},
		{Camt053, "camt053.v8.xml", "DBIT", "DEBIT", "neither DBIT nor CRDT", false},
		{MT940, "mt940.txt", ":60F:C261124EGP", ":60F:261124EGP", "line 5: MT940: the opening balance can't be read", false},
		{MT940, "mt940.txt", "D300,NTRF", "D300NTRF", "line 6: MT940: a posting (:61:) can't be read", false},
		{MT940, "mt940.txt", ":60F:", ":60X:", "stands before the opening balance", false},
		{MT940, "mt940.txt", "NOBODY", strings.Repeat("x", longestLine), "line 7: MT940: it has more than", false},
	} {
		text := strings.ReplaceAll(file(t, c.name), c.old, c.new)
		got, err := read(c.read(strings.NewReader(text)))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(strings.ToLower(err.Error()), "nobody;") || (len(got) > 0) != c.wantSomething {
			t.Errorf("%s with %.20s: %v, want %s; %d lines before", c.name, c.new, err, c.want, len(got))
		}
	}
	for name, r := range map[string]reader{"table": byName, "camt": Camt053, "MT940": MT940} {
		if _, err := read(r(strings.NewReader(""))); err == nil {
			t.Errorf("%s: nothing is a statement", name)
		}
		if _, err := read(r(iotest.ErrReader(os.ErrDeadlineExceeded))); err == nil {
			t.Errorf("%s: a disk that fails is no error", name)
		}
	}
}

func TestColumnsByName(t *testing.T) {
	got, err := ParseColumns("tradeNo=Order No,amount=Amount,status=State,currency=Ccy")
	if err != nil || got != columns {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "must be tradeNo=", "tradeNo=a": "are required", "tradeNo=a,amount=b,tradeNo=c": "stands twice", "tradeNo=a,amount=": "must be", "tradeNo=a,sum=b": "must be",
	} {
		if _, err := ParseColumns(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A statement in each format says the same of the same payments.
func TestAllFormatsSayTheSame(t *testing.T) {
	const count = 500
	var xml, swift, csv strings.Builder
	xml.WriteString("<Document><BkToCstmrStmt><Stmt>")
	swift.WriteString(":60F:C261124EGP1,00\n")
	csv.WriteString("Order No,Amount,Ccy,State\n")
	for i := range count {
		no, a := fmt.Sprintf("T-%05d", i), fmt.Sprintf("%d.%02d", 100+i, i%100)
		fmt.Fprintf(&xml, `<Ntry><Amt Ccy="EGP">%s</Amt><CdtDbtInd>DBIT</CdtDbtInd><NtryDtls><TxDtls><Refs><EndToEndId>%s</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>`, a, no)
		fmt.Fprintf(&swift, ":61:261125D%sNTRF%s\n", strings.Replace(a, ".", ",", 1), no)
		fmt.Fprintf(&csv, "%s,%s,EGP,paid\n", no, a)
	}
	xml.WriteString("</Stmt></BkToCstmrStmt></Document>")
	want, err := read(byName(strings.NewReader(csv.String())))
	if err != nil || len(want) != count {
		t.Fatal(len(want), err)
	}
	for name, lines := range map[string]iter.Seq2[reconcile.Line, error]{"camt": Camt053(strings.NewReader(xml.String())), "MT940": MT940(strings.NewReader(swift.String()))} {
		if got, err := read(lines); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
}

// whole fails unless every line can be reconciled.
func whole(t *testing.T, lines iter.Seq2[reconcile.Line, error]) {
	for l, err := range lines {
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Fatalf("an error of %d characters", len(err.Error()))
			}
			continue
		}
		if l.TradeNo != tradeNoOf(l.TradeNo) || l.Amount.IsZero() || !strings.ContainsRune("pfrcw", rune(l.State)) {
			t.Fatalf("%+v", l)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add(file(f, "table.csv"))
	f.Fuzz(func(t *testing.T, text string) { whole(t, byName(strings.NewReader(text))) })
}

func FuzzCamt053(f *testing.F) {
	f.Add(file(f, "camt053.v2.xml"))
	f.Add(file(f, "camt053.v8.xml"))
	f.Fuzz(func(t *testing.T, text string) { whole(t, Camt053(strings.NewReader(text))) })
}

func FuzzMT940(f *testing.F) {
	f.Add(file(f, "mt940.txt"))
	f.Fuzz(func(t *testing.T, text string) { whole(t, MT940(strings.NewReader(text))) })
}
