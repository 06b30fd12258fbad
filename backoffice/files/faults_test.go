package files

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// fault is one kind of mistake in a payroll of Egypt and Indonesia, in one cell or with one line.
type fault struct {
	name, column string
	proposal     string // a part of it
	wreck        func(cells []string) []string
}

// The columns of the payroll.
const (
	cTradeNo = iota
	cMerchant
	cAmount
	cCurrency
	cName
	cAccount
	cMobile
	cRemark
	cExpires
)

var payrollHeader = []string{"tradeNo", "merchant", "amount", "currency", "customerName", "bankAccountNo", "mobile", "remark", "expiresAt", "payee.bankCode", "email"}

// in puts a value into a cell.
func in(cell int, value string) func([]string) []string {
	return func(cells []string) []string { cells[cell] = value; return cells }
}

var faults = []fault{
	{"an exponent", "amount", "all digits", in(cAmount, "1.1E+10")},
	{"a decimal comma", "amount", "write 300.50", in(cAmount, "300,50")},
	{"thousands", "amount", "write 1000000", in(cAmount, "1.000.000")},
	{"other digits", "amount", "write 300", in(cAmount, "٣٠٠")},
	{"a lost zero", "mobile", "the 0 at its beginning", in(cMobile, "81234567890")},
	{"a formula", "remark", "without the \"=\"", in(cRemark, "=HYPERLINK(1)")},
	{"a plus", "mobile", "without the \"+\"", in(cMobile, "+6281234567890")},
	{"an unknown merchant", "merchant", "write id-main", in(cMerchant, "id-mian")},
	{"another currency", "currency", "write IDR", in(cCurrency, "USD")},
	{"a missing value", "bankAccountNo", "fill it in", in(cAccount, "")},
	{"a control character", "customerName", "remove", in(cName, "ke\x01vin")},
	{"Latin-1", "customerName", "UTF-8", in(cName, "Jos\xe9")},
	{"a short line", "email", "each column", func(cells []string) []string { return cells[:len(cells)-1] }},
	{"no time", "expiresAt", "write 2026-12-01T06:00:00Z", in(cExpires, "2026-12-01 06:00")},
	{"a bad tradeNo", "tradeNo", "A-Z", in(cTradeNo, "nr 5")},
	{"a duplicate", "tradeNo", "remove this line", nil},
	{"a conflict", "tradeNo", "of its own", in(cAmount, "777")},
}

// goodLine is one line without a fault.
func goodLine(i int) []string {
	return []string{
		fmt.Sprintf("T%08d", i), "id-main", fmt.Sprint(1000 + i%500), "IDR", "kevin; the " + fmt.Sprint(i), fmt.Sprintf("%010d", i), "08123456789",
		"salary", "2026-12-01T06:00:00Z", "BCA", "a@example.com",
	}
}

func join(cells []string) string { return strings.Join(cells, ",") }

// 200 planted faults of 17 kinds are all found, each with line, column and proposal, and nothing else is.
func TestEveryPlantedFaultIsFound(t *testing.T) {
	lines := 100_000
	if testing.Short() {
		lines = 10_000
	}
	all := merchants(t, configuration)
	random := rand.New(rand.NewPCG(1, 2))
	places := random.Perm(lines - 10)[:200]
	want := map[int]fault{}
	for i, at := range places {
		want[at+10] = faults[i%len(faults)]
	}
	file, repaired := []string{join(payrollHeader)}, []string{join(payrollHeader) + ",error"}
	for i := range lines {
		good := goodLine(i)
		repaired = append(repaired, join(good)+",")
		f, bad := want[i]
		if bad && (f.name == "a duplicate" || f.name == "a conflict") {
			good[cTradeNo], good[cName], good[cAccount], good[cAmount] = goodLine(0)[cTradeNo], goodLine(0)[cName], goodLine(0)[cAccount], goodLine(0)[cAmount]
		}
		if bad && f.wreck != nil {
			good = f.wreck(good)
		}
		if bad && f.name == "a decimal comma" {
			good[cAmount] = `"` + good[cAmount] + `"`
		}
		file = append(file, join(good))
	}
	text := strings.Join(file, "\r\n")
	report := checked(t, all, text)
	if report.Lines != lines || len(report.Problems) != len(want) {
		t.Errorf("%d lines, %d problems, want %d", report.Lines, len(report.Problems), len(want))
	}
	kinds := map[string]int{}
	for _, p := range report.Problems {
		kinds[want[p.Line-2].name]++
		if f, planted := want[p.Line-2]; !planted || p.Column != f.column || !strings.Contains(p.Proposal, f.proposal) {
			t.Errorf("%+v, planted was %+v", p, f.name)
		}
	}
	for _, f := range faults {
		if few := len(places) / len(faults); kinds[f.name] < few || kinds[f.name] > few+1 {
			t.Errorf("%s: %d found", f.name, kinds[f.name])
		}
	}
	if len(report.Totals) != 1 || report.Totals[0].Count != lines-len(want) {
		t.Errorf("%+v", report.Totals)
	}
	whole := checked(t, all, strings.Join(repaired, "\n"))
	corrected := correct(withErrors(t, all, text, report.Problems), repaired)
	if again := checked(t, all, corrected); len(again.Problems) > 0 || again.Digest != whole.Digest || len(whole.Problems) > 0 {
		t.Errorf("the corrected file: %d problems, digest %s, want %s", len(again.Problems), again.Digest, whole.Digest)
	}
}

// correct is what a person makes of the file with errors: each line that has one is corrected.
func correct(withErrors string, good []string) string {
	lines := strings.Split(strings.TrimSuffix(withErrors, "\r\n"), "\r\n")
	for i, line := range lines {
		if i > 0 && !strings.HasSuffix(line, ",") {
			lines[i] = good[i]
		}
	}
	return strings.Join(lines, "\r\n")
}

// The order of lines and columns, the separator, the encoding and another name for a column make no other batch.
func TestTheDigestIsOfTheContent(t *testing.T) {
	all := only(t, "egypt")
	files := []string{
		"tradeNo,amount,walletId,customerName,batchId,remark\nA,300,1,k,b,r\nB,200,2,l,b,r\n",
		"payee.customerName;payee.walletId;amount;tradeNo\nl;2;200;B\nk;1;300;A\n",
		"\ufefftradeNo\tamount\twalletId\tcustomerName\terror\r\n\r\nB\t\"200\"\t2\tl\twhatever = it was\r\nA\t300\t1\tk\t",
		`{"tradeNo":"A","amount":300,"payee":{"walletId":"1","customerName":"k"}}` + "\n" + `{"payouts":[{"tradeNo":"B","amount":"200","payee":{"walletId":"2","customerName":"l"}}]}`,
	}
	digest := checked(t, all, files[0]).Digest
	for _, file := range files {
		r := checked(t, all, file)
		if r.Digest != digest || r.Lines != 2 || len(r.Problems) > 0 || len(r.Totals) != 1 || r.Totals[0] != (Total{"main", "EGP", 2, "500"}) {
			t.Errorf("%q: %+v", file, r)
		}
	}
	if other := checked(t, all, strings.Replace(files[0], "200", "201", 1)); other.Digest == digest {
		t.Error("another amount is the same batch")
	}
}
