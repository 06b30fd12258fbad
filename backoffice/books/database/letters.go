package database

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"disburser/backoffice/books"
	"disburser/message"
)

// LetterQuery says which dead letters are asked for. What is empty doesn't matter.
type LetterQuery struct {
	BatchID, Code string
	Since, Until  int64 // when they were written, in ms; Until is not in it
	Oldest        bool  // the oldest first; else the latest
	After         LetterCursor
	Limit         int
}

// LetterCursor is where a page goes on: behind this dead letter, in the order of the query.
type LetterCursor struct {
	At        int64 `json:"a"`
	Partition int   `json:"p"`
	Offset    int64 `json:"o"`
}

// where is the condition of everything but the cursor.
func (q LetterQuery) where() (string, []any) {
	var all []string
	var args []any
	add := func(format string, value any) {
		args = append(args, value)
		all = append(all, fmt.Sprintf(format, len(args)))
	}
	if q.BatchID != "" {
		add("batch_id = $%d AND batch_id <> ''", q.BatchID)
	}
	if q.Code != "" {
		add("code = $%d", q.Code)
	}
	if q.Since > 0 {
		add("at >= $%d", q.Since)
	}
	if q.Until > 0 {
		add("at < $%d", q.Until)
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), args
}

// Letters answers a page of dead letters.
func (b *Books) Letters(ctx context.Context, q LetterQuery) (all []books.Letter, err error) {
	where, args := q.where()
	than, order := "<", "DESC"
	if q.Oldest {
		than, order = ">", "ASC"
	}
	if q.After != (LetterCursor{}) {
		args = append(args, q.After.At, q.After.Partition, q.After.Offset)
		where += map[bool]string{true: " WHERE ", false: " AND "}[where == ""]
		where += fmt.Sprintf("(at, partition, place) %s ($%d, $%d, $%d)", than, len(args)-2, len(args)-1, len(args))
	}
	args = append(args, q.Limit)
	return b.lettersBy(ctx, fmt.Sprintf("%s ORDER BY at %s, partition %s, place %s LIMIT $%d", where, order, order, order, len(args)), args...)
}

// LetterCodes answers how many dead letters there are by code, on all pages of a query.
func (b *Books) LetterCodes(ctx context.Context, q LetterQuery) (map[string]int, error) {
	codes := map[string]int{}
	where, args := q.where()
	rows, err := b.read.QueryContext(ctx, "SELECT code, count(*) FROM dead_letters"+where+" GROUP BY code", args...)
	if err != nil {
		return nil, fmt.Errorf("count the dead letters: %w", err)
	}
	return codes, each(rows, func() error {
		var code string
		var n int
		err := rows.Scan(&code, &n)
		codes[code] = n
		return err
	})
}

// Letter answers the dead letter at its own place; false if the books know none there. Where a topic was made anew, two lives of it may
// have had one: it is the later one then.
func (b *Books) Letter(ctx context.Context, at books.Place) (books.Letter, bool, error) {
	found, err := b.lettersBy(ctx, " WHERE partition = $1 AND place = $2 ORDER BY at DESC LIMIT 1", at.Partition, at.Offset)
	if err != nil || len(found) == 0 {
		return books.Letter{}, false, err
	}
	return found[0], true, nil
}

// LetterOf answers the dead letter of a whole command, or of one of its elements; false if it has none.
func (b *Books) LetterOf(ctx context.Context, topic string, command books.Place) (books.Letter, bool, error) {
	found, err := b.lettersBy(ctx, " WHERE source_topic = $1 AND source_partition = $2 AND source_offset = $3 ORDER BY element LIMIT 1", topic, command.Partition, command.Offset)
	if err != nil || len(found) == 0 {
		return books.Letter{}, false, err
	}
	return found[0], true, nil
}

func (b *Books) lettersBy(ctx context.Context, rest string, args ...any) (all []books.Letter, err error) {
	rows, err := b.read.QueryContext(ctx, "SELECT "+deadLetters.columns+" FROM dead_letters"+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	return all, each(rows, func() error {
		var l books.Letter
		var code, payee string
		err := rows.Scan(&l.Topic, &l.Source.Partition, &l.Source.Offset, &l.Source.Element, &l.Partition, &l.Offset, &code, &l.Reason, &l.Time,
			&l.TradeNo, &l.BatchID, &l.Merchant, &l.Amount, &l.Currency, &payee)
		if err != nil {
			return err
		}
		l.Code = message.Code(code)
		all = append(all, l)
		return json.Unmarshal([]byte(payee), &all[len(all)-1].Payee)
	})
}

// replaysAtOnce is how many dead letters are looked for together.
const replaysAtOnce = 100

// Replays answers the commands by which dead letters were replayed, the first one first, by the dead letter's own place.
func (b *Books) Replays(ctx context.Context, letters []books.Letter) (map[books.Place][]books.Replay, error) {
	found := map[books.Place][]books.Replay{}
	type source struct {
		topic string
		books.Place
	}
	for ; len(letters) > 0; letters = letters[min(len(letters), replaysAtOnce):] {
		of := map[source]books.Place{}
		var sources []string
		var args []any
		for _, l := range letters[:min(len(letters), replaysAtOnce)] {
			of[source{l.Topic, l.Source}] = l.Place
			n := len(args)
			sources = append(sources, fmt.Sprintf("source_topic = $%d AND source_partition = $%d AND source_offset = $%d AND element = $%d", n+1, n+2, n+3, n+4))
			args = append(args, l.Topic, l.Source.Partition, l.Source.Offset, l.Source.Element)
		}
		rows, err := b.read.QueryContext(ctx, "SELECT "+replays.columns+" FROM replays WHERE "+strings.Join(sources, " OR ")+" ORDER BY at, partition, place", args...)
		if err != nil {
			return nil, fmt.Errorf("read the replays of dead letters: %w", err)
		}
		if err := each(rows, func() error {
			var r books.Replay
			err := rows.Scan(&r.Topic, &r.Source.Partition, &r.Source.Offset, &r.Source.Element, &r.Partition, &r.Offset, &r.Time, &r.By)
			at := of[source{r.Topic, r.Source}]
			found[at] = append(found[at], r)
			return err
		}); err != nil {
			return nil, fmt.Errorf("read the replays of dead letters: %w", err)
		}
	}
	return found, nil
}
