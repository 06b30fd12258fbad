package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
)

// run is the service.
type run struct {
	configuration
}

func (*run) Examples() []cli.Example {
	return []cli.Example{{Line: "PAYPRO_EG_SECRET=… disburser run --config disburser.yaml", Does: "runs until SIGTERM; the file names the variable"}}
}

func (r *run) Run(ctx context.Context, s cli.Streams) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP) // before anything else: unheard, it ends the process
	defer signal.Stop(again)
	tuneCollector(ctx)
	tuneProcessors(ctx)
	c, err := r.load(s)
	if err != nil {
		return err
	}
	a, err := app.New(c, options())
	if err != nil {
		return marked(err)
	}
	go reload(ctx, a, r.File, again)
	return marked(a.Run(ctx))
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
