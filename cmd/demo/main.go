// Command demo shows the whole disburser at work in one process. It runs two instances on an
// embedded Kafka and Redis. A simulated Paypro fails, refuses, loses replies and pays again
// whatever is sent twice. A back office reads along. When the payroll has ended, demo compares
// every result with the simulator's own ledger, and so each payout of the back office's books.
// It promises exit status 0 only if each payout has exactly one final result, all three agree,
// and nothing was paid twice. No money moves.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"disburser/internal/cli"
)

func program() cli.Program {
	return cli.Program{
		Name: "demo", Grammar: &options{},
		About: "demo sends a payroll through two disbursers in one process, and compares every result and the back office's books with the simulator's own ledger.",
		Statuses: [3]string{
			cli.Done:   "each payout has exactly one final result that the simulator's ledger and the back office's books agree with, and nothing was paid twice",
			cli.Failed: "something is wrong or still open (a payout with a later notBefore too: nobody waits for it)",
		},
	}
}

func main() {
	log.SetOutput(io.Discard) // net/http and kfake print to it what would tear the display
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	status := program().Run(ctx, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(status)
}
