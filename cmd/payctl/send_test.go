package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/service"
	"disburser/backoffice/service/servicetest"
	"disburser/config"
	"disburser/internal/cli"
	"disburser/internal/kafkatest"
	"disburser/internal/rules"
	"disburser/message"
)

// payroll is a table of payouts from one number to another one, backwards if asked.
func payroll(from, to int, backwards bool) string {
	rows := []string{}
	for i := from; i < to; i++ {
		rows = append(rows, fmt.Sprintf("S-%05d,%d,0112%07d,kevin %d", i, 100+i, i, i))
	}
	if backwards {
		for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
			rows[i], rows[j] = rows[j], rows[i]
		}
	}
	return "tradeNo,amount,walletId,customerName\n" + strings.Join(rows, "\n") + "\n"
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// merchants are those of the configuration.
func merchants(t *testing.T) rules.Merchants {
	t.Helper()
	all, err := rules.Load(write(t, "c.yaml", configuration))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sender is a back office that knows a merchant, and an operator's token in the variables.
func sender(t *testing.T) (*kafkatest.Kafka, config.Config, *servicetest.Office) {
	t.Helper()
	k, c, _ := servicetest.World(t, nil)
	token, sum := service.NewToken()
	c.Backoffice.Users = config.Users{{Name: "olga", SHA256: sum, Roles: []string{config.Viewer, config.Operator}}}
	o := servicetest.StartFor(t, k, c, token, merchants(t))
	t.Setenv("PAYCTL_URL", o.URL)
	t.Setenv("PAYCTL_TOKEN", token)
	return k, c, o
}

// seen waits until the books know so many payouts of a batch.
func seen(t *testing.T, o *servicetest.Office, batch string, n, copies int) (b api.Batch) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var err error
		if b, err = api.Get[api.Batch](t.Context(), api.Client{URL: o.URL, Token: o.Token}, "/batches/"+batch, nil); err == nil && b.Seen == n && b.Copies == copies {
			return b
		}
	}
	t.Fatalf("%+v", b)
	return b
}

// Sent, killed halfway, sent again: each payout is ordered, in the order of the file, and repeats are known as such. Under another
// name and in another order the file is recognised.
func TestAFileIsSentOnce(t *testing.T) {
	const n = 60
	k, c, o := sender(t)
	whole := write(t, "payroll.csv", payroll(0, n, false))
	if status, out := run(t, "send", write(t, "half.csv", payroll(0, n/2, false)), "--batch", "B", "--yes"); status != cli.Done || !strings.Contains(out, "30 payouts sent") {
		t.Fatalf("%d %s", status, out)
	}
	seen(t, o, "B", n/2, 0)
	stdin = strings.NewReader("no\n")
	defer func() { stdin = os.Stdin }()
	if status, out := run(t, "send", whole, "--batch", "B"); status != cli.Failed || !strings.Contains(out, "nothing was done") {
		t.Errorf("%d %s", status, out)
	}
	stdin = strings.NewReader("yes\n")
	status, out := run(t, "send", whole, "--batch", "B")
	if status != cli.Done || !strings.Contains(out, "eg-main, EGP: 60 payouts, 7770 in sum\n") || !strings.Contains(out, "30 payouts were ordered before, with the same content, in the batch B") || !strings.Contains(out, "60 payouts sent") {
		t.Errorf("%d %s", status, out)
	}
	seen(t, o, "B", n, n/2)

	again := write(t, "renamed.csv", payroll(0, n, true))
	status, out = run(t, "send", again, "--batch", "other", "--yes")
	if status != cli.Done || !strings.Contains(out, "this is the batch B under another name or in another order") || !strings.Contains(out, "nothing was sent") {
		t.Errorf("%d %s", status, out)
	}
	other := write(t, "other.csv", strings.Replace(payroll(0, 3, false), "S-00001,101", "S-00001,999", 1))
	if status, out = run(t, "send", other, "--yes"); status != cli.Failed || !strings.Contains(out, "1 payout was ordered before with another content, such as S-00001") {
		t.Errorf("%d %s", status, out)
	}

	places, records := map[string]int{}, 0
	for partition := range servicetest.Partitions {
		last := ""
		for _, r := range k.Read(t, c.Kafka.Topics.Commands, partition) {
			orders, err := message.Decode(r.Value)
			if err != nil || len(orders) != 1 || orders[0].Invalid != "" {
				t.Fatalf("%s: %v", r.Value, err)
			}
			got := orders[0].Command
			if at, known := places[got.TradeNo]; known && at != partition || string(r.Key) != got.TradeNo || got.BatchID != "B" || kafkatest.Header(t, r.Headers, "sent-by") != "olga" {
				t.Errorf("partition %d, key %s: %s", partition, r.Key, r.Value)
			}
			if places[got.TradeNo] = partition; got.BatchSize == n {
				if got.TradeNo < last {
					t.Errorf("%s comes behind %s", got.TradeNo, last)
				}
				last = got.TradeNo
			}
			records++
		}
	}
	if len(places) != n || records != n+n/2 {
		t.Errorf("%d payouts in %d records", len(places), records)
	}
}

// One problem, and nothing is sent. Neither the answer nor the output has a payee's value.
func TestAFileWithProblemsIsNotSent(t *testing.T) {
	k, c, o := sender(t)
	bad := write(t, "bad.csv", strings.NewReplacer("S-00001,101", "S-00001,1E+10", "01120000002", "").Replace(payroll(0, 4, false))+"S-00009,109,01120000009,=kevin\n")
	for _, args := range [][]string{{"send", bad, "--yes"}, {"check", bad}} {
		status, out := run(t, args...)
		for _, has := range []string{bad + ":3: amount is a number with an exponent", bad + ":4: walletId", bad + ":6: customerName begins with", bad + ".errors.csv has them"} {
			if status != cli.Wrong || !strings.Contains(out, has) {
				t.Errorf("%v: %d, and not %q:\n%s", args, status, has, out)
			}
		}
		if strings.Contains(out, "0112000") || strings.Contains(out, "=kevin") {
			t.Errorf("a payee's value is shown: %s", out)
		}
	}
	status, out := run(t, "check", bad, "--json")
	var report struct {
		Lines    int
		Problems []struct{ Column string }
	}
	if err := json.Unmarshal([]byte(out), &report); status != cli.Wrong || err != nil || report.Lines != 5 || len(report.Problems) != 3 {
		t.Errorf("%d %v %s", status, err, out)
	}
	if status, out := run(t, "check", write(t, "good.csv", payroll(0, 4, false))); status != cli.Done || !strings.Contains(out, "no problem") {
		t.Errorf("%d %s", status, out)
	}
	named := write(t, "named.jsonl", `{"tradeNo":"S-1","amount":"500","batchId":"A","payee":{"walletId":"01120000002","customerName":"kevin"}}`+"\n")
	if status, out := run(t, "send", named, "--batch", "B", "--yes"); status != cli.Wrong || !strings.Contains(out, "names another batch") {
		t.Errorf("%d %s", status, out)
	}
	_, err := api.Send[api.File](t.Context(), api.Client{URL: o.URL, Token: o.Token}, "/batches", map[string][]string{"digest": {"0"}}, contentType, strings.NewReader(payroll(0, 4, false)))
	if err == nil || !strings.Contains(err.Error(), "isn't the one that was looked at") {
		t.Error(err)
	}
	for partition := range servicetest.Partitions {
		if records := k.Read(t, c.Kafka.Topics.Commands, partition); len(records) > 0 {
			t.Errorf("%d records are sent", len(records))
		}
	}
}
