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

	Rehearse rehearse `cmd:"" name:"rehearse" help:"Plays a file of payouts through the service in virtual time: when it would be done."`
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
