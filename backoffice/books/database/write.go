package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"disburser/backoffice/books"
	"disburser/payout"
)

// Progress is how far a partition was read.
func (b *Books) Progress(ctx context.Context, topic books.Topic, number int) (p books.Progress, err error) {
	var fences string
	var since int64
	row := b.read.QueryRowContext(ctx, "SELECT next, anchor, fences, begun, since, missed FROM progress WHERE topic = $1 AND partition = $2", string(topic), number)
	switch err := row.Scan(&p.Next, &p.Anchor, &fences, &p.Begun, &since, &p.Missed); {
	case errors.Is(err, sql.ErrNoRows):
		return books.Progress{}, nil
	case err != nil:
		return p, fmt.Errorf("read how far %s/%d was read: %w", topic, number, err)
	}
	p.Since = time.UnixMilli(since).UTC()
	if err := json.Unmarshal([]byte(fences), &p.Fences); err != nil {
		return p, fmt.Errorf("read how far %s/%d was read: %w", topic, number, err)
	}
	return p, nil
}

// oneAtATime is the lock of PostgreSQL under which one transaction writes at a time. Two that read the same payout and
// write it would each lose what the other one has joined.
const oneAtATime = "SELECT pg_advisory_xact_lock(7229171104)"

// byIndexes has a page's transaction of PostgreSQL find rows by their indexes. To join a few thousand rows
// PostgreSQL would read the whole table, until that is so large that it seems dear.
const byIndexes = ", set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"

// Write does work and moves a partition's offset in one transaction.
func (b *Books) Write(ctx context.Context, topic books.Topic, number int, from int64, to books.Progress, work func(books.Tx) error) error {
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a page of %s/%d: %w", topic, number, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if b.sql.shared {
		if _, err := tx.ExecContext(ctx, oneAtATime+byIndexes); err != nil {
			return fmt.Errorf("wait for other writers of the books: %w", err)
		}
	}
	if err := move(ctx, tx, topic, number, from, to); err != nil {
		return err
	}
	if err := work(&transaction{tx, &b.sql}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a page of %s/%d: %w", topic, number, err)
	}
	return nil
}

