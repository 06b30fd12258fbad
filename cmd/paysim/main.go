// Command paysim serves the Paypro simulator alone: Paypro's calls for the given merchants, and
// the control paths /ledger, /behavior, /outage and /healthz. It promises one line "paysim:
// listening on http://…" once it answers. Its exit status is 2 for a wrong command line or
// configuration, and 0 after SIGTERM or SIGINT.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"disburser/internal/cli"
	"disburser/paypro/paysim"
)

func program() cli.Program {
	return cli.Program{
		Name: "paysim", About: "paysim serves a simulated Paypro with a ledger of its own.", Grammar: &options{},
		Groups: map[string]string{ // of paysim.Behavior
			"times":      "Times, such as 2s (all 0):",
			"fates":      "Fates, fractions of tradeNos from 0 to 1 (all 0: what is left is paid):",
			"placements": "Faults of a placement, fractions of calls from 0 to 1 (all 0):",
			"queries":    "Faults of a query, fractions of calls from 0 to 1 (all 0):",
			"rate":       "Too many calls:",
		},
	}
}

func main() { os.Exit(cli.Main(program())) }

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
