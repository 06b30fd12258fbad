package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// statements are what the two databases do differently. SQLite runs prepared statements for a row or a few, PostgreSQL one for
// all rows: each is several times as fast so.
type statements struct {
	name     string
	shared   bool                // several instances write
	prepared map[table]*sql.Stmt // for one row
	several  map[table]*sql.Stmt // for severalRows
}

// table says what a statement writes or reads.
type table struct {
	name    string
	columns string // with commas
	types   string // of PostgreSQL, with commas
	rest    string // what follows the rows: what happens to a row that is there
	update  string // instead: the columns that are set, where the first column is equal
}

func (t table) list() []string { return strings.Split(t.columns, ",") }

// The tables, as they are written.
var (
	newPayouts = table{
		name:    "payouts",
		columns: "trade_no,state,merchant,batch_id,currency,amount,paid,undetermined,at,changed_at,settled_at,content,facts",
		types:   "text,text,text,text,text,bigint,bigint,bigint,bigint,bigint,bigint,text,bytea",
	}
	movedPayouts = table{ // only their state is another one
		name: "payouts", columns: "trade_no,state,paid,changed_at,settled_at,content,facts", types: "text,text,bigint,bigint,bigint,text,bytea",
		update: "state,paid,changed_at,settled_at,content,facts",
	}
	otherPayouts = table{
		name: "payouts", columns: newPayouts.columns, types: newPayouts.types,
		update: "state,merchant,batch_id,currency,amount,paid,undetermined,at,changed_at,settled_at,content,facts",
	}
	payees = table{name: "payees", columns: "hash,trade_no", types: "bigint,text", rest: "ON CONFLICT DO NOTHING"}
	totals = table{
		name: "totals", columns: "batch_id,merchant,currency,state,count,without,ordered,paid", types: "text,text,text,text,bigint,bigint,text,text",
		rest: "ON CONFLICT (batch_id,merchant,currency,state) DO UPDATE SET count=excluded.count,without=excluded.without,ordered=excluded.ordered,paid=excluded.paid",
	}
	batches = table{
		name: "batches", columns: "id,size,size_by,first_at,last_at,told,changed", types: "text,bigint,text,bigint,bigint,bigint,bigint",
		rest: "ON CONFLICT (id) DO UPDATE SET size=excluded.size,size_by=excluded.size_by,first_at=excluded.first_at,last_at=excluded.last_at,told=excluded.told,changed=excluded.changed",
	}
	batchEvents = table{
		name: "batch_events", columns: "id,batch_id,type,at,value", types: "text,text,text,bigint,text", rest: "ON CONFLICT (id) DO NOTHING",
	}
	saidEvents = table{
		name: "batch_events", columns: "id,batch_id,type,at,value,published", types: "text,text,text,bigint,text,bigint",
		rest: "ON CONFLICT (id) DO UPDATE SET at=excluded.at,value=excluded.value,published=1 WHERE batch_events.published=0",
	}
	deadLetters = table{
		name:    "dead_letters",
		columns: "source_topic,source_partition,source_offset,element,partition,place,code,reason,at,trade_no,batch_id,merchant,amount,currency,payee",
		types:   "text,bigint,bigint,bigint,bigint,bigint,text,text,bigint,text,text,text,text,text,text",
		rest: "ON CONFLICT (source_topic,source_partition,source_offset,element) DO UPDATE SET partition=excluded.partition,place=excluded.place," +
			"code=excluded.code,reason=excluded.reason,at=excluded.at,trade_no=excluded.trade_no,batch_id=excluded.batch_id,merchant=excluded.merchant," +
			"amount=excluded.amount,currency=excluded.currency,payee=excluded.payee " +
			"WHERE (excluded.partition,excluded.place) < (dead_letters.partition,dead_letters.place)",
	}
	replays = table{
		name: "replays", columns: "source_topic,source_partition,source_offset,element,partition,place,at,said_by",
		types: "text,bigint,bigint,bigint,bigint,bigint,bigint,text", rest: "ON CONFLICT DO NOTHING",
	}
	actions = table{name: "actions", columns: "place,at,key,value,headers", types: "bigint,bigint,bytea,bytea,text", rest: "ON CONFLICT DO NOTHING"}
	held    = table{name: "became_held", columns: "trade_no,at", types: "text,bigint"}
)

var written = []table{newPayouts, movedPayouts, otherPayouts, payees, totals, batches, batchEvents, saidEvents, deadLetters, replays, actions, held}

