// Package database promises books in SQL: SQLite for one instance, PostgreSQL for several. Both hold the same rows.
package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// readers is how many reads may run beside the one that writes.
const readers = 8

// Books are an open database. It is safe for concurrent use.
type Books struct {
	write *sql.DB // of SQLite one connection: it takes one writer at a time
	read  *sql.DB
	sort  *sql.DB // reads too: of SQLite it sorts much in files
	sql   statements

	replaying chan struct{} // held by the one that replays dead letters
}

// ErrSetup is the error of an address that is no database.
var ErrSetup = errors.New("backoffice.database")

// Open opens the database at an address and brings its tables up to date: sqlite:FILE, or postgres://…. A user that may not do what
// the books need is an ErrSetup.
func Open(ctx context.Context, address string) (*Books, error) {
	b, err := connect(address)
	if err != nil {
		return nil, err
	}
	if err := b.migrate(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := b.granted(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := b.sql.prepare(ctx, b.write); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the statements of the books: %w", err), b.Close())
	}
	return b, nil
}

func connect(address string) (*Books, error) {
	if file, is := strings.CutPrefix(address, "sqlite:"); is {
		return connectSQLite(file)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil || !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, fmt.Errorf("%w: must be sqlite:FILE or postgres://…, and a good one", ErrSetup) // err has the password
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return &Books{write: db, read: db, sort: db, sql: postgres(), replaying: make(chan struct{}, 1)}, nil
}

func connectSQLite(file string) (*Books, error) {
	if file == "" || strings.HasPrefix(file, ":") {
		return nil, fmt.Errorf("%w: sqlite: needs the name of a file", ErrSetup)
	}
	open := func(txlock string, pragmas ...string) (*sql.DB, error) {
		// The WAL is written at each commit and synced at each checkpoint. A machine that fails may lose the last commits, each
		// with its offset: they are read again.
		all := append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)"}, pragmas...)
		q := url.Values{"_pragma": all, "_txlock": {txlock}}
		return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: q.Encode()}).String())
	}
	write, err := open("immediate", "cache_size(-32000)", "wal_autocheckpoint(2000)", "temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	write.SetMaxOpenConns(1)
	read, err := open("deferred", "query_only(1)", "cache_size(-2000)", "temp_store(MEMORY)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSetup, err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	sort, err := open("deferred", "query_only(1)", "cache_size(-2000)", "temp_store(FILE)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSetup, err), write.Close(), read.Close())
	}
	sort.SetMaxOpenConns(1)
	return &Books{write: write, read: read, sort: sort, sql: sqlite(), replaying: make(chan struct{}, 1)}, nil
}

// migrate brings the tables up to date. Of several instances one does it, the others wait.
func (b *Books) migrate(ctx context.Context) error {
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{}
	if b.sql.shared {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("lock the tables of the books: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	folder, err := fs.Sub(migrations, "migrations/"+b.sql.name)
	if err != nil {
		return fmt.Errorf("find the migrations of the books: %w", err)
	}
	provider, err := goose.NewProvider(dialect, b.write, folder, options...)
	if err != nil {
		return fmt.Errorf("read the migrations of the books: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return mayNot(err)
	}
	return nil
}

// Ping tells whether the database answers.
func (b *Books) Ping(ctx context.Context) error { return b.read.PingContext(ctx) }

// Close closes the connections.
func (b *Books) Close() error {
	err := errors.Join(b.sql.close(), b.write.Close())
	if b.read != b.write {
		err = errors.Join(err, b.read.Close(), b.sort.Close())
	}
	return err
}
