package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"disburser/backoffice/api"
	"disburser/internal/harness"
)

// What is measured of the books.
const (
	inBooks    = 100_000 // payouts that are in the topics already
	booksRate  = 2000    // payouts a second in normal running
	booksWatch = 15 * time.Second
	asksOfOne  = 300 // questions for one payout
	asksOfPage = 40  // questions for a page of 1,000, of each kind
)

// kept is what the books did in one database.
type kept struct {
	Database  string  `json:"database"`
	Payouts   int     `json:"payouts"`
	PerSecond float64 `json:"payoutsPerSecond"` // that were read, from the process's start on
	CPU       float64 `json:"cpuPerPayout"`     // of the back office, in µs
	Memory    int64   `json:"mostBytes"`        // resident, at its largest
	Show      float64 `json:"showP95"`          // ms
	Page      float64 `json:"pageP95"`          // ms; of the slowest kind
	Rate      float64 `json:"publishedPerSecond"`
	Age       float64 `json:"ageP50"` // ms from a result's acknowledgement until the books answer with it
	AgeMost   float64 `json:"ageMost"`
	Lag       float64 `json:"lagMost"` // records, of all partitions together
}

// booksOfAll fills books in each database that is there, asks them, and has them follow.
func booksOfAll(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"database", "payouts/s read", "CPU per payout", "memory", "one payout, 95 %", "a page of 1,000, 95 %", "at 2,000/s known after", "at most", "records behind, at most"}}
	s.progress.say("building the back office")
	if err := harness.Build(ctx, s.Root, s.dir, "cmd/backoffice"); err != nil {
		return r, err
	}
	var all []kept
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		if name == "PostgreSQL" && s.Postgres == "" {
			s.progress.say("DISBURSER_POSTGRES names no PostgreSQL: it is left out")
			continue
		}
		k, err := s.booksIn(ctx, name)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, k)
		ms := func(f float64) string { return fmt.Sprintf("%.1f ms", f) }
		r.row(name, k.PerSecond, fmt.Sprintf("%.0f µs", k.CPU), fmt.Sprintf("%d MiB", k.Memory>>20), ms(k.Show), ms(k.Page), ms(k.Age), ms(k.AgeMost), k.Lag)
		r.Goals = append(r.Goals,
			atLeast(name+": payouts/s read from nothing", k.PerSecond, 15_000),
			atMost(name+": MiB of memory", float64(k.Memory>>20), 200),
			atMost(name+": ms for one payout, 95 %", k.Show, 20),
			atMost(name+": ms for a page of 1,000, 95 %", k.Page, 100),
			atMost(name+": ms until a result is known, at most", k.AgeMost, 1000),
			atLeast(name+": payouts/s that were published meanwhile", k.Rate, 0.95*booksRate))
	}
	r.Raw = all
	return r, nil
}

// booksIn measures one database.
func (s *stage) booksIn(ctx context.Context, name string) (k kept, err error) {
	s.sites++
	o := &office{stage: s, id: fmt.Sprintf("bench-%d-books", s.sites), database: "sqlite:" + filepath.Join(s.dir, fmt.Sprintf("books-%d.db", s.sites))}
	defer o.close()
	if name == "PostgreSQL" {
		drop, err := o.schema(ctx)
		if err != nil {
			return k, err
		}
		defer drop()
	}
	n := s.n(inBooks)
	if s.Payouts > 0 {
		n = s.Payouts
	}
	if err := o.fill(ctx, n); err != nil {
		return k, err
	}
	k.Database, k.Payouts = name, n
	s.progress.say("%s: %d payouts are read", name, n)
	if err := o.start(); err != nil {
		return k, err
	}
	if err := o.caughtUp(ctx, n); err != nil {
		return k, err
	}
	k.PerSecond = float64(n) / time.Since(o.process.Began).Seconds()
	k.CPU = float64(o.process.CPU().Microseconds()) / float64(n)
	s.progress.say("%s: questions", name)
	if err := o.questions(ctx, &k); err != nil {
		return k, err
	}
	s.progress.say("%s: %d payouts a second", name, booksRate)
	if err := o.follow(ctx, &k); err != nil {
		return k, err
	}
	k.Memory = o.process.Memory("VmHWM")
	return k, nil
}

