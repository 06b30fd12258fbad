// Command payctl is for the people who pay: it checks a file of payouts, and rehearses it, before anybody sends it.
package main

import (
	"io"
	"log"
	"os"

	"disburser/internal/cli"
	"disburser/internal/rehearsal"
)

// commands are what the program does. Each has a file of its own.
type commands struct {
	Check check `cmd:"" name:"check" help:"Finds all problems of a file of payouts at once, before it is sent."`

	Send send `cmd:"" name:"send" help:"Sends a file of payouts, once it is whole and you have seen its sum."`

	Batches batches `cmd:"" name:"batches" help:"Lists batches: how many payouts each has, and how many have ended."`
	Batch   batch   `cmd:"" name:"batch" help:"Tells about a batch: counts, amounts, pauses, and what of a file is missing."`
	Watch   watch   `cmd:"" name:"watch" help:"Follows a batch until it is closed, or everything."`
	Show    show    `cmd:"" name:"show" help:"Tells all that is known of a payout."`
	Why     why     `cmd:"" name:"why" help:"Says in one sentence where the money of a payout is."`
	Held    held    `cmd:"" name:"held" help:"Lists the payouts that wait for a person."`
	Find    find    `cmd:"" name:"find" help:"Lists the payouts to a payee."`
	Actions actions `cmd:"" name:"actions" help:"Lists what people said, and what came of it."`

	DeadLetters deadLetters `cmd:"" name:"dead-letters" help:"About messages that became no payout: list, show, replay."`

	Reconcile reconciliation `cmd:"" name:"reconcile" help:"Compares commands, results and a statement, and names each payout that doesn't agree."`

	Pause   pauseCommand `cmd:"" name:"pause" help:"Nothing in a scope is sent until it is resumed."`
	Resume  resume       `cmd:"" name:"resume" help:"Lifts pauses of exactly this scope."`
	Cancel  cancel       `cmd:"" name:"cancel" help:"What was never sent of a batch, or a payout, is rejected."`
	Ask     ask          `cmd:"" name:"ask" help:"Asks the provider about a payout or a batch now."`
	Resolve resolve      `cmd:"" name:"resolve" help:"Ends a held payout by your word. The provider is asked first, and never contradicted."`
	Confirm confirm      `cmd:"" name:"confirm" help:"A second person's word for an action that needs two."`

	Rehearse rehearse `cmd:"" name:"rehearse" help:"Plays a file of payouts through the service in virtual time: when it would be done."`

	Completion completion `cmd:"" name:"completion" help:"Prints a script by which a shell completes payctl's commands and flags."`
}

// Help says how one begins.
func (*commands) Help() string {
	return "It asks the back office: PAYCTL_URL and PAYCTL_TOKEN say where it is and who you are, or --url and --token-file, or a context of ~/.config/payctl/config.yaml. " +
		"payctl COMMAND --help has examples of each command. Every command that asks has --json."
}

// Examples are a pay day.
func (*commands) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl check payroll.csv", Does: "all problems of a file at once"},
		{Line: "payctl send payroll.csv --batch 2026-11-payroll", Does: "shows count and sum, asks, and sends"},
		{Line: "payctl watch 2026-11-payroll", Does: "follows it until everything has ended"},
		{Line: "payctl why 20261125-000001", Does: "where a person's money is"},
		{Line: `payctl pause batch:2026-11-payroll --reason "wrong amounts"`, Does: "nothing more of it is sent"},
		{Line: "payctl held", Does: "what waits for a person"},
		{Line: "payctl reconcile --batch 2026-11-payroll", Does: "does everything add up?"},
	}
}

func program() cli.Program {
	return cli.Program{
		Name: "payctl", About: "payctl is the tool of the people who pay.", Grammar: &commands{},
		Statuses: [3]string{cli.Failed: "refused, different or failed", cli.Wrong: "wrong usage, file or configuration"},
	}
}

func main() {
	// Libraries print to the standard logger what they like; people's data could be in it.
	log.SetOutput(io.Discard)
	if rehearsal.PlayIfAsked() {
		os.Exit(cli.Failed)
	}
	os.Exit(cli.Main(program()))
}
