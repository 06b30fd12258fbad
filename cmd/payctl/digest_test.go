package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/cli"
	"disburser/message"
	"disburser/payout"
)

// A closed batch is known by its digest, which is the file's. Name and order make no difference, nor that the books have deleted
// its payouts.
func TestAFileIsRecognisedByItsDigest(t *testing.T) {
	const n = 20
	k, c, o := sender(t)
	file, again := write(t, "payroll.csv", payroll(0, n, false)), write(t, "renamed.csv", payroll(0, n, true))
	status, out := run(t, "send", file, "--batch", "B", "--yes")
	if status != cli.Done {
		t.Fatal(out)
	}
	_, digest, _ := strings.Cut(out, "digest ")
	digest, _, _ = strings.Cut(digest, "\n")
	for partition := range servicetest.Partitions {
		for _, r := range k.Read(t, c.Kafka.Topics.Commands, partition) {
			orders, _ := message.Decode(r.Value)
			p := payout.Payout{Command: orders[0].Command, State: payout.StatePaid, ReceivedAt: bookstest.Start, SettledAt: bookstest.Start, Sends: 1}
			p.Merchant = "eg-main"
			p.Command = bookstest.Resolve(p.Command)
			p.Fingerprint = p.Command.Fingerprint()
			e, _ := message.EventOf(p)
			m, err := message.EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			k.Write(t, c.Kafka.Topics.Results, partition, kafka.Record{Time: r.Time, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: message.HeadersAs[kafka.Header](m.Headers)})
		}
	}
	for deadline := time.Now().Add(time.Minute); seen(t, o, "B", n, 0).Digest == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
	}
	if status, out = run(t, "batch", "B"); status != cli.Done || digest == "" || !strings.Contains(out, "digest\t"+digest+"\n") {
		t.Fatalf("the file's digest is %q: %d %s", digest, status, out)
	}
	const known = "this is the batch B under another name or in another order\n"
	if status, out = run(t, "check", again); status != cli.Done || !strings.Contains(out, known) || !strings.Contains(out, digest) {
		t.Errorf("%d %s", status, out)
	}
	if status, out = run(t, "send", again, "--batch", "other", "--yes"); status != cli.Done || !strings.Contains(out, known) || !strings.Contains(out, "nothing was sent") {
		t.Errorf("%d %s", status, out)
	}

	o.Stop() // from here on the books keep nothing that has ended
	c.Backoffice.Keep = time.Nanosecond
	o = servicetest.StartFor(t, k, c, o.Token, merchants(t))
	t.Setenv("PAYCTL_URL", o.URL)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, out = run(t, "show", "S-00001"); strings.Contains(out, "the books know no payout of this tradeNo") {
			break
		}
	}
	for _, name := range []string{"B", "other"} {
		if status, out = run(t, "send", again, "--batch", name, "--yes"); status != cli.Done || !strings.Contains(out, known) || !strings.Contains(out, "nothing was sent") {
			t.Errorf("as %s: %d %s", name, status, out)
		}
		_, err := api.Send[api.File](t.Context(), api.Client{URL: o.URL, Token: o.Token}, "/batches", url.Values{"batch": {name}}, contentType, strings.NewReader(payroll(0, n, true)))
		if problem := (*api.Problem)(nil); !errors.As(err, &problem) || problem.Status != http.StatusConflict || !strings.Contains(problem.Detail, "nothing was sent") {
			t.Errorf("as %s: %v", name, err)
		}
	}
}