// schema makes a schema of its own, which the address names from then on.
func (o *office) schema(ctx context.Context) (drop func(), err error) {
	db, err := sql.Open("pgx", o.Postgres)
	if err != nil {
		return nil, err
	}
	name := strings.ReplaceAll(o.id, "-", "_")
	if _, err := db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+name+" CASCADE; CREATE SCHEMA "+name); err != nil {
		return nil, errors.Join(fmt.Errorf("make a schema in DISBURSER_POSTGRES: %w", err), db.Close())
	}
	address, err := url.Parse(o.Postgres)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	q := address.Query()
	q.Set("search_path", name)
	address.RawQuery = q.Encode()
	o.database = address.String()
	return func() {
		_, _ = db.Exec("DROP SCHEMA " + name + " CASCADE") //nolint:noctx // also after the measuring was stopped
		_ = db.Close()
	}, nil
}

// questions measures how long answers take.
func (o *office) questions(ctx context.Context, k *kept) error {
	show, err := timed(asksOfOne, func(i int) error {
		_, err := api.Get[api.PayoutDetail](ctx, o.client, "/payouts/"+o.payouts.tradeNo(i*7919%k.Payouts), nil)
		return err
	})
	if err != nil {
		return err
	}
	k.Show = at(show, 95)
	for _, kind := range []url.Values{{"batch": {"bench-0"}}, {"merchant": {"eg-main"}}, {"state": {"paid"}}, {"state": {"held"}}, {}} {
		kind.Set("limit", "1000")
		cursor := ""
		page, err := timed(asksOfPage, func(int) error {
			kind.Set("cursor", cursor)
			p, err := api.Get[api.Payouts](ctx, o.client, "/payouts", kind)
			cursor = p.Next
			return err
		})
		if err != nil {
			return err
		}
		k.Page = max(k.Page, at(page, 95))
	}
	return nil
}

// timed asks so often, and answers how long each took in ms, sorted.
func timed(times int, ask func(int) error) (took []float64, err error) {
	for i := range times {
		began := time.Now()
		if err := ask(i); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	slices.Sort(took)
	return took, nil
}

// at is the value that so many percent don't exceed.
func at(sorted []float64, percent int) float64 {
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

// follow publishes payouts steadily, and asks again and again for the one that was announced last.
func (o *office) follow(ctx context.Context, k *kept) (err error) {
	watch := booksWatch
	if o.Quick {
		watch /= 5
	}
	publishing, stop := context.WithTimeout(ctx, watch)
	defer stop()
	o.announced.Store(nil) // that of before is known already
	began, from := time.Now(), o.published
	var group sync.WaitGroup
	var failed error
	group.Go(func() { failed = o.steadily(publishing) })
	var ages []float64
	k.Lag = 0
	for harness.Pause(publishing, 100*time.Millisecond) {
		last := o.announced.Load()
		if last == nil {
			continue
		}
		for ctx.Err() == nil {
			p, err := api.Get[api.PayoutDetail](ctx, o.client, "/payouts/"+last.tradeNo, nil)
			if err == nil && (p.State == "paid" || p.State == "held") {
				break
			}
			if time.Since(last.at) > time.Minute {
				return fmt.Errorf("a minute after its result %s is %q: %w", last.tradeNo, p.State, err)
			}
			harness.Pause(ctx, 5*time.Millisecond)
		}
		ages = append(ages, time.Since(last.at).Seconds()*1000)
		k.Lag = max(k.Lag, sumOf(o.metrics(ctx), "backoffice_books_lag"))
	}
	group.Wait()
	if failed != nil || len(ages) == 0 {
		return fmt.Errorf("publish steadily: %w", failed)
	}
	slices.Sort(ages)
	k.Age, k.AgeMost, k.Rate = at(ages, 50), ages[len(ages)-1], float64(o.published-from)/time.Since(began).Seconds()
	return nil
}