func sqlite() statements {
	return statements{name: "sqlite", prepared: map[table]*sql.Stmt{}, several: map[table]*sql.Stmt{}}
}
func postgres() statements { return statements{name: "postgres", shared: true} }

// known is the statement that reads payouts.
var known = table{name: "known"}

const selectPayout = "SELECT trade_no, facts FROM payouts WHERE trade_no = $1"

// knownTogether is how many payouts SQLite is asked for at once.
const knownTogether = 100

// prepare prepares the statements of SQLite on its one connection.
func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	if s.shared {
		return nil
	}
	for _, t := range written {
		stmt, err := db.PrepareContext(ctx, t.one())
		if err == nil {
			s.prepared[t] = stmt
			if t.update == "" {
				s.several[t], err = db.PrepareContext(ctx, t.rows(severalRows))
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	stmt, err := db.PrepareContext(ctx, "SELECT trade_no, facts FROM payouts WHERE trade_no IN (?"+strings.Repeat(",?", knownTogether-1)+")")
	s.prepared[known] = stmt
	return err
}

func (s *statements) close() (err error) {
	for _, all := range []map[table]*sql.Stmt{s.prepared, s.several} {
		for _, stmt := range all {
			err = errors.Join(err, stmt.Close())
		}
	}
	return err
}

// one writes one row. $1 is the first column, as in PostgreSQL.
func (t table) one() string {
	names := t.list()
	if t.update != "" {
		var set []string
		for i, name := range names {
			if i > 0 {
				set = append(set, fmt.Sprintf("%s = $%d", name, i+1))
			}
		}
		return fmt.Sprintf("UPDATE %s SET %s WHERE %s = $1", t.name, strings.Join(set, ", "), names[0])
	}
	return t.rows(1)
}

// rows inserts so many rows.
func (t table) rows(n int) string {
	row := "(?" + strings.Repeat(",?", len(t.list())-1) + ")"
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES %s%s %s", t.name, t.columns, row, strings.Repeat(","+row, n-1), t.rest)
}

// many writes the rows of arrays, one for each column.
func (t table) many() string {
	names, arrays := t.list(), []string{}
	for i, kind := range strings.Split(t.types, ",") {
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+1, kind))
	}
	rows := fmt.Sprintf("unnest(%s) AS rows (%s)", strings.Join(arrays, ","), t.columns)
	if t.update == "" {
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM %s %s", t.name, t.columns, rows, t.rest)
	}
	var set []string
	for name := range strings.SplitSeq(t.update, ",") {
		set = append(set, name+" = rows."+name)
	}
	return fmt.Sprintf("UPDATE %s SET %s FROM %s WHERE %s.%s = rows.%s", t.name, strings.Join(set, ", "), rows, t.name, names[0], names[0])
}

// severalRows is how many rows SQLite inserts at once, where there are so many.
const severalRows = 20

// insert writes rows: each a value for each column.
func (s *statements) insert(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if s.shared {
		if _, err := tx.ExecContext(ctx, t.many(), arrays(t, rows)...); err != nil {
			return fmt.Errorf("write %d rows into %s: %w", len(rows), t.name, err)
		}
		return nil
	}
	ctx = quiet(ctx)
	if stmt := s.several[t]; stmt != nil && len(rows) >= severalRows {
		stmt := tx.StmtContext(ctx, stmt)
		for ; len(rows) >= severalRows; rows = rows[severalRows:] {
			if _, err := stmt.ExecContext(ctx, slices.Concat(rows[:severalRows]...)...); err != nil {
				return fmt.Errorf("write %d rows into %s: %w", severalRows, t.name, err)
			}
		}
	}
	stmt := tx.StmtContext(ctx, s.prepared[t])
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return fmt.Errorf("write a row into %s: %w", t.name, err)
		}
	}
	return nil
}

// quiet is for statements of one row: the driver has a goroutine watch each one whose context may end. That of the transaction
// may end still.
func quiet(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// arrays turns rows into columns.
func arrays(t table, rows [][]any) []any {
	types := strings.Split(t.types, ",")
	columns := make([]any, len(types))
	for i, kind := range types {
		switch kind {
		case "bigint":
			column := make([]*int64, len(rows))
			for n, row := range rows {
				if value, ok := row[i].(int64); ok {
					column[n] = &value
				}
			}
			columns[i] = column
		case "bytea":
			column := make([][]byte, len(rows))
			for n, row := range rows {
				column[n], _ = row[i].([]byte)
			}
			columns[i] = column
		default:
			column := make([]string, len(rows))
			for n, row := range rows {
				column[n], _ = row[i].(string)
			}
			columns[i] = column
		}
	}
	return columns
}
