package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"disburser/message"
)

// lines are problems as "line column problem: proposal".
func linesOf(problems []Problem) (all []string) {
	for _, p := range problems {
		all = append(all, fmt.Sprintf("%d %s", p.Line, p))
	}
	return all
}

func TestWhatIsWrongWithAHeader(t *testing.T) {
	all, egypt := merchants(t, configuration), only(t, "egypt")
	const row = "\nT1,300,1,kevin\n"
	for header, want := range map[string][]string{
		"tradeNo,amount,walletId,customerName":       nil,
		"tradeNo,amount,payee.walletId,customerName": nil,
		"tradeno,amount,walletId,customerName":       {"1 tradeno is not a column that is known: name it tradeNo"},
		"tradeNo,Amount,wallet_id,customerName": {
			"1 Amount is not a column that is known: name it amount", "1 wallet_id is not a column that is known: name it walletId"},
		"tradeNo,amount,walletId,walletId":       {"1 customerName is missing", "1 walletId stands twice: keep one"},
		"tradeNo,amount,walletId,payee.walletId": {"1 customerName is missing: the header has no such column: add a column customerName: merchant main needs it", "1 payee.walletId stands twice: keep one"},
		"tradeNo,amount,walletId,batchSize":      {"1 customerName is missing", "1 batchSize is not a column that is known: remove it: the size"},
		"tradeNo,amount,walletId,shoe size":      {"1 customerName is missing", "1 shoe size is not a column that is known: remove it, or name it as one of amount"},
		"tradeNo,amount,walletId,":               {"1 customerName is missing", "1 (column 4) is not a column"},
		"tradeNo,amount,walletId,01123456789":    {"1 customerName is missing", "1 (column 4) is not a column"},
		"T1,300,1,kevin":                         {"1 the first line is no header"},
		"sep=;":                                  {"1 the first line is no header"},
		"tradeNo,amount,walletId":                {"1 customerName is missing", "2 walletId the line has 4 cells, the header 3"},
	} {
		got := linesOf(checked(t, egypt, header+row).Problems)
		if header == "tradeNo,amount,walletId" {
			got = append([]string{"1 customerName is missing"}, got...) // the only row can't tell it
		}
		if len(got) != len(want) {
			t.Errorf("%s: %q", header, got)
			continue
		}
		for i, text := range want {
			if !strings.HasPrefix(got[i], text) {
				t.Errorf("%s: %q, want %q", header, got[i], text)
			}
		}
	}
	if got := linesOf(checked(t, all, "amount,walletId\n300,1\n300,1\n").Problems); !reflect.DeepEqual(got, []string{
		"1 tradeNo is missing: the header has no such column: add a column tradeNo",
		"1 merchant is missing: the header has no such column: add a column merchant",
	}) {
		t.Errorf("%q", got)
	}
	for file, want := range map[string]string{"": "1 the file is empty", "PK\x03\x04": "1 the file is a spreadsheet", "a\x00b\x00": "1 the file is UTF-16"} {
		if got := linesOf(checked(t, all, file).Problems); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %q", file, got)
		}
	}
}

