package api

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"disburser/backoffice/books"
	"disburser/backoffice/replay"
)

// Letter is a dead letter. What of its message can't be read isn't shown: it may hold people's data.
type Letter struct {
	ID       string            `json:"id" doc:"its own place, as PARTITION-OFFSET"`
	Time     string            `json:"time"`
	Code     string            `json:"error_code"`
	Reason   string            `json:"error"`
	TradeNo  string            `json:"tradeNo,omitempty" doc:"this and what follows only where it could be read"`
	BatchID  string            `json:"batchId,omitempty"`
	Merchant string            `json:"merchant,omitempty"`
	Amount   string            `json:"amount,omitempty"`
	Currency string            `json:"currency,omitempty"`
	Payee    map[string]string `json:"payee,omitempty" doc:"masked"`
	Source   Source            `json:"source" doc:"the message that it is about"`
	Topic    string            `json:"topic" doc:"its own place in the topic of dead letters"`

	Partition int        `json:"partition"`
	Offset    int64      `json:"offset"`
	Replays   []ReplayOf `json:"replays,omitempty" doc:"what was published of it again, the first one first"`
}

// Source is where a message stands.
type Source struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Index     *int   `json:"index,omitempty" doc:"of an element of a bulk"`
}

// ReplayOf is a command that replays a dead letter.
type ReplayOf struct {
	By         string `json:"by"`
	Time       string `json:"time"`
	Partition  int    `json:"partition" doc:"the command's place in the topic of commands"`
	Offset     int64  `json:"offset"`
	DeadLetter string `json:"deadLetter,omitempty" doc:"only of a single dead letter: the id of the dead letter that it became again"`
}

// LetterDetail is all that is known of a dead letter.
type LetterDetail struct {
	Letter
	Bytes   int            `json:"bytes" doc:"the length of its value in Kafka; 0 where it can't be read"`
	Verdict replay.Verdict `json:"verdict" enum:"replay,replayed,left_out" doc:"what a replay would do with it"`
	Why     string         `json:"why" doc:"why it would be left out; or what would come of it, if that isn't a payout"`
	State   string         `json:"state,omitempty" doc:"of the payout of its tradeNo, where the books know one"`
}

// Letters is a page of dead letters, the latest first.
type Letters struct {
	Codes   map[string]int `json:"codes" doc:"how many there are on all pages, by error_code"`
	Letters []Letter       `json:"deadLetters"`
	Next    string         `json:"next,omitempty"`
}

// EachLetter asks for all pages of dead letters, and answers one after the other. After an error nothing follows.
func (c Client) EachLetter(ctx context.Context, query url.Values) iter.Seq2[Letter, error] {
	return each(ctx, c, "/dead-letters", query, func(page Letters) ([]Letter, string) { return page.Letters, page.Next })
}

// MostReplayed is how many dead letters one request looks at.
const MostReplayed = 500

// ReplayWord says which dead letters shall be replayed: some by their ids, or those that fit, the oldest first.
type ReplayWord struct {
	IDs    []string   `json:"ids,omitempty" maxItems:"500" doc:"some dead letters; instead of code, batch, since and until"`
	Code   string     `json:"code,omitempty" doc:"only those of this error_code"`
	Batch  string     `json:"batch,omitempty" doc:"only those of this batch, where it could be read"`
	Since  *time.Time `json:"since,omitempty" doc:"written at this time or later"`
	Until  *time.Time `json:"until,omitempty" doc:"written before this time"`
	Cursor string     `json:"cursor,omitempty" doc:"next of the page before"`
	DryRun bool       `json:"dry_run,omitempty" doc:"only says what would be replayed, and what not and why"`
	Again  bool       `json:"again,omitempty" doc:"also what was replayed before"`
	AsItIs bool       `json:"as_it_is,omitempty" doc:"also what this back office can't read or would see rejected: the intake says what it is. Only with ids"`
}

// Replay is what was decided of some dead letters, and what was done.
type Replay struct {
	DryRun   bool                    `json:"dry_run"`
	Codes    map[string]ReplayCounts `json:"codes" doc:"by error_code"`
	Letters  []ReplayedLetter        `json:"deadLetters"`
	Replayed int                     `json:"replayed" doc:"commands that Kafka has acknowledged; 0 of a dry run"`
	Next     string                  `json:"next,omitempty" doc:"the cursor of those that weren't looked at"`
}

// ReplayCounts are how many dead letters there are, and what was decided of them.
type ReplayCounts struct {
	Found    int `json:"found"`
	Replay   int `json:"replay" doc:"are replayed, or would be"`
	Replayed int `json:"replayed" doc:"were replayed before, and are left alone"`
	LeftOut  int `json:"left_out"`
}

// ReplayedLetter is what was decided of a dead letter.
type ReplayedLetter struct {
	ID      string         `json:"id"`
	Code    string         `json:"error_code"`
	TradeNo string         `json:"tradeNo,omitempty"`
	BatchID string         `json:"batchId,omitempty"`
	Verdict replay.Verdict `json:"verdict" enum:"replay,replayed,left_out"`
	Why     string         `json:"why,omitempty"`
}

// Add counts a dead letter.
func (r *Replay) Add(l ReplayedLetter) {
	if r.Codes == nil {
		r.Codes = map[string]ReplayCounts{}
	}
	n := r.Codes[l.Code]
	n.Found++
	switch l.Verdict {
	case replay.Replay:
		n.Replay++
	case replay.Replayed:
		n.Replayed++
	case replay.LeftOut:
		n.LeftOut++
	}
	r.Codes[l.Code] = n
	r.Letters = append(r.Letters, l)
}

// LetterID names a dead letter by its own place.
func LetterID(at books.Place) string { return fmt.Sprintf("%d-%d", at.Partition, at.Offset) }

// ParseLetterID reads such a name; false if it is none.
func ParseLetterID(id string) (at books.Place, is bool) {
	partition, offset, found := strings.Cut(id, "-")
	var wrong [2]error
	at.Partition, wrong[0] = strconv.Atoi(partition)
	at.Offset, wrong[1] = strconv.ParseInt(offset, 10, 64)
	return at, found && wrong == [2]error{} && LetterID(at) == id && at.Partition >= 0 && at.Offset >= 0
}

// LetterOf says what is known of a dead letter, as a list has it.
func LetterOf(l books.Letter, replays []books.Replay, topics Topics) Letter {
	one := Letter{
		ID: LetterID(l.Place), Time: books.Stamp(l.Time), Code: string(l.Code), Reason: l.Reason, TradeNo: l.TradeNo, BatchID: l.BatchID, Merchant: l.Merchant,
		Amount: l.Amount, Currency: l.Currency, Payee: l.Payee, Topic: topics[books.DeadLetters], Partition: l.Partition, Offset: l.Offset,
		Source: Source{Topic: l.Topic, Partition: l.Source.Partition, Offset: l.Source.Offset},
	}
	if l.Source.Element > 0 {
		index := l.Source.Element - 1
		one.Source.Index = &index
	}
	for _, r := range replays {
		one.Replays = append(one.Replays, ReplayOf{By: r.By, Time: books.Stamp(r.Time), Partition: r.Partition, Offset: r.Offset})
	}
	return one
}
