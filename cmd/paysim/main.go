// Command paysim serves the Paypro simulator alone: Paypro's calls for the given
// merchants, and the control paths /ledger, /behavior, /outage and /healthz.
// It promises one line "paysim: listening on http://…" once it answers, exit status
// 2 for a wrong command line or configuration, and 0 after SIGTERM or SIGINT.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"disburser/paypro/paysim"
)

const usage = `paysim serves a simulated Paypro with a ledger of its own.

Usage:
  paysim [--listen ADDR] [--config FILE.json] [--merchant COUNTRY:MERCHANTNO:SECRET[:BASEPATH]]... [faults]

Examples:
  paysim --merchant egypt:0000000001:test-secret-123:/egy-pay --settle-min 1s --settle-max 1m
  paysim --listen 127.0.0.1:0 --merchant brazil:0000000002:s --seed 7 --lost-reply 0.05 --repeat refuse
  paysim --config sim.json        {"seed": 7, "repeat": "replay", "behavior": {"settleMin": "2s", "failed": 0.1},
                                   "merchants": [{"country": "kenya", "merchantNo": "0000000003", "secret": "s"}]}
  curl http://127.0.0.1:8090/ledger
  curl -d '{"lostReply": 0.5}' 'http://127.0.0.1:8090/behavior?merchantNo=0000000001'
  curl -d '' 'http://127.0.0.1:8090/outage?is=cut'        (up, unavailable, cut, hung, disabled, broke)

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, listen, err := configure(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "paysim: %s\nTry paysim --help.\n", strings.ReplaceAll(err.Error(), "paysim: ", ""))
		return 2
	}
	if err := serve(ctx, cfg, listen, stdout); err != nil {
		fmt.Fprintf(stderr, "paysim: %s\n", err)
		return 1
	}
	return 0
}

// options are everything a command line says.
type options struct {
	listen, file string
	cfg          paysim.Config
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("paysim", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` to listen on; port 0 picks a free one")
	fs.StringVar(&o.file, "config", "", "JSON `file` with seed, merchants, behavior and repeat; flags go before it")
	fs.Func("merchant", "`COUNTRY:MERCHANTNO:SECRET[:BASEPATH]`, repeatable; countries: "+strings.Join(paysim.Countries(), ", "), o.addMerchant)
	fs.Uint64Var(&o.cfg.Seed, "seed", o.cfg.Seed, "`number` that chooses every fault and outcome")
	fs.TextVar(&o.cfg.Repeat, "repeat", o.cfg.Repeat, "a repeated tradeNo: pay-again, refuse or replay")
	o.cfg.Behavior.BindFlags(fs)
	return fs
}

func (o *options) addMerchant(text string) error {
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 3 {
		return errors.New("must be COUNTRY:MERCHANTNO:SECRET[:BASEPATH]")
	}
	m := paysim.Merchant{Country: parts[0], MerchantNo: parts[1], Secret: parts[2]}
	if len(parts) == 4 {
		m.BasePath = parts[3]
	}
	o.cfg.Merchants = append(o.cfg.Merchants, m)
	return nil
}

// configure reads the command line twice if it names a file: once to learn of the
// file, and once more over what the file said.
func configure(args []string) (paysim.Config, string, error) {
	var o options
	fs := o.flags()
	if err := fs.Parse(args); err != nil {
		return o.cfg, "", err
	}
	if fs.NArg() > 0 {
		return o.cfg, "", fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.file != "" {
		cfg, err := load(o.file)
		if err != nil {
			return cfg, "", err
		}
		o = options{cfg: cfg}
		if err := o.flags().Parse(args); err != nil {
			return o.cfg, "", err
		}
	}
	return o.cfg, o.listen, o.cfg.Validate()
}

func load(file string) (cfg paysim.Config, err error) {
	f, err := os.Open(file)
	if err != nil {
		return cfg, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("%s: %w", file, err)
	}
	return cfg, nil
}

func help(w io.Writer) {
	fmt.Fprint(w, usage)
	fs := new(options).flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// serve answers until ctx ends. Hanging calls end with ctx, so that stopping is quick.
func serve(ctx context.Context, cfg paysim.Config, listen string, stdout io.Writer) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           paysim.New(cfg).Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- stop(server)
	}()
	fmt.Fprintf(stdout, "paysim: listening on http://%s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// stop lets running calls finish; whoever only keeps a connection open is cut.
func stop(server *http.Server) error {
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(limit) == nil {
		return nil
	}
	return server.Close()
}