// A column that one merchant needs and the header lacks is told once, not on each line.
func TestAMissingColumnIsToldOnce(t *testing.T) {
	got := linesOf(checked(t, merchants(t, configuration), "tradeNo,merchant,amount,walletId\nA,eg-main,300,1\nB,eg-main,300,1\nC,ke-main,300,\nD,ng-main,5,1\n").Problems)
	want := []string{
		"1 customerName is missing: the header has no such column: add a column customerName: merchant eg-main needs it",
		"1 mobile is missing: the header has no such column: add a column mobile: merchant ke-main needs it",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestAmountsThatAreNotPlain(t *testing.T) {
	for value, want := range map[string]string{
		"1.1E+10":                    "a spreadsheet has cut digits off",
		"3E2":                        "a spreadsheet has cut digits off",
		"300,5":                      "decimal comma: write 300.5; but it must be a whole number",
		"1,000":                      "write 1000 if it separates thousands, or 1.000 if it is the decimal comma",
		"1,000.50":                   "thousands separators: write 1000.50; but it must",
		"1.000,50":                   "thousands separators: write 1000.50; but it must",
		"1,000,000":                  "thousands separators: write 1000000; but it must be at most 10000",
		"1 000":                      "thousands separators: write 1000",
		"1\u00a0000":                 "thousands separators: write 1000",
		"1'000":                      "thousands separators: write 1000",
		"1.000":                      "write 1000 if the point separates thousands, or 1 if it is the decimal point",
		"300.00":                     "must be a whole number without a decimal point: write 300",
		"300.50":                     "must be a whole number without a decimal point: write an amount",
		"٣٠٠":                        "write 300",
		"３００":                        "write 300",
		" 300":                       "white space around it: write 300",
		"+300":                       `begins with "+": a spreadsheet takes it for a formula: write 300`,
		"-300":                       "in plain digits, without a sign",
		"=1+1":                       "in plain digits, without a sign",
		"EGP 300":                    "the currency has a column of its own",
		"0":                          "must be more than zero",
		"99":                         "must be at least 100: correct the amount; the limit is 100",
		"10001":                      "must be at most 10000: correct the amount; the limit is 10000",
		"":                           "is missing: write the amount",
		"12345678901234567890123456": "longer than 24",
	} {
		got := linesOf(checked(t, only(t, "egypt"), "tradeNo;amount;walletId;customerName\nT1;"+value+";1;kevin\n").Problems)
		if len(got) != 1 || !strings.HasPrefix(got[0], "2 amount ") || !strings.Contains(got[0], want) {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// What is wrong with a payee is told without showing it.
func TestPayeesAreNotShown(t *testing.T) {
	all := merchants(t, configuration)
	for _, c := range []struct{ merchant, column, value, want string }{
		{"ke-main", "mobile", "0712345678", "begin it with 254 in the place of the 0"},
		{"ke-main", "mobile", "2547123456789", "correct it: it must be 12 digits"},
		{"ke-main", "mobile", "712345678", "correct it"},
		{"ke-main", "mobile", "2547 1234 5678", "without blanks"},
		{"ke-main", "mobile", "25471234567\u200b8", "remove the invisible character U+200B"},
		{"ke-main", "mobile", "٢٥٤٧12345678", "digits 0 to 9"},
		{"ke-main", "mobile", "2.54712E+11", "write all digits"},
		{"id-main", "mobile", "81234567890", "the 0 at its beginning again"},
		{"pk-main", "mobile", "03001234567", "without the 0 at its beginning"},
		{"pk-main", "customerCert", "35202-1234567-1", "without blanks, dashes"},
		{"pk-main", "accountType", "Bank", "write BANK"},
		{"pk-main", "accountType", "zzzzzz", "write BANK or WALLET"},
		{"eg-main", "customerName", strings.Repeat("k", 257), "shorten it to 256"},
		{"eg-main", "customerName", "\u200b", "fill it in"},
		{"eg-main", "walletId", "", "fill it in: the provider wants it of every payout of eg-main"},
	} {
		names, _ := func() ([]string, bool) { m, _ := all.Named(c.merchant); return m.Paypro.PayeeFields() }()
		good := map[string]string{"mobile": "3001234567", "customerCert": "3520212345671", "accountType": "BANK"}
		if c.merchant == "id-main" {
			good["mobile"] = "081234567890"
		}
		header, row := "tradeNo,merchant,amount", "T1,"+c.merchant+",300"
		for _, name := range names {
			value := good[name]
			if value == "" {
				value = "x"
			}
			if name == c.column {
				value = c.value
			}
			header, row = header+","+name, row+","+value
		}
		got := linesOf(checked(t, all, header+"\n"+row+"\n").Problems)
		if len(got) != 1 || !strings.HasPrefix(got[0], "2 "+c.column+" ") || !strings.Contains(got[0], c.want) {
			t.Errorf("%s %q: %q, want %q", c.merchant, c.value, got, c.want)
		}
		if len(c.value) > 6 && strings.Contains(fmt.Sprint(got), c.value) {
			t.Errorf("%q shows", c.value)
		}
	}
}

func TestOtherProblemsOfALine(t *testing.T) {
	all := merchants(t, configuration)
	const header = "tradeNo,merchant,amount,currency,notBefore,expiresAt,walletId,customerName,remark,batchId\n"
	for row, want := range map[string]string{
		"T1,eg-main,300,EGP,2026-12-01T00:00:00Z,2026-12-02T00:00:00Z,1,k,r,b": "",
		"T1,,300,,,,1,k,,":                                                "2 merchant is missing, and several are configured: write one of br-main",
		"T1,eg-man,300,,,,1,k,,":                                          "2 merchant is not configured: write eg-main",
		"T1,mars,300,,,,1,k,,":                                            "2 merchant is not configured: write one of br-main, eg-main",
		"T1,eg-main,300,USD,,,1,k,,":                                      "2 currency is not the merchant's, which is EGP: write EGP, or leave it empty",
		"T1,eg-main,300,,01.12.2026,,1,k,,":                               "2 notBefore must be a time such as 2026-11-25T06:00:00Z: write it like",
		"T1,eg-main,300,,2026-12-01,,1,k,,":                               "2 notBefore must be a time such as 2026-11-25T06:00:00Z: write the time too",
		"T1,eg-main,300,,,2026-11-24T00:00:00Z,1,k,,":                     "2 expiresAt is over: the payout would be rejected: write a later time",
		"T1,eg-main,300,,2026-12-02T00:00:00Z,2026-12-01T00:00:00Z,1,k,,": "2 expiresAt must be after notBefore: write a time after",
		",eg-main,300,,,,1,k,,":                                           "2 tradeNo is missing: write a number",
		"2.02611E+19,eg-main,300,,,,1,k,,":                                "2 tradeNo is a number with an exponent",
		"T1,eg-main,300,,,,1,k,-,":                                        `2 remark begins with "-": a spreadsheet takes it for a formula: leave the cell empty`,
		"T1,eg-main,300,,,,1,k," + strings.Repeat("r", 1001) + ",":        "2 remark is longer than 1000 characters: shorten it to 1000",
		"T1,eg-main,300,,,,1,@k,,":                                        `2 customerName begins with "@"`,
		"T1,eg-main,300,,,,1,\"k\nl\",,":                                  "2 customerName has the control character U+000A",
		"T1,eg-main,300,,,,1,k\ufffd,,":                                   "2 customerName has a character that was lost",
		"T1,eg-main,300,,,,1,5\" nail,,":                                  "2 customerName has a quotation mark inside",
		"T1,eg-main,300,,,,1,k,,,x":                                       "2 batchId the line has 11 cells, the header 10",
		",,,,,,,,,":                                                       "2 the line has no values: remove the line",
	} {
		got := linesOf(checked(t, all, header+row+"\n").Problems)
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || want == "" || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
	everything := linesOf(checked(t, all, header+"nr 1,eg-main,-5,USD,now,then,,@,=1,b\n").Problems)
	if len(everything) != 8 {
		t.Errorf("not all at once: %q", everything)
	}
}

func TestJSONLines(t *testing.T) {
	all := merchants(t, configuration)
	file := strings.Join([]string{
		`{"tradeNo":"A","merchant":"eg-main","amount":"300","payee":{"walletId":"+1","customerName":"k"}}`,
		`{"tradeNo":"B","merchant":"ke-main","amount":"3e2","payee":{"mobile":"0712345678"}}`,
		``,
		`{"tradeNo":"C"`,
		`{"merchant":"eg-main","payouts":[{"tradeNo":"A","amount":"300","payee":{"walletId":"+1","customerName":"k"}},{"tradeNo":"a b"},{"tradeNo":"D","amount":5,"payee":{}}]}`,
		`{"tradeNo":"E","amount":1,"amount":2}`,
	}, "\n")
	got := linesOf(checked(t, all, "\ufeff"+file).Problems)
	want := []string{
		"2 amount must be plain digits", "2 payee.mobile must be 12 digits starting with 2541 or 2547: begin it with 254", "4 the value is not JSON",
		"5 payouts[0].tradeNo stands on line 1 already, with the same content", "5 payouts[1] there is no valid tradeNo", "5 payouts[2].amount must be at least 100",
		"5 payouts[2].payee.customerName is required: fill it in", "5 payouts[2].payee.walletId is required", "6 the name amount stands twice",
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	long := `{"tradeNo":"A","remark":"` + strings.Repeat("x", message.MaxValueBytes) + `"}`
	if got := linesOf(checked(t, all, long+"\n"+strings.ReplaceAll(long, "A", "B")).Problems); len(got) != 2 || !strings.Contains(got[1], "2 the value has") {
		t.Errorf("%.200q", got)
	}
}

// The digest is what its definition says.
func TestTheDigestsDefinition(t *testing.T) {
	all := only(t, "egypt")
	orders, err := message.Decode([]byte(`{"payouts":[{"tradeNo":"A","amount":"300","payee":{"walletId":"1","customerName":"k"}},{"tradeNo":"b","amount":"300","payee":{"walletId":"1","customerName":"k"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, o := range orders {
		command, _, _ := all.Resolve(o.Command)
		text += command.TradeNo + " " + string(command.Fingerprint()) + "\n"
	}
	sum := sha256.Sum256([]byte(text))
	if got := checked(t, all, "tradeNo,amount,walletId,customerName\nb,300,1,k\nA,300,1,k\nC,5,1,k\nb,300,1,k\n").Digest; got != hex.EncodeToString(sum[:]) {
		t.Errorf("%s", got)
	}
}

func TestTheFileWithErrors(t *testing.T) {
	egypt := only(t, "egypt")
	const file = "\ufefftradeNo;amont;walletId;customerName\r\nA;300;1;\"k;l\"\r\n\r\nB;5;1\r\nC;5\";1;k"
	report := checked(t, egypt, file)
	got := withErrors(t, egypt, file, report.Problems)
	want := "\ufefftradeNo;amont;walletId;customerName;error\r\n" +
		"A;300;1;\"k;l\";header: amont is not a column that is known: name it amount\r\n" +
		"B;5;1;\"customerName the line has 3 cells, the header 4: give each column its cell; a cell with a separator in it needs quotation marks\"\r\n" +
		"C;5\";1;k;\"amont has a quotation mark inside of a cell that has none around it: put quotation marks around the whole cell, and write each one inside of it twice\"\r\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	const again = "error,tradeNo,amount,walletId,customerName\nold,A,300,1,k\nold,B,5,1,k\n"
	if got := withErrors(t, egypt, again, checked(t, egypt, again).Problems); got != "error,tradeNo,amount,walletId,customerName\n,A,300,1,k\namount must be at least 100: correct the amount; the limit is 100,B,5,1,k\n" &&
		!strings.Contains(got, "\n\"amount must be at least 100: correct the amount; the limit is 100\",B") {
		t.Errorf("%s", got)
	}
	formula := inOneCell(nil, []Problem{{2, "=x", "is bad", "do"}})
	if formula[0] == '=' {
		t.Error(formula)
	}
}

// Whatever comes: no panic, problems in order, a proposal for each, and the file with errors is no better than
// the file was.
func FuzzCheck(f *testing.F) {
	all := merchants(f, configuration)
	f.Add("tradeNo,merchant,amount,walletId,customerName\nT1,eg-main,300,01123456789,kevin\n")
	f.Add("tradeNo;merchant;amount;mobile;error\r\nT1;ke-main;3,5;0712345678;=x\r\n\"T1;ke-main")
	f.Add("{\"tradeNo\":\"A\",\"amount\":300}\n{\"payouts\":[]}\n")
	f.Add("\xff\xfet\x00,\x00")
	f.Fuzz(func(t *testing.T, file string) {
		report, err := Check(strings.NewReader(file), all, now)
		if err != nil {
			return
		}
		line := 0
		for _, p := range report.Problems {
			if p.Line < max(line, 1) || p.Line > strings.Count(file, "\n")+1 || p.Problem == "" || p.Proposal == "" {
				t.Fatalf("%+v after line %d", p, line)
			}
			line = p.Line
		}
		if !report.Table {
			return
		}
		again, err := Check(strings.NewReader(withErrors(t, all, file, report.Problems)), all, now)
		if err != nil || len(again.Problems) == 0 && len(report.Problems) > 0 {
			t.Fatalf("%q passes with its errors: %q, %v", file, report.Problems, err)
		}
	})
}
