package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
)

// scanned is how many keys one call of scan looks at: it stays in the milliseconds.
const scanned = 1000

// nowherePartition is _layout.lua's NO_PARTITION: of a record without content.
const nowherePartition = 999_999

// Upgrade converts the records of an older layout, under the building of an epoch and before
// anything is restored. By then all who know only the old layout are refused. It answers how
// many there were, and an error for each that can't be read. Those are held, without content,
// and asked about. It may be repeated, also after half of it. far is told after each page how
// many are done.
func (j *Journal) Upgrade(ctx context.Context, id string, far func(converted int)) (converted int, unread []error, err error) {
	cursor := "0"
	for {
		page, err := j.runAs(ctx, "scan", []any{id, cursor, scanned})
		if err != nil {
			return converted, unread, err
		}
		cursor = word(page, 0)
		args := []any{id, j.window.Milliseconds(), ""}
		if cursor == "0" {
			args[2] = "1"
		}
		for i := 1; i+1 < len(page); i += 2 {
			tradeNo, old := word(page, i), word(page, i+1)
			record, was, err := converting(tradeNo, old)
			if errors.Is(err, epochs.ErrNewerLayout) {
				return converted, unread, err
			}
			if err != nil {
				unread = append(unread, err)
			}
			args = append(args, tradeNo, old, record, was)
			converted++
		}
		if _, err := j.runAs(ctx, "convert", args); err != nil {
			return converted, unread, err
		}
		far(converted)
		if cursor == "0" {
			return converted, unread, nil
		}
	}
}

// The head of layout 1: state, step, token, until, fingerprint, expiry, sends, sent at,
// send by, partition. After it came the merchant's line and the two JSON texts.
const (
	headLen1       = 90
	fingerprintAt1 = 27
	expiresAt1     = 43
	sendByEnd1     = 84
)

// head1 is what such a head looks like: a head that looks otherwise was cut, or written wrongly.
var head1 = regexp.MustCompile(`\A[rsphPQFR][sanx][^\n]{12}\d{13}[^\n]{16}\d{13}\d{2}\d{13}\d{13}\d{6}`)

// head2 is what a head of layout 2 looks like. Its fields stand where they stand now.
var head2 = regexp.MustCompile(`\A2[rsphPQFR][sanx][^\n]{12}\d{13}[^\n]{16}\d{13}\d{2}\d{13}\d{13}[^\n]{12}\d{35}`)

// converting converts a record. A record that can't be read becomes that of a held payout, and an
// error says so.
// Then was is the letter of its old state, by which it is counted. It is "?" where nobody knows
// that either.
func converting(tradeNo, old string) (record, was string, err error) {
	if old != "" && old[0] > layout && old[0] <= '9' {
		return "", "", fmt.Errorf("journal: upgrade: the record of %s is of layout %c, this version knows %d: %w", tradeNo, old[0], epochs.Layout, epochs.ErrNewerLayout)
	}
	become := convert1
	if old != "" && old[0] == '2' {
		become = convert2
	}
	if record, err = become(old); err == nil {
		return record, "", nil
	}
	err = fmt.Errorf("journal: upgrade: the record of %s can't be read (%w): it is held without content, and asked about; see to it by hand", tradeNo, err)
	record, was = unreadable(old)
	return record, was, err
}

// convert2 makes of a record of layout 2 the same in this one: only what a step may be has changed.
func convert2(record string) (string, error) {
	if !head2.MatchString(record) {
		return "", errors.New("its head is damaged")
	}
	converted := string(layout) + record[1:]
	_, err := decode("", converted) // else nobody would ever lease it
	return converted, err
}

// convert1 makes of a record of layout 1 the same in this one. Offset, time and batch id
// came out of the first JSON text, the end by our own word out of the second. To which
// account it was sent nobody has noted.
func convert1(record string) (string, error) {
	if !head1.MatchString(record) {
		return "", errors.New("its head is damaged")
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
	head := fmt.Sprintf("%c%s%s%c%s%s", layout, record[:sendByEnd1], noAccount, flag, freeFlags, record[sendByEnd1:headLen1])
	if command.Time != 0 { // 0 is none
		command.Time = max(command.Time, 1)
	}
	head = string(digits(digits([]byte(head), command.Offset, 16), command.Time, 13))
	converted := head + lines[0] + "\n" + strings.ReplaceAll(command.Batch, "\n", " ") + "\n" + said + "\n" + became
	_, err = decode("", converted) // else nobody would ever lease it
	return converted, err
}

// unreadable makes a held record of a record that can't be read, with what can be: fingerprint,
// sends and their times, merchant. It waits for its command, as after a loss of the journal.
// One whose fingerprint is lost too is equal to no command: that becomes a conflict.
func unreadable(old string) (record, was string) {
	fingerprint, sends, merchant := strings.Repeat("?", payout.FingerprintLen), "02"+strings.Repeat("0", 26), ""
	was = "?"
	owned := func(head int, state string) {
		if name, _, ends := strings.Cut(old[head:], "\n"); ends {
			merchant, was = name, state
		}
	}
	switch {
	case head1.MatchString(old):
		fingerprint, sends = old[fingerprintAt1:expiresAt1], old[expiresAt1+13:sendByEnd1]
		owned(headLen1, old[:1])
	case head2.MatchString(old):
		fingerprint, sends = old[fingerprintAt:expiresAt], old[sendsAt:accountAt]
		owned(headLen, old[stateAt:stepAt])
	}
	none := strings.Repeat("0", 13)
	p := progress{Reason: "its record could not be read when the journal was converted: nobody knows how far it was", Held: time.Now().UnixMilli(), Forgotten: true}
	return string(layout) + "ha" + noToken + none + fingerprint + none + sends + noAccount + string(noFlag) + freeFlags +
		fmt.Sprintf("%06d", nowherePartition) + strings.Repeat("0", 29) + merchant + "\n\n{}\n" + p.text(), was
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
