package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"disburser/internal/cli"
	"disburser/paypro/paysim"
)

// options are everything a command line says.
type options struct {
	Listen    string          `name:"listen" placeholder:"ADDR" default:"127.0.0.1:8090" help:"Address to listen on; port 0 picks a free one."`
	File      string          `name:"config" placeholder:"FILE" help:"JSON file with seed, merchants, behavior and repeat. Flags go before it; merchants of both are served."`
	Merchants []merchant      `name:"merchant" sep:"none" placeholder:"COUNTRY:MERCHANTNO:SECRET[:BASEPATH]" help:"An account at the provider; may be given several times."`
	Seed      uint64          `name:"seed" placeholder:"N" default:"0" help:"Number that chooses every fault and outcome."`
	Repeat    paysim.Repeat   `name:"repeat" placeholder:"WHAT" default:"pay-again" help:"What a repeated tradeNo does: pay-again, refuse or replay."`
	Behavior  paysim.Behavior `embed:""`
}

// Help is what the help text says beyond the flags.
func (*options) Help() string {
	return "Countries: " + strings.Join(paysim.Countries(), ", ") + `.

A file for --config:

    {"seed": 7, "repeat": "replay", "behavior": {"settleMin": "2s", "failed": 0.1},
     "merchants": [{"country": "kenya", "merchantNo": "0000000003", "secret": "s"}]}

While it runs, by HTTP:

    curl http://127.0.0.1:8090/ledger
    curl -d '{"lostReply": 0.5}' 'http://127.0.0.1:8090/behavior?merchantNo=0000000001'
    curl -d '' 'http://127.0.0.1:8090/outage?is=cut'   (up, unavailable, cut, hung, disabled, broke)`
}

func (*options) Examples() []cli.Example {
	return []cli.Example{
		{Line: "paysim --merchant egypt:0000000001:test-secret-123:/egy-pay --settle-min 1s --settle-max 1m", Does: "payouts settle after a second to a minute"},
		{Line: "paysim --listen 127.0.0.1:0 --merchant brazil:0000000002:s --seed 7 --lost-reply 0.05 --repeat refuse", Does: "a bad day: a twentieth of the replies is lost"},
		{Line: "paysim --config sim.json", Does: "what the file says"},
	}
}

// Run serves until ctx ends.
func (o *options) Run(ctx context.Context, line *kong.Context, s cli.Streams) error {
	cfg, err := o.configure(line)
	if err != nil {
		return cli.Usage(err)
	}
	return serve(ctx, cfg, o.Listen, s.Out)
}

// configure puts what the command line says over what the file says.
func (o *options) configure(line *kong.Context) (cfg paysim.Config, err error) {
	if o.File != "" {
		if cfg, err = load(o.File); err != nil {
			return cfg, err
		}
		o.Seed, o.Repeat, o.Behavior = cfg.Seed, cfg.Repeat, cfg.Behavior
		if _, err := line.Apply(); err != nil { // again the flags of the line, and no defaults
			return cfg, err
		}
	}
	cfg.Seed, cfg.Repeat, cfg.Behavior = o.Seed, o.Repeat, o.Behavior
	for _, m := range o.Merchants {
		cfg.Merchants = append(cfg.Merchants, paysim.Merchant(m))
	}
	return cfg, cfg.Validate()
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

// merchant is an account as the flag --merchant names it.
type merchant paysim.Merchant

// UnmarshalText reads it. The error doesn't repeat the text: a secret is in it.
func (m *merchant) UnmarshalText(text []byte) error {
	parts := strings.SplitN(string(text), ":", 4)
	if len(parts) < 3 {
		return errors.New("must be COUNTRY:MERCHANTNO:SECRET[:BASEPATH]")
	}
	*m = merchant{Country: parts[0], MerchantNo: parts[1], Secret: parts[2]}
	if len(parts) == 4 {
		m.BasePath = parts[3]
	}
	return nil
}
