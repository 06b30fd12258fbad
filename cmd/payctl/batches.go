package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"

	"disburser/backoffice/api"
	"disburser/backoffice/files"
	"disburser/internal/cli"
)

// batches lists batches.
type batches struct {
	office
	Last int `name:"last" default:"50" help:"So many at most, the latest first."`
}

func (*batches) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl batches", Does: "the latest batches: how many payouts each has, and how many of them have ended"},
		{Line: "payctl batches --last 500 --json", Does: "one JSON value a line"},
	}
}

// Run lists them.
func (b *batches) Run(ctx context.Context, s cli.Streams) error {
	if b.Last < 1 {
		return cli.Usage(fmt.Errorf("--last must be 1 or more"))
	}
	c, err := b.client()
	if err != nil {
		return err
	}
	header := []string{"BATCH", "SEEN", "SIZE", "PAID", "HELD", "FAILED", "OPEN", "STATE", "SINCE"}
	_, err = tellEach(s, b.office, header, b.latest(ctx, c), func(one api.Batch) []string {
		n := one.States
		return []string{one.BatchID, strconv.Itoa(one.Seen), sizeText(one.Size), strconv.Itoa(n["paid"] + n["partial"]), strconv.Itoa(n["held"]),
			strconv.Itoa(n["failed"] + n["rejected"]), strconv.Itoa(n["received"] + n["sending"] + n["processing"]), stateOf(one), one.FirstAt}
	})
	return err
}

// latest asks for as many batches as are wanted, page by page.
func (b *batches) latest(ctx context.Context, c api.Client) iter.Seq2[api.Batch, error] {
	return func(yield func(api.Batch, error) bool) {
		query := url.Values{}
		for left := b.Last; left > 0; {
			query.Set("limit", strconv.Itoa(min(left, 1000)))
			page, err := api.Get[api.Batches](ctx, c, "/batches", query)
			if err != nil {
				yield(api.Batch{}, err)
				return
			}
			for _, one := range page.Batches {
				if left--; !yield(one, nil) {
					return
				}
			}
			if query.Set("cursor", page.Next); page.Next == "" {
				return
			}
		}
	}
}

func sizeText(size int) string {
	if size == 0 {
		return "?"
	}
	return strconv.Itoa(size)
}

func stateOf(b api.Batch) string {
	switch {
	case b.Closed:
		return "closed"
	case len(b.Pauses) > 0:
		return string(b.Pauses[0].Kind) + "d"
	case b.Size > 0 && b.Seen < b.Size:
		return "incomplete"
	}
	return "open"
}

// batch tells about one batch.
type batch struct {
	office
	Batch string `arg:"" name:"batch" help:"The batchId."`
	File  string `name:"file" placeholder:"FILE" help:"Also names each tradeNo of this file that the books don't have in the batch: exit status 1 if there is one."`
}

// Help says what the amounts are.
func (*batch) Help() string {
	return "What was ordered is always the sum of what is open, paid, partial, failed and rejected. " +
		"The batch is closed when as many payouts as its first stated size have ended. It shows what keeps it open."
}

func (*batch) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl batch 2026-11-payroll", Does: "counts and amounts by state, pauses, dead letters"},
		{Line: "payctl batch 2026-11-payroll --file payroll.csv", Does: "what of the file has not arrived"},
	}
}

// batchWithMissing is the answer of --json.
type batchWithMissing struct {
	api.Batch
	Missing []string `json:"missing,omitempty"` // of --file
	file    string   // "" without --file
}

// Run tells about it.
func (b *batch) Run(ctx context.Context, s cli.Streams) error {
	c, err := b.client()
	if err != nil {
		return err
	}
	one, err := api.Get[api.Batch](ctx, c, "/batches/"+url.PathEscape(b.Batch), nil)
	if err != nil {
		return marked(err)
	}
	answer := batchWithMissing{Batch: one, file: b.File}
	if b.File != "" {
		if answer.Missing, err = b.missing(ctx, c); err != nil {
			return err
		}
	}
	if b.JSON {
		err = printed(s.Out, answer)
	} else {
		err = answer.tell(s)
	}
	if err == nil && len(answer.Missing) > 0 {
		return cli.Told(cli.Failed)
	}
	return err
}

// missing names what of the file the batch doesn't have.
func (b *batch) missing(ctx context.Context, c api.Client) ([]string, error) {
	in, err := os.Open(b.File)
	if err != nil {
		return nil, cli.Setup(err)
	}
	defer in.Close()
	wanted, err := files.TradeNos(in)
	if err != nil {
		return nil, cli.Setup(fmt.Errorf("read %s: %w", b.File, err))
	}
	have := map[string]bool{}
	for p, err := range c.Each(ctx, url.Values{"batch": {b.Batch}}) {
		if err != nil {
			return nil, marked(err)
		}
		have[p.TradeNo] = true
	}
	return slices.DeleteFunc(wanted, func(tradeNo string) bool { return have[tradeNo] }), nil
}

func (b batchWithMissing) tell(s cli.Streams) error {
	t := newTable(s.Out)
	t.say("batch", b.BatchID)
	t.say("state", stateOf(b.Batch))
	t.say("payouts", fmt.Sprintf("%d of %s", b.Seen, sizeText(b.Size)))
	for _, state := range []string{"received", "sending", "processing", "held", "paid", "partial", "failed", "rejected"} {
		if n := b.States[state]; n > 0 {
			t.say("  "+state, strconv.Itoa(n))
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(b.Amounts)) {
		a := b.Amounts[currency]
		t.say("ordered", a.Ordered, currency)
		for _, part := range [][2]string{{"open", a.Open}, {"paid", a.Paid}, {"partial", a.Partial}, {"failed", a.Failed}, {"rejected", a.Rejected}} {
			if part[1] != "0" {
				t.say("  "+part[0], part[1], currency)
			}
		}
		if a.Partial != "0" {
			t.say("  of the partial ones paid", a.PartialPaid, currency)
		}
		if a.Without > 0 {
			t.say("  without an amount", strconv.Itoa(a.Without), "payouts")
		}
	}
	if b.Copies > 0 {
		t.say("came again", strconv.Itoa(b.Copies), "commands with the same content")
	}
	for _, code := range slices.Sorted(maps.Keys(b.DeadLetters)) {
		t.say("dead letters", strconv.Itoa(b.DeadLetters[code]), code)
	}
	for _, p := range b.Pauses {
		t.say("stopped", string(p.Kind), p.Scope, "by", p.By+":", p.Reason)
	}
	t.say("first", b.FirstAt)
	t.say("last", b.LastAt)
	if b.Digest != "" {
		t.say("digest", b.Digest)
	}
	for _, tradeNo := range b.Missing {
		t.say("missing", tradeNo)
	}
	if b.file != "" && len(b.Missing) == 0 {
		t.say("missing", "nothing of "+b.file)
	}
	return t.flush()
}
