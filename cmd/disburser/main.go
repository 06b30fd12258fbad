// Command disburser is the service: it reads payout commands from Kafka, pays them
// through Paypro at most once each, and publishes what came of them.
package main

import (
	"io"
	"log"
	"os"

	"disburser/internal/app"
	"disburser/internal/cli"
)

// commands are what the program does. Each has a file of its own.
type commands struct {
	Run       run       `cmd:"" name:"run" help:"Runs the service."`
	Check     check     `cmd:"" name:"check" help:"Validates the configuration and prints every problem."`
	Act       act       `cmd:"" name:"act" help:"Says what people want: pause, resume, cancel, resolve, ask, confirm. Lists what was said."`
	Show      show      `cmd:"" name:"show" help:"Tells what is known of a payout, and what happens next."`
	Countries countries `cmd:"" name:"countries" help:"Prints what a country wants of a command."`
	Version   version   `cmd:"" name:"version" help:"Prints version, commit and Go version."`
}

// Help is what the help text of the program says beyond its commands.
func (*commands) Help() string {
	return "SIGHUP makes a running service read its file again: rates, poll, breaker and log.level change at once, " +
		"and it logs what else would need a restart. SIGTERM stops it within disburse.drain + 2s."
}

func program() cli.Program {
	return cli.Program{Name: "disburser", About: "disburser pays people through Paypro, each tradeNo at most once.", Grammar: &commands{}}
}

func main() {
	// Libraries print to the standard logger what they like; people's data could be in it.
	log.SetOutput(io.Discard)
	os.Exit(cli.Main(program()))
}

// options are what every command builds the service with.
func options() app.Options {
	return app.Options{Build: app.Build{Version: cli.Version, Commit: cli.Commit}}
}
