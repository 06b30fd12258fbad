package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"disburser/internal/cli"
)

// stdin is where people answer, and where lists and values come from.
var stdin io.Reader = os.Stdin

// errStopped is the error of somebody who pressed Ctrl-C before anything was done.
var errStopped = errors.New("stopped: nothing was done")

// readLine reads one line of stdin. Ctrl-C ends it too: a read of a terminal can't be called off, so it is left behind.
func readLine(ctx context.Context) (string, error) {
	type answer struct {
		text string
		err  error
	}
	came, in := make(chan answer, 1), stdin
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		came <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errStopped
	case a := <-came:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read from stdin: %w", a.err)
		}
		return strings.TrimSpace(a.text), nil
	}
}

// confirmed asks a person, who has to type yes.
func confirmed(ctx context.Context, s cli.Streams, question string) (bool, error) {
	fmt.Fprintf(s.Err, "%s Type yes: ", cli.OneLine(question))
	answer, err := readLine(ctx)
	if err != nil {
		fmt.Fprintln(s.Err)
		return false, err
	}
	if answer != "yes" {
		fmt.Fprintln(s.Err, "nothing was done; --yes doesn't ask")
		return false, cli.Told(cli.Failed)
	}
	return true, nil
}
