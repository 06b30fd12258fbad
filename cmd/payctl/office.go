package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v4"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// office are the flags of every command that asks the back office.
type office struct {
	URL       string `name:"url" placeholder:"URL" help:"The back office, such as https://pay.example.com; else PAYCTL_URL, else the context."`
	TokenFile string `name:"token-file" placeholder:"FILE" help:"A file that holds your token; else PAYCTL_TOKEN, else the context."`
	Context   string `name:"context" placeholder:"NAME" help:"A context of ~/.config/payctl/config.yaml; without it the one that the file names as context."`
	JSON      bool   `name:"json" help:"Prints JSON, with the names of the API: one value, of a list one a line."`
}

// mostOfToken is how much of a file is read as a token.
const mostOfToken = 4 << 10

// contexts is ~/.config/payctl/config.yaml.
type contexts struct {
	Context  string `yaml:"context"`
	Contexts map[string]struct {
		URL       string `yaml:"url"`
		TokenFile string `yaml:"token_file"`
	} `yaml:"contexts"`
}

// client is who asks: by flags, else by variables, else by a context.
func (o office) client() (c api.Client, err error) {
	c = api.Client{URL: first(o.URL, os.Getenv("PAYCTL_URL")), Token: os.Getenv("PAYCTL_TOKEN")}
	file := o.TokenFile
	if c.URL == "" || o.Context != "" || c.Token == "" && file == "" {
		known, err := readContexts()
		if err != nil {
			return c, err
		}
		name := first(o.Context, known.Context)
		of, found := known.Contexts[name]
		if o.Context != "" && !found {
			return c, cli.Setup(fmt.Errorf("--context: the file of contexts has none of the name %s", name))
		}
		c.URL = first(o.URL, of.URL, c.URL)
		if file == "" && (c.Token == "" || o.Context != "") {
			file = of.TokenFile
		}
	}
	if file != "" {
		if c.Token, err = readToken(expanded(file)); err != nil {
			return c, cli.Setup(fmt.Errorf("the token: %w", err))
		}
	}
	at, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return c, cli.Setup(errors.New("nobody says where the back office is: give --url, PAYCTL_URL or a context"))
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		return c, cli.Setup(fmt.Errorf("%s is no address such as https://pay.example.com", cli.OneLine(c.URL)))
	case c.Token == "":
		return c, cli.Setup(errors.New("there is no token: give --token-file, PAYCTL_TOKEN or a context; backoffice token makes one"))
	case strings.ContainsAny(c.Token, " \t\r\n"):
		return c, cli.Setup(errors.New("the token has white space in it"))
	}
	return c, nil
}

// warnings is where people are told of what isn't safe.
var warnings io.Writer = os.Stderr

// readToken reads the file of a token. It warns where others may read it: for the back office, who has a token is its owner.
func readToken(name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder: name a file in it", name)
	case runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		fmt.Fprintf(warnings, "warning: %s may be read by others (mode %04o): chmod 600 it; if others use this machine, have a new token made\n", cli.OneLine(name), info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(in, mostOfToken))
	return strings.TrimSpace(string(text)), err
}

func readContexts() (c contexts, err error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		dir = expanded("~/.config")
	}
	file := filepath.Join(dir, "payctl", "config.yaml")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = yaml.Unmarshal(text, &c)
	}
	if err != nil {
		return c, cli.Setup(fmt.Errorf("read %s: %w", file, err))
	}
	return c, nil
}

// expanded puts the home directory in the place of ~/.
func expanded(file string) string {
	rest, is := strings.CutPrefix(file, "~/")
	home, err := os.UserHomeDir()
	if !is || err != nil {
		return file
	}
	return filepath.Join(home, rest)
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// marked gives an error of the back office its exit status: who has no token has a wrong configuration.
func marked(err error) error {
	var problem *api.Problem
	if errors.As(err, &problem) {
		clean := errors.New(cli.OneLine(problem.Error()))
		if problem.Status == http.StatusUnauthorized || problem.Status == http.StatusUnprocessableEntity {
			return cli.Setup(clean)
		}
		return clean
	}
	return err
}
