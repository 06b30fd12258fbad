// Package service promises the back office as a value: New wires it, Run reads the topics into the books and answers people.
// It never stands in the money's way: nothing of it is asked before a payout is sent.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/books/database"
	"disburser/config"
	"disburser/internal/link"
	"disburser/internal/rules"
	"disburser/payout"
)

// Options are what the program is given beside its configuration. The zero value is the real world.
type Options struct {
	DialKafka func(ctx context.Context, network, address string) (net.Conn, error)
	Listener  net.Listener // of the API. Defaults to backoffice.listen
	LogTo     io.Writer    // defaults to stderr
	Registry  *prometheus.Registry
}

// ErrSetup is wrapped by errors that somebody has to mend before the program can start: exit status 2.
var ErrSetup = errors.New("can't start")

// drain is how long a stop waits for requests.
const drain = 5 * time.Second

// Service is the back office.
type Service struct {
	config    config.Config
	options   Options
	logger    zerolog.Logger
	transport *kafka.Transport
	client    *kafka.Client
	names     api.Topics
	resolve   books.Resolve
	metrics   *metrics
	books     *database.Books // set by Run
	readers   *readers
	said      *said
	live      *live
	merchants rules.Merchants
	files     chan struct{} // one for each file that is looked at
	uploads   chan struct{} // one for each file of an operator that comes or is looked at
	looks     chan struct{} // the same of people who may only look
	looking   chan struct{} // the one of them that is looked at
	seals     *books.Sealer
}

// New wires it and connects to nothing yet.
func New(c config.Config, merchants rules.Merchants, o Options) (*Service, error) {
	if o.LogTo == nil {
		o.LogTo = os.Stderr
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	encrypted, err := link.TLS(c.Kafka.TLS)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	login, err := link.SASL(c.Kafka.SASL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	t := c.Kafka.Topics
	s := &Service{
		merchants: merchants, files: make(chan struct{}, filesAtOnce), uploads: make(chan struct{}, uploadsAtOnce), looks: make(chan struct{}, looksAtOnce), looking: make(chan struct{}, 1), seals: books.NewSealer(c.Backoffice.PayeeKey),
		config: c, options: o, logger: newLogger(c.Log, o.LogTo), metrics: newMetrics(o.Registry),
		transport: &kafka.Transport{Dial: o.DialKafka, DialTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, MetadataTTL: time.Second, ClientID: "backoffice", TLS: encrypted, SASL: login},
		names: api.Topics{
			books.Commands: t.Commands, books.Results: t.Results, books.Decisions: t.Decisions, books.DeadLetters: t.DeadLetter, books.Actions: t.Actions,
		},
		resolve: func(command payout.Command) payout.Command {
			resolved, _, _ := merchants.Resolve(command)
			return resolved
		},
	}
	s.client = &kafka.Client{Addr: kafka.TCP(c.Kafka.Brokers...), Transport: s.transport}
	return s, nil
}

func newLogger(c config.Log, to io.Writer) zerolog.Logger {
	if c.Format == "console" {
		to = zerolog.ConsoleWriter{Out: to, TimeFormat: time.RFC3339}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil { // the configuration knows no other
		level = zerolog.InfoLevel
	}
	return zerolog.New(to).Level(level).With().Timestamp().Logger()
}

// open opens the books.
func (s *Service) open(ctx context.Context) error {
	b, err := database.Open(ctx, s.config.Backoffice.Database.Reveal())
	if errors.Is(err, database.ErrSetup) {
		return fmt.Errorf("%w: %w", ErrSetup, err)
	}
	if err != nil {
		return fmt.Errorf("open the books: %w", err)
	}
	s.books = b
	s.readers = newReaders(s)
	s.said = newSaid(s)
	s.live = newLive(s)
	return nil
}

// Close gives back what New has opened.
func (s *Service) Close() { s.transport.CloseIdleConnections() }

// Run reads and answers until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	if err := s.open(ctx); ctx.Err() != nil && err != nil {
		return nil // stopped while it started
	} else if err != nil {
		return err
	}
	defer s.books.Close() //nolint:errcheck // each page is committed, or is read again
	if problems := s.missingTopics(ctx); len(problems) > 0 {
		return errors.Join(problems...)
	}
	listener := s.options.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", s.config.Backoffice.Listen); err != nil {
			return fmt.Errorf("%w: backoffice.listen: %w", ErrSetup, err)
		}
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	server := newServer(handler)
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(listener) }) // ends by Shutdown only
	s.logger.Info().Str("address", listener.Addr().String()).Msg("the back office answers")
	group.Go(func() {
		s.recall(ctx)
		group.Go(func() { s.announce(ctx) })
		s.readers.run(ctx)
	})
	group.Go(func() { s.forget(ctx) })
	group.Go(func() { s.live.run(ctx) })
	group.Go(func() { s.digest(ctx) })
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close() // requests that are too slow
	}
	group.Wait()
	return nil
}

// forgetEvery is how often old payouts are looked for, forgetAtOnce how many are deleted in one transaction.
const (
	forgetEvery  = time.Hour
	forgetAtOnce = 1000

	// heldFor is how long it is kept when a payout became held: for listeners that come again.
	heldFor = 24 * time.Hour
)

// forget deletes what ended longer ago than backoffice.keep.
func (s *Service) forget(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.books.Forget(ctx, time.Now().Add(-s.config.Backoffice.Keep).UnixMilli(), forgetAtOnce)
		switch {
		case err != nil && ctx.Err() == nil:
			s.logger.Error().Err(err).Msg("old payouts are not deleted; trying again in an hour")
		case n > 0:
			s.logger.Info().Int("payouts", n).Msg("payouts that ended long ago are deleted from the books")
		}
		if err := s.books.ForgetHeld(ctx, time.Now().Add(-heldFor).UnixMilli()); err != nil && ctx.Err() == nil {
			s.logger.Error().Err(err).Msg("old news are not deleted; trying again in an hour")
		}
		if n < forgetAtOnce {
			pause(ctx, forgetEvery)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
