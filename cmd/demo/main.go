// Command demo shows the whole disburser at work in one process: two instances on an
// embedded Kafka and Redis, and a simulated Paypro that fails, refuses, loses replies and
// pays again whatever is sent twice. A payroll goes through; then every result is compared
// with the simulator's own books. It promises exit status 0 only if each payout has
// exactly one final result, the books agree, and nothing was paid twice. No money moves.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses (README, Commands).
const (
	done   = 0
	failed = 1
	wrong  = 2 // usage
)

func main() {
	log.SetOutput(io.Discard) // net/http and kfake print to it what would tear the display
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	status := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// command runs the demo as a command line asks for it and answers the exit status.
func command(ctx context.Context, args []string, stdout *os.File, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return done
	case err != nil:
		fmt.Fprintf(stderr, "demo: %s\nTry --help.\n", err)
		return wrong
	}
	lines, numbers, err := o.commands()
	if err != nil {
		fmt.Fprintf(stderr, "demo: %s\n", err)
		return wrong
	}
	good, err := show(ctx, o, lines, numbers, newScreen(stdout))
	if err != nil {
		fmt.Fprintf(stderr, "demo: %s\n", err)
	}
	if err != nil || !good {
		return failed
	}
	return done
}
