package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/cli"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
	"disburser/reconcile"
)

// onBooks starts a back office with a run in its topics, and lets payctl ask it.
func onBooks(t *testing.T, run bookstest.Run) {
	t.Helper()
	k, c, token := servicetest.World(t, run)
	o := servicetest.Start(t, k, c, token)
	t.Setenv("PAYCTL_URL", o.URL)
	t.Setenv("PAYCTL_TOKEN", o.Token)
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		overview, err := api.Get[api.Overview](t.Context(), api.Client{URL: o.URL, Token: o.Token}, "/overview", nil)
		if err == nil && len(overview.Books) > 0 && !slices.ContainsFunc(overview.Books, func(l api.Lag) bool { return l.Lag != 0 }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the books are not whole after five minutes: %+v %v", overview, err)
		}
	}
}

// ordered adds a command to a run, and its result if there is to be one.
func ordered(t *testing.T, r bookstest.Run, c payout.Command, as payout.State) {
	t.Helper()
	value, err := message.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Add(bookstest.Part{Topic: books.Commands}, message.Message{Key: []byte(c.TradeNo), Value: value}, bookstest.Start)
	if as != 0 {
		announced(t, r, c, as)
	}
}

func announced(t *testing.T, r bookstest.Run, c payout.Command, as payout.State) {
	t.Helper()
	p := payout.Payout{Command: bookstest.Resolve(c), State: as, ReceivedAt: bookstest.Start, SettledAt: bookstest.Start, Sends: 1}
	p.Fingerprint = p.Command.Fingerprint()
	if as == payout.StatePaid {
		p.PaidAmount = c.Amount.String()
	}
	e, _ := message.EventOf(p)
	m, err := message.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	r.Add(bookstest.Part{Topic: books.Results}, m, bookstest.Start)
}

// mismatches are a batch in which each class of mismatch stands, a statement of it, and what must be found.
func mismatches(t *testing.T) (run bookstest.Run, statement string, want map[string]reconcile.Class) {
	run = bookstest.NewRun(rand.New(rand.NewPCG(7, 7)), 30, 1, false) // batch-0, batch-1 and batch-2
	want = map[string]reconcile.Class{"": reconcile.Unknown, "N-stranger": reconcile.Unknown}
	text := "Order;Amount;State\n;12.5;paid\nN-stranger;1;paid\n"
	line := func(c payout.Command, amount, state string) {
		text += fmt.Sprintf("%s;%s;%s\n", c.TradeNo, amount, state)
	}
	for i := range 30 {
		line(bookstest.Command(i, 30), bookstest.Command(i, 30).Amount.String(), "paid")
	}
	command := func(tradeNo string, class reconcile.Class) payout.Command {
		c := bookstest.Command(1, 30)
		if c.TradeNo = tradeNo; class != "" {
			want[tradeNo] = class
		}
		return c
	}
	amount := bookstest.Command(1, 30).Amount.String()
	ordered(t, run, command("N-open", reconcile.Missing), 0)
	c := command("N-not-there", reconcile.Missing)
	ordered(t, run, c, payout.StatePaid)
	c = command("N-twice", reconcile.Duplicate)
	ordered(t, run, c, payout.StatePaid)
	line(c, amount, "paid")
	line(c, amount, "paid")
	c = command("N-two-results", reconcile.Duplicate)
	ordered(t, run, c, payout.StatePaid)
	announced(t, run, c, payout.StateFailed)
	line(c, amount, "paid")
	c = command("N-less", reconcile.Amount)
	ordered(t, run, c, payout.StatePaid)
	line(c, "1", "paid")
	c = command("N-came-back", reconcile.PaidButFailed)
	ordered(t, run, c, payout.StatePaid)
	line(c, amount, "failed")
	c = command("N-paid", reconcile.FailedButPaid)
	ordered(t, run, c, payout.StateFailed)
	line(c, amount, "paid")
	c = command("N-later", reconcile.NotDueYet)
	c.NotBefore = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
	ordered(t, run, c, 0)
	announced(t, run, command("N-nobody-ordered-it", reconcile.Unknown), payout.StatePaid)
	c = command("N-conflict", "") // what became a dead letter was not ordered
	ordered(t, run, c, payout.StatePaid)
	line(c, amount, "paid")
	other := c
	other.Amount, _ = money.Parse("7")
	value, _ := message.Encode(other)
	ordered(t, run, other, 0)
	run.Add(bookstest.Part{Topic: books.DeadLetters}, message.EncodeDeadLetter(message.DeadLetter{
		Value: value, Code: message.Conflict, Index: -1, Topic: "payout.commands", Source: payout.Source{Offset: 99}, Time: bookstest.Start,
	}), bookstest.Start)
	c = command("N-lost-content-paid", reconcile.Amount) // the result is about what became a dead letter
	ordered(t, run, c, 0)
	other = c
	other.Amount, _ = money.Parse("7")
	value, _ = message.Encode(other)
	ordered(t, run, other, payout.StateFailed)
	run.Add(bookstest.Part{Topic: books.DeadLetters}, message.EncodeDeadLetter(message.DeadLetter{
		Value: value, Code: message.Conflict, Index: -1, Topic: "payout.commands", Source: payout.Source{Offset: 98}, Time: bookstest.Start,
	}), bookstest.Start)
	return run, text, want
}

