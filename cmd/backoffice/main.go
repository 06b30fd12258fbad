// Command backoffice reads the topics into books that people can search, and answers them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"time"

	"disburser/backoffice/service"
	"disburser/config"
	"disburser/internal/cli"
	"disburser/internal/rules"
)

// commands are what the program does.
type commands struct {
	Run     run     `cmd:"" name:"run" help:"Reads the topics into the books, answers the API, publishes the events of batches."`
	Check   check   `cmd:"" name:"check" help:"Validates the configuration and prints every problem."`
	Token   token   `cmd:"" name:"token" help:"Makes a token for a user, and prints what stands of it in the configuration."`
	Rebuild rebuild `cmd:"" name:"rebuild" help:"Empties the books and reads everything again."`
}

func program() cli.Program {
	return cli.Program{Name: "backoffice", About: "backoffice keeps books of all payouts, and answers the people who pay.", Grammar: &commands{}}
}

func main() {
	// Libraries print to the standard logger what they like; people's data could be in it.
	log.SetOutput(io.Discard)
	os.Exit(cli.Main(program()))
}

// configuration is the flag of every command that reads the configuration.
type configuration struct {
	File string `name:"config" required:"" placeholder:"FILE" help:"The configuration, the same YAML file as the service's. None of the provider's secrets is needed."`
}

// open reads the file, prints what is to be said about it, and wires the back office.
func (c configuration) open(s cli.Streams) (*service.Service, error) {
	if c.File == "" {
		return nil, cli.Usage(errors.New("give the configuration with --config FILE"))
	}
	loaded, warnings, err := config.LoadForBackoffice(c.File, rules.ForCommands())
	for _, w := range warnings {
		fmt.Fprintln(s.Err, "warning: "+w)
	}
	if err != nil {
		fmt.Fprintln(s.Err, err)
		return nil, cli.Told(cli.Wrong)
	}
	merchants, err := rules.Of(loaded.Merchants)
	if err != nil {
		return nil, cli.Setup(err)
	}
	opened, err := service.New(loaded, merchants, service.Options{})
	return opened, marked(err)
}

// mostMemory is what Go may take before it collects harder. Beside it stands SQLite's, about 50 MiB. GOMEMLIMIT goes before it.
const mostMemory = 96 << 20

// collectAt is how much may be allocated before it collects, in percent of what is alive. Of that there is little, so at Go's own 100
// a tenth to a fifth of the work of catching up was to collect. GOGC goes before it.
const collectAt = 400

func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(mostMemory)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

// marked gives errors of the setup their exit status.
func marked(err error) error {
	if errors.Is(err, service.ErrSetup) {
		return cli.Setup(err)
	}
	return err
}

// run is the back office.
type run struct{ configuration }

func (*run) Examples() []cli.Example {
	return []cli.Example{{Line: "PAYEE_KEY=… backoffice run --config disburser.yaml", Does: "runs until SIGTERM; the file names the variable"}}
}

// Run runs it.
func (r *run) Run(ctx context.Context, s cli.Streams) error {
	boundMemory()
	office, err := r.open(s)
	if err != nil {
		return err
	}
	return marked(office.Run(ctx))
}

// connectFor is how long check --connect may take.
const connectFor = time.Minute

// check validates the configuration.
type check struct {
	configuration
	Connect bool `name:"connect" help:"Also tries Kafka and the database, for a minute at most. It makes the tables where they are missing."`
}

func (*check) Examples() []cli.Example {
	return []cli.Example{
		{Line: "PAYEE_KEY=… backoffice check --config disburser.yaml", Does: "connects to nothing; every mistake with its line"},
		{Line: "PAYEE_KEY=… backoffice check --config disburser.yaml --connect", Does: "before the first start, and after a change"},
	}
}

// Run checks.
func (k *check) Run(ctx context.Context, s cli.Streams) error {
	office, err := k.open(s)
	if err != nil {
		return err
	}
	if !k.Connect {
		fmt.Fprintln(s.Out, "the configuration is good; nothing was connected to")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	well, problems := office.Probe(ctx)
	for _, sentence := range well {
		fmt.Fprintln(s.Out, sentence)
	}
	status := cli.Done
	for _, problem := range problems {
		fmt.Fprintln(s.Err, problem)
		if status = max(status, cli.Failed); errors.Is(problem, service.ErrSetup) {
			status = cli.Wrong
		}
	}
	if status != cli.Done {
		return cli.Told(status)
	}
	return nil
}

// token makes a token.
type token struct{}

// Help says what to do with it.
func (*token) Help() string {
	return "The token is printed once and stored nowhere: give it to the user. The sum belongs into backoffice.users of the configuration; it isn't secret."
}

func (*token) Examples() []cli.Example {
	return []cli.Example{{Line: "backoffice token", Does: "prints a token, and its sum"}}
}

// Run makes one.
func (*token) Run(s cli.Streams) error {
	made, sum := service.NewToken()
	fmt.Fprintf(s.Out, "token\t%s\ntoken_sha256\t%s\n", made, sum)
	return nil
}

// rebuild reads everything again.
type rebuild struct{ configuration }

// Help says what stays.
func (*rebuild) Help() string {
	return "What Kafka no longer holds is kept, and so are the events of batches that were published. " +
		"backoffice run may go on meanwhile, but its answers are incomplete until this ends."
}

func (*rebuild) Examples() []cli.Example {
	return []cli.Example{{Line: "PAYEE_KEY=… backoffice rebuild --config disburser.yaml", Does: "after another payee_key, or a topic that was made anew"}}
}

// Run rebuilds.
func (r *rebuild) Run(ctx context.Context, s cli.Streams) error {
	boundMemory()
	office, err := r.open(s)
	if err != nil {
		return err
	}
	return marked(office.Rebuild(ctx, s.Out))
}
