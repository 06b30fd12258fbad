package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/files"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/cli"
	"disburser/payout"
	"disburser/payout/money"
	"disburser/reconcile"
)

// planted is how many faults of a file, or mismatches of a batch, are to be found among the others.
const planted = 200

// sizeOf is how large a file or a batch of these tests is.
func sizeOf() int {
	if testing.Short() {
		return 4_000
	}
	return 100_000
}

// mistake is one kind of fault in a line of a payroll: its column, a part of the proposal, what it does to the cells.
type mistake struct {
	name, column, proposal string
	wreck                  func(cells []string)
}

func cell(i int, value string) func([]string) { return func(cells []string) { cells[i] = value } }

var mistakes = []mistake{
	{"an exponent", "amount", "all digits", cell(2, "1.1E+10")},
	{"a decimal comma", "amount", "write 300.50", cell(2, `"300,50"`)},
	{"thousands", "amount", "write 1000000", cell(2, "1.000.000")},
	{"other digits", "amount", "write 300", cell(2, "٣٠٠")},
	{"a fraction of a whole amount", "amount", "write 300", cell(2, "300.00")},
	{"an unknown merchant", "merchant", "write eg-main", cell(1, "eg-mian")},
	{"another currency", "currency", "write EGP", cell(3, "USD")},
	{"a missing value", "walletId", "fill it in", cell(4, "")},
	{"a formula", "customerName", `without the "="`, cell(5, "=HYPERLINK(1)")},
	{"a control character", "customerName", "remove", cell(5, "ke\x01vin")},
	{"Latin-1", "customerName", "UTF-8", cell(5, "Jos\xe9")},
	{"an at sign", "remark", `without the "@"`, cell(6, "@home")},
	{"no time", "expiresAt", "write 2199-12-01T06:00:00Z", cell(7, "2199-12-01 06:00")},
	{"a bad tradeNo", "tradeNo", "A-Z", cell(0, "nr 5")},
}

func payrollLine(i int) []string {
	return []string{fmt.Sprintf("L%07d", i), "eg-main", fmt.Sprint(1000 + i%500), "EGP", fmt.Sprintf("0112%07d", i), fmt.Sprintf("kevin %d", i), "salary", "2199-12-01T06:00:00Z"}
}

// Of a payroll with planted faults of 14 kinds the back office tells each one, with line, column and proposal, and no other. Nothing
// of the file is sent. The file with the errors passes once they are corrected, and is sent whole.
func TestPlantedFaultsThroughTheAPI(t *testing.T) {
	lines := sizeOf()
	k, c, o := sender(t)
	rng := rand.New(rand.NewPCG(11, 2))
	wrong := map[int]mistake{} // by line of the file
	for i, at := range rng.Perm(lines)[:planted] {
		wrong[at+2] = mistakes[i%len(mistakes)]
	}
	file := []string{"tradeNo,merchant,amount,currency,walletId,customerName,remark,expiresAt"}
	for i := range lines {
		cells := payrollLine(i)
		if m, is := wrong[i+2]; is {
			m.wreck(cells)
		}
		file = append(file, strings.Join(cells, ","))
	}
	name := write(t, "payroll.csv", strings.Join(file, "\n")+"\n")
	status, out := run(t, "check", name, "--json")
	var report files.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != cli.Wrong || report.Lines != lines || len(report.Problems) != planted {
		t.Fatalf("status %d, %v, %d lines, %d problems, want %d and %d", status, err, report.Lines, len(report.Problems), lines, planted)
	}
	kinds := map[string]int{}
	for _, p := range report.Problems {
		m, is := wrong[p.Line]
		if !is || p.Column != m.column || !strings.Contains(p.Proposal, m.proposal) {
			t.Errorf("%+v, planted was %q", p, m.name)
		}
		kinds[m.name]++
	}
	if len(kinds) != 14 || len(report.Totals) != 1 || report.Totals[0].Count != lines-planted {
		t.Errorf("%v %+v", kinds, report.Totals)
	}
	if status, out := run(t, "send", name, "--yes"); status != cli.Wrong || !strings.Contains(out, "nothing was sent") {
		t.Errorf("%d %s", status, out)
	}
	for partition := range servicetest.Partitions {
		if records := k.Read(t, c.Kafka.Topics.Commands, partition); len(records) > 0 {
			t.Errorf("%d records are sent", len(records))
		}
	}
	text, err := os.ReadFile(name + ".errors.csv")
	if err != nil {
		t.Fatal(err)
	}
	corrected := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range corrected {
		if i > 0 && !strings.HasSuffix(line, ",") { // it has an error: a person corrects it and leaves the error there
			corrected[i] = strings.Join(payrollLine(i-1), ",") + ",corrected"
		}
	}
	name = write(t, "corrected.csv", strings.Join(corrected, "\n")+"\n")
	if status, out := run(t, "send", name, "--batch", "L", "--yes"); status != cli.Done || !strings.Contains(out, fmt.Sprintf("%d payouts sent", lines)) {
		t.Fatalf("%d %.500s", status, out)
	}
	seen(t, o, "L", lines, 0)
}

