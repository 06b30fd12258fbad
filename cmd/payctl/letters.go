package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// deadLetters are the commands about messages that became no payout.
type deadLetters struct {
	List   letterList   `cmd:"" name:"list" help:"Lists dead letters, the latest first, and how many there are of each error_code."`
	Show   letterShow   `cmd:"" name:"show" help:"Tells all that is known of a dead letter, and whether it may be replayed."`
	Replay letterReplay `cmd:"" name:"replay" help:"Publishes dead letters again, once you have seen what that would do."`
}

// letterChoice says which dead letters are meant.
type letterChoice struct {
	office
	Code  string   `name:"code" placeholder:"CODE" help:"Only those of this error_code: malformed, conflict or too_large."`
	Batch string   `name:"batch" placeholder:"ID" help:"Only those of this batch, where it could be read."`
	Since api.Time `name:"since" placeholder:"TIME" help:"Only those that were written at this time or later, such as 2026-11-25T08:00:00Z, or a day in UTC."`
	Until api.Time `name:"until" placeholder:"TIME" help:"Only those that were written before this time."`
}

func (l letterChoice) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{"code": l.Code, "batch": l.Batch, "since": timeText(l.Since.Time), "until": timeText(l.Until.Time)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// letterList lists dead letters.
type letterList struct {
	letterChoice
	Last int `name:"last" default:"50" help:"So many at most, the latest first."`
}

func (*letterList) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl dead-letters list", Does: "the latest, each with its id, where its message stands, and what is wrong"},
		{Line: "payctl dead-letters list --code malformed --since 2026-11-25 --json", Does: "one JSON value a line"},
	}
}

// Run lists them.
func (l *letterList) Run(ctx context.Context, s cli.Streams) error {
	if l.Last < 1 {
		return cli.Usage(errors.New("--last must be 1 or more"))
	}
	c, err := l.client()
	if err != nil {
		return err
	}
	if !l.JSON {
		query := l.query()
		query.Set("limit", "1")
		page, err := api.Get[api.Letters](ctx, c, "/dead-letters", query)
		if err != nil {
			return marked(err)
		}
		tellCodes(s, page.Codes)
	}
	header := []string{"ID", "TIME", "CODE", "TRADENO", "BATCH", "MESSAGE", "REPLAYED", "ERROR"}
	_, err = tellEach(s, l.office, header, firsts(c.EachLetter(ctx, l.query()), l.Last), func(one api.Letter) []string {
		replayed := ""
		if n := len(one.Replays); n > 0 {
			replayed = one.Replays[n-1].By + " " + one.Replays[n-1].Time
		}
		return []string{one.ID, one.Time, one.Code, one.TradeNo, one.BatchID, sourceText(one.Source), replayed, one.Reason}
	})
	return err
}

// firsts are so many of a list at most.
func firsts[T any](all iter.Seq2[T, error], most int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for one, err := range all {
			if n++; !yield(one, err) || n == most {
				return
			}
		}
	}
}

// tellCodes tells how many dead letters there are.
func tellCodes(s cli.Streams, codes map[string]int) {
	sum, text := 0, ""
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		sum += codes[code]
		text += fmt.Sprintf(", %d %s", codes[code], cli.OneLine(code))
	}
	fmt.Fprintln(s.Err, count(sum, "dead letter")+text)
}

func sourceText(source api.Source) string {
	text := source.Topic + "/" + strconv.Itoa(source.Partition) + "/" + strconv.FormatInt(source.Offset, 10)
	if source.Index != nil {
		text += " element " + strconv.Itoa(*source.Index)
	}
	return text
}

// letterShow tells about one dead letter.
type letterShow struct {
	office
	ID string `arg:"" name:"id" help:"The dead letter, as dead-letters list names it: its partition and offset, such as 0-17."`
}

// Help says what isn't shown.
func (*letterShow) Help() string {
	return "What of the message could be read is shown with its payee masked, and nothing of what couldn't: it may be people's data. " +
		"Who may read the topics finds the message at the place that is told."
}

func (*letterShow) Examples() []cli.Example {
	return []cli.Example{{Line: "payctl dead-letters show 0-17", Does: "what is wrong, where its message stands, whether it may be replayed, and what came of that"}}
}

// Run tells about it.
func (w *letterShow) Run(ctx context.Context, s cli.Streams) error {
	return tellOne(ctx, s, w.office, escaped("/dead-letters/", w.ID), func(d api.LetterDetail) error { return tellLetter(s, d) })
}

func tellLetter(s cli.Streams, d api.LetterDetail) error {
	t := newTable(s.Out)
	t.say("dead letter", d.ID)
	t.say("code", d.Code)
	t.say("error", d.Reason)
	t.say("time", d.Time)
	t.say("message", sourceText(d.Source))
	t.say("stands in", fmt.Sprintf("%s/%d, offset %d", d.Topic, d.Partition, d.Offset))
	if d.Bytes > 0 {
		t.say("length", count(d.Bytes, "byte"))
	}
	t.say("payout", d.TradeNo, d.State)
	t.say("merchant", d.Merchant)
	t.say("batch", d.BatchID)
	t.say("amount", d.Amount, d.Currency)
	for _, name := range slices.Sorted(maps.Keys(d.Payee)) {
		t.say("payee."+name, d.Payee[name])
	}
	for _, r := range d.Replays {
		text := fmt.Sprintf("by %s at %s (partition %d, offset %d)", r.By, r.Time, r.Partition, r.Offset)
		if r.DeadLetter != "" {
			text += "; it became the dead letter " + r.DeadLetter
		}
		t.say("replayed", text)
	}
	t.say("a replay", map[string]string{"replay": "would publish it", "replayed": "would leave it alone:", "left_out": "would leave it out:"}[string(d.Verdict)], d.Why)
	return t.flush()
}
