package books_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/internal/kafkatest"
	"disburser/internal/partition"
)

// Two instances that are stopped at any moment, again and again, read each record once.
func TestTwoInstancesThatStopReadEachRecordOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	const partitions = 2
	run := bookstest.NewRun(rng, 60, partitions, true)
	want := bookstest.NewMemory()
	bookstest.Feed(t, rng, run, want, key, nil)
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{"commands": partitions, "results": partitions, "decisions": partitions, "dead_letter": partitions})
		for part, records := range run {
			for _, r := range records {
				k.Write(t, string(part.Topic), part.Partition, kafka.Record{Time: r.Time, Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value), Headers: r.Headers})
			}
		}
		store := bookstest.NewMemory()
		for life := range 40 {
			ctx, cancel := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for range 2 {
				for part := range run {
					unread := func(int) {
						if part.Topic != books.Commands { // there somebody has sent rubbish
							t.Errorf("a record of %s can't be read", part.Topic)
						}
					}
					p := books.NewProjector(&books.Projector{
						Store: store, Source: partition.Source{Client: k.Client, Topic: string(part.Topic), Partition: part.Partition}, Topic: part.Topic,
						Resolve: bookstest.Resolve, Key: key, Unread: unread, Logger: zerolog.Nop(),
					})
					group.Go(func() { p.Run(ctx) })
				}
			}
			if life < 39 {
				time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
			} else {
				time.Sleep(10 * time.Second)
			}
			cancel()
			group.Wait()
		}
		if have, want := withoutTold(store.Dump()), withoutTold(want.Dump()); have != want {
			t.Error(firstDifference(want, have))
		}
	})
}

// slow is a store that doesn't commit before it is let.
type slow struct {
	books.Store
	let chan struct{}
}

func (s slow) Write(ctx context.Context, topic books.Topic, number int, from int64, to books.Progress, work func(books.Tx) error) error {
	<-s.let
	return s.Store.Write(ctx, topic, number, from, to, work)
}

// The lag counts what the books don't know, not what was fetched.
func TestTheLagCountsWhatIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{"commands": 1})
		for range 3 {
			k.Write(t, "commands", 0, kafkatest.Record("", "{}"))
		}
		store := slow{bookstest.NewMemory(), make(chan struct{})}
		p := books.NewProjector(&books.Projector{
			Store: store, Source: partition.Source{Client: k.Client, Topic: "commands"}, Topic: books.Commands,
			Resolve: bookstest.Resolve, Key: key, Unread: func(int) {}, Logger: zerolog.Nop(),
		})
		if lag := p.Lag(); lag != -1 {
			t.Errorf("%d before anything is read", lag)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { p.Run(ctx) })
		time.Sleep(time.Second)
		if lag := p.Lag(); lag != 3 {
			t.Errorf("%d while nothing is written", lag)
		}
		close(store.let)
		time.Sleep(time.Second)
		if lag := p.Lag(); lag != 0 {
			t.Errorf("%d once it is written", lag)
		}
		cancel()
		group.Wait()
	})
}
