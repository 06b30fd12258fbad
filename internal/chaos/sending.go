package chaos

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/harness"
	"disburser/internal/partition"
)

const (
	ofFile   = 20_000 // payouts of the file that is sent
	sentSome = 3_000  // commands in the topic after which the sender is killed
)

// sendingFile sends a large file with payctl, which is killed halfway. It is sent again, and the back office is killed halfway.
// It is sent to the end, and once more under another name and in another order.
func sendingFile(ctx context.Context, r *run) error {
	batch := r.id + "-file"
	file, again := filepath.Join(r.dir, "payroll.csv"), filepath.Join(r.dir, "renamed.csv")
	if err := r.writeFiles(file, again); err != nil {
		return err
	}
	send := []string{"send", file, "--batch", batch, "--yes"}
	first, err := r.sendSome(ctx, "payctl-send-1", send)
	if err != nil {
		return err
	}
	first.Kill()
	second, err := r.sendSome(ctx, "payctl-send-2", send)
	if err != nil {
		return err
	}
	if err := r.killOffice(r.kept.offices[0]); err != nil {
		return err
	}
	if err := harness.Until(ctx, time.Minute, "payctl has noticed", func() bool { return !second.Running() }); err != nil {
		return err
	}
	if text := second.Tail(); second.Status() != 1 || !strings.Contains(text, "send the same file again") {
		r.problem("the back office died while it sent a file, and payctl ends with status %d:\n%s", second.Status(), text)
	}
	if err := harness.Until(ctx, readyLimit, "the back office is ready again", func() bool { return r.kept.ready(ctx) }); err != nil {
		return err
	}
	if _, err := r.send(ctx, "payctl-send-3", file, batch, "payouts sent"); err != nil {
		return err
	}
	if err := r.caughtUp(ctx); err != nil {
		return err
	}
	have, err := r.commandsOf(ctx, batch)
	if err != nil {
		return err
	}
	out, err := r.send(ctx, "payctl-send-4", again, r.id+"-other", "nothing was sent")
	if err != nil {
		return err
	}
	if !strings.Contains(out, "this is the batch "+batch+" under another name or in another order") {
		r.problem("payctl doesn't recognise the file under another name:\n%s", out)
	}
	if now, err := r.commandsOf(ctx, batch); err != nil || now != have {
		r.problem("under another name the file was sent: %d commands, then %d (%v)", have, now, err)
	}
	return nil
}

// sendSome sends a file until some of it is in the topic.
func (r *run) sendSome(ctx context.Context, name string, send []string) (*harness.Process, error) {
	before, err := r.commands(ctx)
	if err != nil {
		return nil, err
	}
	p, err := r.payctl(name, send...)
	if err != nil {
		return nil, err
	}
	some := 0
	err = harness.Until(ctx, time.Minute, fmt.Sprintf("%d commands are there", sentSome), func() bool {
		n, err := r.commands(ctx)
		some = n - before
		return err == nil && some >= sentSome || !p.Running()
	})
	if err == nil && !p.Running() {
		err = fmt.Errorf("%s has ended:\n%s", name, p.Tail())
	}
	r.note("killed halfway", "%s, with %d of %d commands in the topic", name, some, ofFile)
	return p, err
}

// send sends a file to the end.
func (r *run) send(ctx context.Context, name, file, batch, says string) (out string, err error) {
	began := time.Now()
	status, out, err := r.asked(ctx, 2*time.Minute, name, "send", file, "--batch", batch, "--yes")
	if err != nil {
		return "", err
	}
	r.say("   %s ended after %.1f s with status %d", name, time.Since(began).Seconds(), status)
	if status != 0 || !strings.Contains(out, says) {
		r.problem("%s: status %d, and not %q:\n%s", name, status, says, out)
	}
	return out, nil
}

// names are few: each is looked for in everything that was written.
var names = []string{"Karima Mansour", "Youssef Nabil", "Farida Hassan", "Mostafa El-Sayed", "Zeinab Abdallah"}

// writeFiles writes a table of payouts, and the same backwards. What they hold must be found nowhere.
func (r *run) writeFiles(file, again string) error {
	rows := [][]string{{"tradeNo", "merchant", "amount", "currency", "customerName", "walletId"}}
	back := [][]string{rows[0]}
	for i := range ofFile {
		rows = append(rows, []string{fmt.Sprintf("%s-file-%05d", r.id, i), "eg-main", fmt.Sprint(100 + i%900), "EGP", names[i%len(names)], fmt.Sprintf("0109%07d", i)})
		last := rows[len(rows)-1]
		r.kept.payees = append(r.kept.payees, fmt.Sprintf(`{"tradeNo": %q, "amount": "1", "payee": {"customerName": %q, "walletId": %q}}`, last[0], last[4], last[5]))
	}
	for i := len(rows) - 1; i > 0; i-- {
		back = append(back, rows[i])
	}
	for name, table := range map[string][][]string{file: rows, again: back} {
		out, err := os.Create(name)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := csv.NewWriter(out).WriteAll(table); err != nil {
			return err
		}
	}
	return nil
}

// commands is how many records the topic of the commands has.
func (r *run) commands(ctx context.Context) (total int, err error) {
	n, err := partition.Count(ctx, r.broker.client, r.topics.Commands)
	for p := range n {
		_, end, err := partition.Source{Client: r.broker.client, Topic: r.topics.Commands, Partition: p}.Bounds(ctx)
		if err != nil {
			return 0, err
		}
		total += int(end)
	}
	return total, err
}

// commandsOf is how many commands name a batch.
func (r *run) commandsOf(ctx context.Context, batch string) (n int, err error) {
	records, err := r.records(ctx, r.topics.Commands)
	for _, k := range records {
		if strings.Contains(string(k.Value), `"`+batch+`"`) {
			n++
		}
	}
	return n, err
}

// sentOnce judges what the books say of the file: each payout once, and what came again as copies.
func sentOnce(ctx context.Context, r *run) error {
	batch := r.id + "-file"
	sent, err := r.commandsOf(ctx, batch)
	if err != nil {
		return err
	}
	b, err := api.Get[api.Batch](ctx, r.kept.client(r.kept.offices[0]), "/batches/"+url.PathEscape(batch), nil)
	if err != nil {
		return err
	}
	r.say("   of %d commands the books have %d payouts and %d copies", sent, b.Seen, b.Copies)
	if b.Seen != ofFile || b.Size != ofFile || b.Copies != sent-ofFile || !b.Closed || len(b.DeadLetters) > 0 {
		r.problem("of %d commands the books have %d payouts of %d, %d copies, dead letters %v, closed: %v", sent, b.Seen, b.Size, b.Copies, b.DeadLetters, b.Closed)
	}
	return nil
}

// printedBy is what runs of payctl have printed.
func (r *run) printedBy(pattern string) (out string, err error) {
	names, err := filepath.Glob(filepath.Join(r.dir, pattern+".log"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		out += string(text)
	}
	return out, err
}
