package main

import (
	"errors"
	"fmt"

	"disburser/config"
	"disburser/internal/app"
	"disburser/internal/cli"
)

// configuration is the flag of every command that reads the configuration.
type configuration struct {
	File string `name:"config" required:"" placeholder:"FILE" help:"The configuration, a YAML file."`
}

// load reads the file and prints what is to be said about it, one line for each problem.
func (c configuration) load(s cli.Streams) (config.Config, error) {
	if c.File == "" {
		return config.Config{}, cli.Usage(errors.New("give the configuration with --config FILE"))
	}
	loaded, warnings, err := config.Load(c.File, app.ConfigRules())
	for _, w := range warnings {
		fmt.Fprintln(s.Err, "warning: "+w)
	}
	if err != nil {
		fmt.Fprintln(s.Err, err)
		return loaded, cli.Told(cli.Wrong)
	}
	return loaded, nil
}

// marked gives errors of the setup their exit status.
func marked(err error) error {
	if errors.Is(err, app.ErrSetup) {
		return cli.Setup(err)
	}
	return err
}
