// Command disburser is the service: it reads payout commands from Kafka, pays them
// through Paypro at most once each, and publishes what came of them.
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
	"runtime"
	"syscall"
	"time"

	"disburser/config"
	"disburser/internal/app"
)

// The version of this source, and what it was built from; the linker sets both where they
// are known (Makefile). The newest version of CHANGELOG.md is the same.
var version, commit = "0.1.0", "unknown"

// Exit statuses (README, Commands).
const (
	done   = 0
	failed = 1
	wrong  = 2 // usage or configuration
)

const usage = `disburser pays people through Paypro, each tradeNo at most once.

Usage:
  disburser run   --config FILE             the service
  disburser check --config FILE [--connect] validates the configuration and prints every problem;
                                            --connect also tries Kafka, Redis and a signed query per merchant
  disburser countries [NAME]                what a country wants of a command: payee fields, amount, currency, decimals,
                                            what is unverified; all countries without a name
  disburser version                         version, commit, Go version

Examples:
  disburser check --config disburser.yaml
  PAYPRO_EG_SECRET=… disburser run --config disburser.yaml

SIGHUP makes a running service read its file again: rates, poll, breaker and log.level
change at once, and it logs what else would need a restart.

Exit status: 0 done, 1 failed while running, 2 wrong usage or configuration.
`

func main() {
	// Libraries print to the standard logger what they like; people's data could be in it.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	tuneCollector(ctx)
	status := command(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func command(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return wrong
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "check":
		return check(ctx, args[1:])
	case "countries":
		return countries(args[1:])
	case "version":
		fmt.Printf("disburser %s, commit %s, %s\n", version, commit, runtime.Version())
		return done
	case "help", "--help", "-h", "-help":
		fmt.Print(usage)
		return done
	}
	fmt.Fprintf(os.Stderr, "disburser: there is no command %q\n\n%s", args[0], usage)
	return wrong
}

// load reads the flags of a command and the configuration they name.
func load(name string, args []string, more func(*flag.FlagSet)) (c config.Config, path string, status int) {
	flags := flag.NewFlagSet("disburser "+name, flag.ContinueOnError)
	file := flags.String("config", "", "the configuration `FILE`")
	if more != nil {
		more(flags)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return c, "", done
	case err != nil:
		return c, "", wrong
	case *file == "" || flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "disburser %s: give the configuration with --config FILE and nothing else\n", name)
		return c, "", wrong
	}
	c, warnings, err := config.Load(*file, app.ConfigRules())
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "warning: "+w)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return c, "", wrong
	}
	return c, *file, -1
}

func options() app.Options {
	return app.Options{Build: app.Build{Version: version, Commit: commit}}
}

func run(ctx context.Context, args []string) int {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP) // before anything else: unheard, it ends the process
	defer signal.Stop(again)
	c, path, status := load("run", args, nil)
	if status >= 0 {
		return status
	}
	a, err := app.New(c, options())
	if err == nil {
		go reload(ctx, a, path, again)
		err = a.Run(ctx)
	}
	return report(err)
}

// reload reads the configuration again at each SIGHUP, until ctx ends.
func reload(ctx context.Context, a *app.App, path string, again <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			a.ReloadFrom(func() (config.Config, []string, error) { return config.Load(path, app.ConfigRules()) })
		}
	}
}

func check(ctx context.Context, args []string) int {
	var connect bool
	c, _, status := load("check", args, func(f *flag.FlagSet) {
		f.BoolVar(&connect, "connect", false, "also try Kafka, Redis and a signed query per merchant")
	})
	if status >= 0 {
		return status
	}
	if !connect {
		fmt.Println("the configuration is good; nothing was connected to")
		return done
	}
	a, err := app.New(c, options())
	if err != nil {
		return report(err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	status = done
	well, problems := a.Probe(ctx)
	for _, sentence := range well {
		fmt.Println(sentence)
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
		if status = max(status, failed); errors.Is(problem, app.ErrSetup) {
			status = wrong
		}
	}
	return status
}

func report(err error) int {
	switch {
	case err == nil:
		return done
	case errors.Is(err, app.ErrSetup):
		fmt.Fprintln(os.Stderr, "disburser:", err)
		return wrong
	}
	fmt.Fprintln(os.Stderr, "disburser:", err)
	return failed
}