// seeded are the mismatches of a large batch, by how one comes about.
var seeded = []struct {
	name  string
	class reconcile.Class
}{
	{"no result", reconcile.Missing}, {"not in the statement", reconcile.Missing}, {"nobody ordered it", reconcile.Unknown}, {"twice in the statement", reconcile.Duplicate},
	{"two results", reconcile.Duplicate}, {"another amount", reconcile.Amount}, {"it came back", reconcile.PaidButFailed}, {"paid all the same", reconcile.FailedButPaid},
}

// largeBatch is a batch with seeded mismatches, its statement in another order, and what must be found.
func largeBatch(t *testing.T, size int) (made bookstest.Run, statement string, want map[string]reconcile.Class) {
	made, want = bookstest.Run{}, map[string]reconcile.Class{}
	rng := rand.New(rand.NewPCG(13, 1))
	kinds := map[int]string{}
	for i, at := range rng.Perm(size)[:planted] {
		kinds[at] = seeded[i%len(seeded)].name
		want[bookstest.Command(at, size).TradeNo] = seeded[i%len(seeded)].class
	}
	var lines []string
	for i := range size {
		c := bookstest.Command(i, size)
		c.BatchID, c.BatchSize = "large", size
		amount, state, kind := c.Amount.String(), "paid", kinds[i]
		switch kind {
		case "no result":
			ordered(t, made, c, 0)
			continue
		case "nobody ordered it":
			lines = append(lines, c.TradeNo+";"+amount+";paid")
			continue
		case "paid all the same":
			ordered(t, made, c, payout.StateFailed)
		default:
			ordered(t, made, c, payout.StatePaid)
		}
		switch kind {
		case "not in the statement":
			continue
		case "twice in the statement":
			lines = append(lines, c.TradeNo+";"+amount+";paid")
		case "two results":
			announced(t, made, c, payout.StateFailed)
		case "another amount":
			less, _ := money.Parse("1.5")
			amount = less.String()
		case "it came back":
			state = "failed"
		}
		lines = append(lines, c.TradeNo+";"+amount+";"+state)
	}
	rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return made, "Order;Amount;State\n" + strings.Join(lines, "\n") + "\n", want
}

// A large batch is compared with a statement through the API. Each of eight kinds of mismatch is found, none is invented, and two
// runs say the same, byte by byte.
func TestReconcileALargeBatch(t *testing.T) {
	size := sizeOf()
	made, statement, want := largeBatch(t, size)
	onBooks(t, made)
	args := []string{"reconcile", "--batch", "large", "--statement", write(t, "november.csv", statement), "--columns", "tradeNo=Order,amount=Amount,status=State", "--json"}
	began := time.Now()
	status, out := run(t, args...)
	t.Logf("%d payouts are compared with %d lines in %s", size-planted/len(seeded), strings.Count(statement, "\n")-1, time.Since(began).Round(time.Millisecond))
	if _, again := run(t, args...); status != cli.Failed || again != out {
		t.Errorf("status %d; two runs differ: %v", status, again != out)
	}
	_, raw, _ := strings.Cut(out, "{")
	var report reconcile.Report
	if err := json.NewDecoder(strings.NewReader("{" + raw)).Decode(&report); err != nil {
		t.Fatal(err, out)
	}
	found := map[string]reconcile.Class{}
	for _, f := range report.Findings {
		found[f.TradeNo] = f.Class
	}
	if !maps.Equal(found, want) || len(report.Findings) != planted || report.Matched != size-planted {
		t.Errorf("%d findings, %d matched: %v\nwant %v", len(report.Findings), report.Matched, found, want)
	}
}
