package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"disburser/payout"
)

// scanned is how many keys one call of scan looks at: it stays in the milliseconds.
const scanned = 1000

// Upgrade writes the records of an older layout in this one's, under the building of an
// epoch and before anything is restored: whoever knows only the old layout is refused by
// then. It answers how many there were. It may be repeated, also after half of it.
func (j *Journal) Upgrade(ctx context.Context, id string) (converted int, err error) {
	cursor := "0"
	for {
		page, err := j.runAs(ctx, "scan", []any{id, cursor, scanned})
		if err != nil {
			return converted, err
		}
		cursor = word(page, 0)
		args := []any{id, j.window.Milliseconds(), ""}
		if cursor == "0" {
			args[2] = "1"
		}
		for i := 1; i+1 < len(page); i += 2 {
			record, err := convert(word(page, i+1))
			if err != nil {
				return converted, fmt.Errorf("journal: upgrade: the record of %s can't be converted: %w", word(page, i), err)
			}
			args = append(args, word(page, i), word(page, i+1), record)
			converted++
		}
		if _, err := j.runAs(ctx, "convert", args); err != nil {
			return converted, err
		}
		if cursor == "0" {
			return converted, nil
		}
	}
}

// The head of layout 1: state, step, token, until, fingerprint, expiry, sends, sent at,
// send by, partition. After it came the merchant's line and the two JSON texts.
const (
	headLen1   = 90
	sendByEnd1 = 84
)

// convert makes of a record of layout 1 the same in this one. Offset, time and batch id
// came out of the first JSON text, the end by our own word out of the second. To which
// account it was sent nobody has noted.
func convert(record string) (string, error) {
	if len(record) < headLen1 {
		return "", errors.New("too short")
	}
	lines := strings.SplitN(record[headLen1:], "\n", 3)
	if len(lines) != 3 {
		return "", errors.New("not in three lines")
	}
	var command struct {
		Offset int64  `json:"o"`
		Time   int64  `json:"t"`
		Batch  string `json:"b"`
	}
	var absent struct {
		Is bool `json:"ab"`
	}
	said, err := without(lines[1], &command, "o", "t", "b")
	if err != nil {
		return "", err
	}
	became, err := without(lines[2], &absent, "ab")
	if err != nil {
		return "", err
	}
	flag := noFlag
	if state := payout.State(record[0]); state == payout.StateRejected || state == payout.StateFailed && absent.Is {
		flag = ownEnd
	}
	head := fmt.Sprintf("%c%s%s%c%s%s%016d%013d", layout, record[:sendByEnd1], noAccount, flag, freeFlags, record[sendByEnd1:headLen1], command.Offset, command.Time)
	if len(head) != headLen {
		return "", errors.New("an offset or a time that is out of range")
	}
	return head + lines[0] + "\n" + strings.ReplaceAll(command.Batch, "\n", " ") + "\n" + said + "\n" + became, nil
}

// without reads some fields of a JSON object and answers the text without them.
func without(text string, into any, names ...string) (string, error) {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return "", err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return "", err
	}
	drop := map[string]bool{}
	for _, name := range names {
		drop[name] = true
	}
	return "{" + unknown(all, drop) + "}", nil
}
