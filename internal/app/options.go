package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"disburser/config"
	"disburser/internal/socket"
)

// Dial opens a connection.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Options are what the program is given beside its configuration. The zero value is
// the real world.
type Options struct {
	Instance  string // names this process in decisions and logs. Defaults to host and a random part
	DialKafka Dial   // defaults to the network
	DialRedis Dial
	DialHTTP  Dial         // to the provider
	Listener  net.Listener // of the admin HTTP. Defaults to config.Admin.Listen
	LogTo     io.Writer    // defaults to stderr
	Registry  *prometheus.Registry
	Build     Build // for the metric
}

// Build is what runs.
type Build struct{ Version, Commit string }

// ErrSetup is wrapped by errors that somebody has to mend before the program can start:
// exit status 2.
var ErrSetup = errors.New("can't start")

func (o Options) withDefaults() Options {
	if o.Instance == "" {
		host, _ := os.Hostname()
		var raw [4]byte
		_, _ = rand.Read(raw[:]) // never fails since Go 1.24
		o.Instance = host + "-" + hex.EncodeToString(raw[:])
	}
	network := socket.Over(new(net.Dialer).DialContext)
	if o.DialKafka == nil {
		o.DialKafka = network
	}
	if o.DialHTTP == nil {
		o.DialHTTP = network
	}
	if o.LogTo == nil {
		o.LogTo = os.Stderr
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o
}

// newLogger makes the logger that the configuration asks for: JSON lines for machines,
// or text for people. Its level is the threshold's.
func newLogger(c config.Log, to io.Writer, t *threshold) zerolog.Logger {
	t.set(c.Level)
	if c.Format == "console" {
		to = zerolog.ConsoleWriter{Out: to, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(newFolder(to)).Sample(t).With().Timestamp().Logger()
}

// threshold is the level from which lines are logged. It can change at any time. Loggers have
// copies everywhere, each with a level of its own, but all share this sampler.
type threshold struct{ level atomic.Int32 }

func (t *threshold) set(name string) {
	level, err := zerolog.ParseLevel(name)
	if err != nil {
		level = zerolog.InfoLevel
	}
	t.level.Store(int32(level))
}

// Sample tells whether a line of a level is logged.
func (t *threshold) Sample(level zerolog.Level) bool { return int32(level) >= t.level.Load() }

func init() {
	zerolog.TimeFieldFormat = time.RFC3339Nano                 // the default has whole seconds
	zerolog.DurationFieldFormat = zerolog.DurationFormatString // 1m30s, and not 90000 of something
}
