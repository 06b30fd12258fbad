package main

import (
	"fmt"

	"disburser/internal/cli"
)

// completion prints a script for a shell.
type completion struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
	JSON  bool   `name:"json" help:"Prints one JSON value, with the script in it."`
}

func (*completion) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl completion bash", Does: "write it to ~/.local/share/bash-completion/completions/payctl: Tab completes commands, flags and values in every new bash"},
		{Line: "payctl completion zsh", Does: "write it as _payctl into a folder of $fpath"},
		{Line: "payctl completion fish", Does: "write it to ~/.config/fish/completions/payctl.fish"},
	}
}

// Run prints it.
func (k *completion) Run(s cli.Streams) error {
	text, err := program().Complete(k.Shell)
	switch {
	case err != nil:
		return err
	case k.JSON:
		return printed(s.Out, struct {
			Shell  string `json:"shell"`
			Script string `json:"script"`
		}{k.Shell, text})
	}
	_, err = fmt.Fprint(s.Out, text)
	return err
}
