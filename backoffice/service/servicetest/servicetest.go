// Package servicetest promises a back office that runs in the test's process, on a Kafka in memory. For tests only.
package servicetest

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service"
	"disburser/config"
	"disburser/internal/kafkatest"
	"disburser/internal/rules"
	"disburser/payout/secrets"
)

// Partitions is how many each topic of payouts has.
const Partitions = 2

// Office is a back office that runs.
type Office struct {
	URL, Token string
	Stop       func() // waits for its end
}

// World is Kafka with a run in it, the configuration of a back office, and a viewer's token.
func World(t *testing.T, run bookstest.Run) (*kafkatest.Kafka, config.Config, string) {
	t.Helper()
	c := config.Default()
	topics := c.Kafka.Topics
	k := kafkatest.Start(t, map[string]int{
		topics.Commands: Partitions, topics.Results: Partitions, topics.Decisions: Partitions, topics.DeadLetter: Partitions, topics.Actions: 1, topics.Batches: 1,
	})
	Write(t, k, c, run)
	token, sum := service.NewToken()
	_, useless := service.NewToken()
	c.Kafka.Brokers = k.Brokers()
	c.Backoffice.Database = secrets.New("sqlite:" + filepath.Join(t.TempDir(), "books.db"))
	c.Backoffice.PayeeKey = secrets.New("a key of payees for tests")
	c.Backoffice.Users = config.Users{{Name: "alice", SHA256: sum, Roles: []string{config.Viewer}}, {Name: "bob", SHA256: useless, Roles: []string{config.Approver}}}
	c.Log.Level = "error"
	return k, c, token
}

// Write writes a run into the topics.
func Write(t *testing.T, k *kafkatest.Kafka, c config.Config, run bookstest.Run) {
	t.Helper()
	topics := c.Kafka.Topics
	names := map[books.Topic]string{books.Commands: topics.Commands, books.Results: topics.Results, books.Decisions: topics.Decisions, books.DeadLetters: topics.DeadLetter}
	for part, records := range run {
		for _, r := range records {
			k.Write(t, names[part.Topic], part.Partition, kafka.Record{Time: r.Time, Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value), Headers: r.Headers})
		}
	}
}

// Start runs a back office until the test ends, or it is stopped.
func Start(t *testing.T, k *kafkatest.Kafka, c config.Config, token string) *Office {
	t.Helper()
	return StartFor(t, k, c, token, nil)
}

// StartFor is Start of a back office that knows merchants.
func StartFor(t *testing.T, k *kafkatest.Kafka, c config.Config, token string, merchants rules.Merchants) *Office {
	t.Helper()
	return StartLogging(t, k, c, token, merchants, testLog{t})
}

// StartLogging is StartFor of a back office that logs to somewhere.
func StartLogging(t *testing.T, k *kafkatest.Kafka, c config.Config, token string, merchants rules.Merchants, log io.Writer) *Office {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.New(c, merchants, service.Options{DialKafka: k.Dial, Listener: listener, LogTo: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	o := &Office{URL: "http://" + listener.Addr().String(), Token: token, Stop: sync.OnceFunc(func() { cancel(); group.Wait() })}
	t.Cleanup(o.Stop)
	return o
}

type testLog struct{ t *testing.T }

func (l testLog) Write(text []byte) (int, error) {
	if !strings.Contains(string(text), "context canceled") {
		l.t.Logf("%s", text)
	}
	return len(text), nil
}