// Each class is found on the books and a statement, none is invented, and two runs say the same.
func TestReconcile(t *testing.T) {
	made, text, want := mismatches(t)
	onBooks(t, made)
	dir := t.TempDir()
	statement := filepath.Join(dir, "november.csv")
	if err := os.WriteFile(statement, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"reconcile", "--batch", "batch-1", "--statement", statement, "--columns", "tradeNo=Order,amount=Amount,status=State"}
	status, out := run(t, append(args, "--json")...)
	notes, raw, _ := strings.Cut(out, "{")
	if _, again := run(t, append(args, "--json")...); status != cli.Failed || again != out {
		t.Errorf("status %d\n%s\n%s", status, out, again)
	}
	// 20 lines are of payouts of batch-0 and batch-2: what they say is not asked for.
	if !strings.Contains(out, "20 tradeNos of the statement for payouts outside") || strings.Contains(notes, "records yet to read") {
		t.Error(out)
	}
	var report reconcile.Report
	raw, _, _ = strings.Cut("{"+raw, "\n")
	if err := json.Unmarshal([]byte(raw), &report); err != nil {
		t.Fatal(err, out)
	}
	found := map[string]reconcile.Class{}
	for _, f := range report.Findings {
		found[f.TradeNo] = f.Class
	}
	if !maps.Equal(found, want) || len(report.Findings) != len(want) || report.Matched != 10+1 {
		t.Errorf("found %v\nwant %v\n%d matched", found, want, report.Matched)
	}
	if !slices.IsSortedFunc(report.Findings, func(a, b reconcile.Finding) int { return strings.Compare(a.TradeNo, b.TradeNo) }) {
		t.Error(report.Findings)
	}
	csv := filepath.Join(dir, "findings.csv")
	status, out = run(t, append(args, "--csv", csv)...)
	table, err := os.ReadFile(csv)
	if err != nil || status != cli.Failed || strings.Count(string(table), "\n") != len(want)+1 || !strings.HasPrefix(string(table), "class,tradeNo,detail\nunknown,,") || strings.Contains(out, "N-less") {
		t.Errorf("%d %v %s\n%s", status, err, out, table)
	}
	status, out = run(t, "reconcile", "--since", "2026-11-25T00:00:00Z", "--until", "2026-11-26T00:00:00Z")
	if status != cli.Failed || !strings.Contains(out, "missing\tN-open\tit has no final result\n") || !strings.Contains(out, "36 payouts without a finding, 5 findings: 1 missing, 1 unknown, 1 duplicate, 1 amount, 1 not_due_yet\n") {
		t.Error(status, out)
	}
}

// What agrees ends with 0, what can't be compared with 1, and what can't be read with 2.
func TestReconcileEnds(t *testing.T) {
	onBooks(t, bookstest.NewRun(rand.New(rand.NewPCG(7, 7)), 9, 1, false))
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(bad, []byte("Order,Amount\n20261125-0000001,\"1,5\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range (says{
		{[]string{"--batch", "batch-1"}, cli.Done, []string{"3 payouts without a finding, 0 findings\n"}},
		{[]string{"--batch", "batch-1", "--json"}, cli.Done, []string{`{"matched":3,"findings":[]}` + "\n"}},
		{[]string{"--batch", "nobody's"}, cli.Failed, []string{"the books know no batch of this name"}},
		{[]string{"--since", "2020-11-25T00:00:00Z", "--until", "2020-11-26T00:00:00Z"}, cli.Failed, []string{"nothing was compared"}},
		{[]string{"--batch", "batch-1", "--statement", bad, "--columns", "tradeNo=Order,amount=Amount"}, cli.Wrong, []string{"bad.csv: line 2: the amount"}},
		{[]string{"--batch", "batch-1", "--statement", bad, "--columns", "tradeNo=Order"}, cli.Wrong, []string{"--columns: "}},
		{[]string{"--batch", "batch-1", "--statement", bad, "--format", "mt940"}, cli.Wrong, []string{"bad.csv: "}},
		{[]string{"--batch", "batch-1", "--statement", bad}, cli.Wrong, []string{"--columns"}},
		{[]string{"--batch", "batch-1", "--columns", "tradeNo=Order,amount=Amount"}, cli.Wrong, []string{"--statement"}},
		{[]string{"--batch", "batch-1", "--statement", "nowhere.csv", "--columns", "tradeNo=Order,amount=Amount"}, cli.Wrong, []string{"nowhere.csv"}},
		{[]string{"--batch", "batch-1", "--since", "2020-11-25T00:00:00Z"}, cli.Wrong, []string{"payctl reconcile: give --batch, or"}},
		{[]string{"--since", "2020-11-25T00:00:00Z"}, cli.Wrong, []string{"must both be there"}},
		{nil, cli.Wrong, []string{"give --batch, or"}},
	}) {
		status, out := run(t, append([]string{"reconcile"}, test.args...)...)
		if status != test.status || !strings.Contains(out, test.has[0]) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", strings.Join(test.args, " "), status, test.status, test.has[0], out)
		}
	}
}
