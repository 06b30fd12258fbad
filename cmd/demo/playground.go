package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// The playground's times and sizes: a batch is mostly done when the next one comes.
const (
	payday    = 15 * time.Second
	perBatch  = 60
	telling   = 15 * time.Second
	statement = 3 * time.Second // how old the provider's statement may be
)

// home is where the playground's back office is, if nobody else is there: the default of backoffice.listen.
const home = "127.0.0.1:8088"

// play runs everything until ctx ends: a payroll after the other, a provider on a bad day, and a back office to ask.
func play(ctx context.Context, o options, s *screen) (err error) {
	logs, err := openLog(o.Log)
	if err != nil {
		return err
	}
	defer func() { logs.close(s, err == nil) }()
	w, err := newWorld(setup{seed: o.Seed, then: "hold", listen: home})
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.start(logs.file); err != nil {
		return err
	}
	s.line("%s  everything in one process until Ctrl-C; no money moves", s.in(bold, "disburser playground"))
	s.line("%s", s.in(dim, fmt.Sprintf("%d instances, embedded Kafka and Redis, a simulated Paypro on a bad day (seed %d), a back office", instances, o.Seed)))
	s.line("%s", s.in(dim, fmt.Sprintf("a batch of %d payouts every %v; what the provider has no record of is held for a person", perBatch, payday)))
	s.invite(w)
	if err := w.payrolls(ctx, o.Seed, s); err != nil {
		return err
	}
	if err := w.halt(); err != nil {
		return err
	}
	return s.farewell(w)
}

// statementFile is the provider's statement, as the playground writes it.
func (w *world) statementFile() string { return filepath.Join(w.office.folder, "statement.csv") }

// batchID is the name of the n-th payroll.
func batchID(n int) string { return fmt.Sprintf("payroll-%03d", n) }

// invite says what to try.
func (s *screen) invite(w *world) {
	s.line("\nin another shell:\n")
	s.line("  export PAYCTL_URL=%s", w.office.URL)
	s.line("  export PAYCTL_TOKEN=%s   # alice: viewer, operator", w.office.Token)
	s.line("  export BOB=%s            # bob: viewer, approver", w.office.second)
	s.line("  export STATEMENT=%s   # the provider's\n", w.statementFile())
	const say = "./bin/payctl "
	for _, line := range [][2]string{
		{say + "batches", "how far each payroll is"},
		{say + "batch " + batchID(1), "counts and amounts: nothing is lost on the way"},
		{say + "held", "what waits for a person"},
		{say + "why " + batchID(1) + "-00000001", "where this person's money is"},
		{say + "dead-letters list", "what a program sent that can't be a payout"},
		{say + `pause fleet --reason "wrong file"`, "nothing more is sent, within a second"},
		{say + `resume fleet --reason "the right file is there"`, "it goes on"},
		{say + `resolve TRADENO --as failed --reason "it never arrived"`, "ends a held payout, if the provider's answer doesn't contradict"},
		{"PAYCTL_TOKEN=$BOB " + say + `confirm ID --reason "seen too"`, "bob's word, where two people are needed: resolve with --force"},
		{say + "reconcile --batch " + batchID(1) + " --statement $STATEMENT --columns tradeNo=tradeNo,amount=amount,currency=currency,status=status", "compares with the provider's statement: what is held is missing"},
	} {
		s.line("  %s\n      %s", line[0], s.in(dim, line[1]))
	}
	s.line("")
}

// payrolls orders one batch after the other, until ctx ends.
func (w *world) payrolls(ctx context.Context, seed uint64, s *screen) error {
	began, next, told, written := time.Now(), time.Time{}, time.Now(), time.Time{}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for n := 0; ; {
		now := time.Now()
		if !now.Before(next) {
			n, next = n+1, now.Add(payday)
			lines := trial.Batch(batchID(n), seed+uint64(n), perBatch)
			lines = append(lines, trial.Mistakes(lines[0])...)
			if err := trial.Publish(ctx, w.kafka.ListenAddrs(), w.transport, trial.DefaultTopics.Commands, lines); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if now.Sub(written) >= statement {
			written = now
			if err := writeStatement(w.statementFile(), w.sim.Ledger()); err != nil {
				return fmt.Errorf("write the provider's statement: %w", err)
			}
		}
		if now.Sub(told) >= telling {
			told = now
			if err := s.status(ctx, w, n, now.Sub(began)); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if err := w.trouble(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// status says how it goes, in the words of the books.
func (s *screen) status(ctx context.Context, w *world, batches int, elapsed time.Duration) error {
	o, err := api.Get[api.Overview](ctx, w.office.Client, "/overview", nil)
	if err != nil {
		return err
	}
	n := o.States
	s.line("%5.0f s  %d batches: %d paid, %d partial, %d failed, %d held, %d open; %d pauses", elapsed.Seconds(), batches,
		n["paid"], n["partial"], n["failed"]+n["rejected"], n["held"], n["received"]+n["sending"]+n["processing"], len(o.Pauses))
	return nil
}

// writeStatement writes what the provider would bill: each execution that is settled. It is in one piece, so that nobody reads half of it.
func writeStatement(name string, l paysim.Ledger) error {
	out, err := os.CreateTemp(filepath.Dir(name), ".statement-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // it is gone once it has its name
	rows := [][]string{{"tradeNo", "amount", "currency", "status"}}
	for _, e := range l.Entries {
		for _, x := range e.Executions {
			row := []string{e.TradeNo, x.PaidAmount, trial.Currencies[merchantOf(e.MerchantNo)], "paid"}
			switch {
			case x.SettledAt.After(time.Now()):
				row[1], row[3] = x.Amount, "pending"
			case !x.Pays():
				row[1], row[3] = x.Amount, "failed"
			}
			rows = append(rows, row)
		}
	}
	err = csv.NewWriter(out).WriteAll(rows)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), name)
}

// merchantOf is the merchant of an account at the simulator.
func merchantOf(no string) string {
	for name, its := range merchantNos {
		if its == no {
			return name
		}
	}
	return ""
}

// farewell is the last word, when everything has stopped.
func (s *screen) farewell(w *world) error {
	l := w.sim.Ledger()
	s.line("\n  stopped     the provider's ledger: %s", ledgerText(l))
	if n := len(l.PaidTwice()); n > 0 {
		s.line("  %s  %d payouts were paid twice", s.in(red+";"+bold, "FAIL"), n)
		return cli.Told(cli.Failed)
	}
	return nil
}