// move compares the offset and sets it. Where there is none, only a page from the beginning makes it. After a rebuild, whoever had
// read on before would else leave out all that is to be read again.
func move(ctx context.Context, tx *sql.Tx, topic books.Topic, number int, from int64, to books.Progress) error {
	fences, err := json.Marshal(to.Fences)
	if err != nil {
		return fmt.Errorf("write the fences of %s/%d: %w", topic, number, err)
	}
	set := "UPDATE progress SET next = $3, anchor = $4, fences = $5, begun = $6, since = $7, missed = $8 WHERE topic = $1 AND partition = $2 AND next = $9"
	if from == 0 {
		set = `INSERT INTO progress (topic, partition, next, anchor, fences, begun, since, missed) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)
			ON CONFLICT (topic, partition) DO UPDATE SET next = $3, anchor = $4, fences = $5, begun = $6, since = $7, missed = $8 WHERE progress.next = $9`
	}
	result, err := tx.ExecContext(ctx, set, string(topic), number, to.Next, to.Anchor, string(fences), to.Begun, to.Since.UnixMilli(), to.Missed, from)
	if err != nil {
		return fmt.Errorf("move the offset of %s/%d: %w", topic, number, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(books.ErrMoved, err)
	}
	return nil
}

// transaction is one of SQL.
type transaction struct {
	tx  *sql.Tx
	sql *statements
}

// Payouts reads payouts by their names.
func (t *transaction) Payouts(ctx context.Context, tradeNos []string) (map[string]*books.Payout, error) {
	found := make(map[string]*books.Payout, len(tradeNos))
	if t.sql.shared {
		rows, err := t.tx.QueryContext(ctx, "SELECT trade_no, facts FROM payouts WHERE trade_no = ANY($1::text[])", tradeNos)
		if err != nil {
			return nil, err
		}
		return found, each(rows, func() error { return scanInto(rows, found) })
	}
	stmt := t.tx.StmtContext(ctx, t.sql.prepared[known])
	args := make([]any, knownTogether)
	for some := range slices.Chunk(tradeNos, knownTogether) {
		for i := range args {
			args[i] = some[min(i, len(some)-1)] // the last one again where there are fewer
		}
		rows, err := stmt.QueryContext(quiet(ctx), args...)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func() error { return scanInto(rows, found) }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func scanInto(row interface{ Scan(to ...any) error }, found map[string]*books.Payout) error {
	p := &books.Payout{}
	var facts sql.RawBytes
	if _, many := row.(*sql.Rows); many {
		if err := row.Scan(&p.TradeNo, &facts); err != nil {
			return err
		}
	} else {
		if err := row.Scan(&p.TradeNo, (*[]byte)(&facts)); err != nil {
			return err
		}
	}
	if err := p.ReadFacts(facts); err != nil {
		return fmt.Errorf("read what is known of %s: %w", p.TradeNo, err)
	}
	found[p.TradeNo] = p
	return nil
}

// each calls scan for each row, and closes them.
func each(rows *sql.Rows, scan func() error) error {
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Batches reads batches and their totals.
func (t *transaction) Batches(ctx context.Context, ids []string) (map[string]books.Batch, books.Totals, error) {
	found, sums := map[string]books.Batch{}, books.Totals{}
	query := func(text string, id any, scan func(*sql.Rows) error) error {
		rows, err := t.tx.QueryContext(ctx, text, id)
		if err != nil {
			return err
		}
		return each(rows, func() error { return scan(rows) })
	}
	equal, asked := " = $1", make([]any, 0, len(ids))
	if t.sql.shared { // it is asked once for all
		equal, asked = " = ANY($1::text[])", append(asked, ids)
	} else {
		for _, id := range ids {
			asked = append(asked, id)
		}
	}
	for _, one := range asked {
		if err := query(selectTotals+" WHERE batch_id"+equal, one, func(r *sql.Rows) error { return scanTotal(r, sums) }); err != nil {
			return nil, nil, fmt.Errorf("read the totals of the batch %q: %w", one, err)
		}
		if err := query(selectBatches+" WHERE id"+equal, one, func(r *sql.Rows) error {
			b, err := scanBatch(r)
			found[b.ID] = b
			return err
		}); err != nil {
			return nil, nil, fmt.Errorf("read the batch %q: %w", one, err)
		}
	}
	return found, sums, nil
}

const (
	selectTotals  = "SELECT batch_id, merchant, currency, state, count, without, ordered, paid FROM totals"
	selectBatches = "SELECT id, size, size_by, first_at, last_at, told, changed, CASE WHEN changed = digested THEN digest ELSE '' END FROM batches"
)

func scanTotal(r *sql.Rows, into books.Totals) error {
	var k books.TotalKey
	var state, ordered, paid string
	total := &books.Total{}
	if err := r.Scan(&k.BatchID, &k.Merchant, &k.Currency, &state, &total.Count, &total.Without, &ordered, &paid); err != nil {
		return err
	}
	k.State = stateOf(state)
	var wrong [2]error
	total.Ordered, wrong[0] = books.ParseSum(ordered)
	total.Paid, wrong[1] = books.ParseSum(paid)
	into[k] = total
	return errors.Join(wrong[:]...)
}

func scanBatch(r *sql.Rows) (b books.Batch, err error) {
	var by string
	if err := r.Scan(&b.ID, &b.Size, &by, &b.FirstAt, &b.LastAt, &b.Told, &b.Changed, &b.Digest); err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(by), &b.SizeBy)
}

// stateOf reads a state as the tables hold it: the letter that the journal has too.
func stateOf(text string) payout.State {
	if text == "" {
		return 0
	}
	return payout.State(text[0])
}

func letterOf(s payout.State) string {
	if s == 0 {
		return ""
	}
	return string(rune(s))
}

// Save writes what has changed. Rows are sorted by their keys: so they lie side by side in the tables.
func (t *transaction) Save(ctx context.Context, c books.Changes) error {
	if err := t.savePayouts(ctx, c.Payouts); err != nil {
		return err
	}
	slices.SortFunc(c.Payee, func(a, b books.PayeeRow) int {
		if a.Hash != b.Hash {
			return compareInt(a.Hash, b.Hash)
		}
		return strings.Compare(a.TradeNo, b.TradeNo)
	})
	c.Payee = slices.Compact(c.Payee)
	rows := make([][]any, len(c.Payee))
	for i, row := range c.Payee {
		rows[i] = []any{row.Hash, row.TradeNo}
	}
	if err := t.sql.insert(ctx, t.tx, payees, rows); err != nil {
		return err
	}
	if err := t.saveTotals(ctx, c.Totals); err != nil {
		return err
	}
	return t.saveRest(ctx, c)
}

func compareInt(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

func (t *transaction) savePayouts(ctx context.Context, all []books.Row) error {
	var fresh, moved, other [][]any
	var room []byte // of many payouts' facts
	for i := range all {
		row, v := &all[i], &all[i].View
		if cap(room)-len(room) < factsRoom {
			room = make([]byte, 0, 32*factsRoom)
		}
		begin := len(room)
		room = row.AppendFacts(room)
		facts := room[begin:len(room):len(room)]
		full := func() []any {
			return []any{
				row.TradeNo, letterOf(v.State), v.Merchant, v.BatchID, v.Currency, units(v.Amount), units(v.Paid), yes(v.Undetermined),
				v.At, v.ChangedAt, v.SettledAt, string(v.Content), facts,
			}
		}
		switch {
		case row.New:
			fresh = append(fresh, full())
		case sameButState(&row.Before, v):
			moved = append(moved, []any{row.TradeNo, letterOf(v.State), units(v.Paid), v.ChangedAt, v.SettledAt, string(v.Content), facts})
		default:
			other = append(other, full())
		}
	}
	return errors.Join(
		t.sql.insert(ctx, t.tx, newPayouts, fresh),
		t.sql.insert(ctx, t.tx, movedPayouts, moved),
		t.sql.insert(ctx, t.tx, otherPayouts, other),
		t.sql.insert(ctx, t.tx, held, becameHeld(all, time.Now())))
}

// factsRoom is more than the facts of most payouts take. Where they take more, they get room of their own.
const factsRoom = 2 << 10

func sameButState(a, b *books.View) bool {
	return a.Merchant == b.Merchant && a.BatchID == b.BatchID && a.Currency == b.Currency && a.Amount == b.Amount && a.At == b.At && a.Undetermined == b.Undetermined
}

func units(amount string) any {
	if n, fits := books.Units(amount); fits {
		return n
	}
	return nil
}

func yes(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (t *transaction) saveTotals(ctx context.Context, all books.Totals) error {
	var rows [][]any
	for k, total := range all {
		if total.IsZero() {
			_, err := t.tx.ExecContext(ctx, "DELETE FROM totals WHERE batch_id = $1 AND merchant = $2 AND currency = $3 AND state = $4",
				k.BatchID, k.Merchant, k.Currency, letterOf(k.State))
			if err != nil {
				return fmt.Errorf("delete a total of the batch %q: %w", k.BatchID, err)
			}
			continue
		}
		rows = append(rows, []any{k.BatchID, k.Merchant, k.Currency, letterOf(k.State), total.Count, total.Without, total.Ordered.String(), total.Paid.String()})
	}
	return t.sql.insert(ctx, t.tx, totals, rows)
}

func (t *transaction) saveRest(ctx context.Context, c books.Changes) error {
	var named, events, letters, again, said [][]any
	for _, b := range c.Batches {
		by, err := json.Marshal(b.SizeBy)
		if err != nil {
			return fmt.Errorf("write the batch %q: %w", b.ID, err)
		}
		named = append(named, []any{b.ID, int64(b.Size), string(by), b.FirstAt, b.LastAt, int64(b.Told), b.Changed})
	}
	for _, e := range c.Events {
		events = append(events, []any{e.ID, e.BatchID, e.Type, e.Time, string(e.Value)})
	}
	for _, l := range distinct(c.Letters) {
		payee, err := json.Marshal(l.Payee)
		if err != nil {
			return fmt.Errorf("write a dead letter: %w", err)
		}
		letters = append(letters, []any{
			l.Topic, int64(l.Source.Partition), l.Source.Offset, int64(l.Source.Element), int64(l.Partition), l.Offset,
			string(l.Code), l.Reason, l.Time, l.TradeNo, l.BatchID, l.Merchant, l.Amount, l.Currency, string(payee),
		})
	}
	for _, r := range c.Replays {
		again = append(again, []any{
			r.Topic, int64(r.Source.Partition), r.Source.Offset, int64(r.Source.Element), int64(r.Partition), r.Offset, r.Time, r.By,
		})
	}
	for _, a := range c.Actions {
		headers, err := json.Marshal(a.Headers)
		if err != nil {
			return fmt.Errorf("write an action: %w", err)
		}
		said = append(said, []any{a.Offset, a.Time.UnixMilli(), bytesOf(a.Key), bytesOf(a.Value), string(headers)})
	}
	return errors.Join(
		t.sql.insert(ctx, t.tx, batches, named),
		t.sql.insert(ctx, t.tx, batchEvents, events),
		t.sql.insert(ctx, t.tx, deadLetters, letters),
		t.sql.insert(ctx, t.tx, replays, again),
		t.sql.insert(ctx, t.tx, actions, said))
}

func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// distinct leaves out repeats of a dead letter: PostgreSQL takes a row once in a statement. The first one stays.
func distinct(letters []books.Letter) (all []books.Letter) {
	type source struct {
		topic string
		books.Place
	}
	seen := map[source]bool{}
	for _, l := range letters {
		if k := (source{l.Topic, l.Source}); !seen[k] {
			seen[k] = true
			all = append(all, l)
		}
	}
	return all
}
