package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// startPostgres starts a PostgreSQL for all scenarios that want one.
func (w *world) startPostgres(ctx context.Context) error {
	if w.postgres != "" {
		return nil
	}
	w.say("   starting PostgreSQL")
	if err := w.broker.servers(ctx, "pg-up"); err != nil {
		return err
	}
	port, err := os.ReadFile(filepath.Join(w.broker.dir, "pg/port"))
	if err != nil {
		return err
	}
	w.postgres = "postgres://books@127.0.0.1:" + strings.TrimSpace(string(port)) + "/"
	return nil
}

const noTLS = "?sslmode=disable"

// newDatabase answers the address of an empty database.
func (r *run) newDatabase(ctx context.Context, name string) (string, error) {
	if r.scenario.books == onSQLite {
		return "sqlite:" + filepath.Join(r.dir, name+".db"), nil
	}
	if err := r.startPostgres(ctx); err != nil {
		return "", err
	}
	db, err := sql.Open("pgx", r.postgres+"postgres"+noTLS)
	if err != nil {
		return "", err
	}
	defer db.Close() //nolint:errcheck // it is only made here
	name = strings.NewReplacer("-", "_").Replace(r.id + "_" + name)
	if _, err := db.ExecContext(ctx, `CREATE DATABASE "`+name+`"`); err != nil {
		return "", fmt.Errorf("make the database %s: %w", name, err)
	}
	return r.postgres + name + noTLS, nil
}

// openTables opens a database beside the back office, to look at its tables.
func openTables(address string) (*sql.DB, error) {
	if file, is := strings.CutPrefix(address, "sqlite:"); is {
		return sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	}
	return sql.Open("pgx", address)
}

// shownTables are what must be the same however often a back office died, and what is compared of them. How often a closed
// batch has changed depends on how much was read at once. How far its events were read depends on the last start.
var shownTables = map[string]string{
	"progress WHERE topic <> 'batches'": "topic, partition, next", "payouts": "*", "payees": "*", "totals": "*", "dead_letters": "*", "actions": "*",
	"batches": "id, size, size_by, first_at, last_at, told, digest",
}

// rowsOf answers all rows of a database, each with how often it stands there.
func rowsOf(ctx context.Context, address string) (all map[string]int, err error) {
	db, err := openTables(address)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	all = map[string]int{}
	for table, columns := range shownTables {
		rows, err := db.QueryContext(ctx, "SELECT "+columns+" FROM "+table)
		if err == nil {
			err = addRows(rows, table, all)
		}
		if err != nil {
			return nil, fmt.Errorf("read the table %s: %w", table, err)
		}
	}
	return all, nil
}

func addRows(rows *sql.Rows, table string, all map[string]int) error {
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, to := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		to[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		text := table + ":"
		for i, v := range values {
			if raw, is := v.([]byte); is {
				v = string(raw)
			}
			text += fmt.Sprintf(" %s=%v", columns[i], v)
		}
		all[text]++
	}
	return rows.Err()
}

// differences lists rows of one that the other one hasn't, some of them.
func differences(killed, fresh map[string]int) (lines []string) {
	for _, row := range slices.Sorted(maps.Keys(killed)) {
		if killed[row] != fresh[row] {
			lines = append(lines, "only in the books: "+row)
		}
	}
	for _, row := range slices.Sorted(maps.Keys(fresh)) {
		if killed[row] != fresh[row] {
			lines = append(lines, "only in fresh books: "+row)
		}
	}
	return lines[:min(len(lines), shown)]
}

// miscounted compares the totals with the payouts, counted anew at one moment: the totals are kept by additions.
func miscounted(ctx context.Context, address string) (lines []string, err error) {
	db, err := openTables(address)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	// One statement sees one moment. State d counts copies, which are no payouts.
	const query = `SELECT k, sum(n), sum(s) FROM (
		SELECT batch_id || '/' || merchant || '/' || currency || '/' || state AS k, count AS n, CAST(ordered AS %[1]s) AS s FROM totals WHERE state <> 'd'
		UNION ALL
		SELECT batch_id || '/' || merchant || '/' || currency || '/' || state, -count(*), -coalesce(sum(amount), 0) FROM payouts WHERE state <> ''
		GROUP BY batch_id, merchant, currency, state) AS both_sides GROUP BY k HAVING sum(n) <> 0 OR sum(s) <> 0`
	number := "INTEGER"
	if !strings.HasPrefix(address, "sqlite:") {
		number = "NUMERIC"
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(query, number))
	if err != nil {
		return nil, fmt.Errorf("count the payouts anew: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	for rows.Next() {
		var key, count, sum string
		if err := rows.Scan(&key, &count, &sum); err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("the totals of %s count %s payouts and %s millionths more than there are", key, count, sum))
	}
	return lines, rows.Err()
}

// countOf counts rows.
func countOf(ctx context.Context, address, from string) (n int, err error) {
	db, err := openTables(address)
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	return n, db.QueryRowContext(ctx, "SELECT count(*) FROM "+from).Scan(&n)
}

// dumped is a database as text: the raw files of SQLite with its log, or what pg_dump writes.
func (r *run) dumped(ctx context.Context, address string) (texts map[string][]byte, err error) {
	texts = map[string][]byte{}
	if file, is := strings.CutPrefix(address, "sqlite:"); is {
		names, err := filepath.Glob(file + "*")
		for _, name := range names {
			if texts[name], err = os.ReadFile(name); err != nil {
				return nil, err
			}
		}
		return texts, err
	}
	tool, err := exec.LookPath("pg_dump")
	if err != nil {
		return nil, fmt.Errorf("dump the books: %w", err)
	}
	out, err := exec.CommandContext(ctx, tool, "--dbname", address).Output()
	if err != nil {
		return nil, fmt.Errorf("dump the books: %w", err)
	}
	texts["pg_dump of "+address] = out
	texts["PostgreSQL's log"], err = os.ReadFile(filepath.Join(r.broker.dir, "pg/log"))
	return texts, err
}
