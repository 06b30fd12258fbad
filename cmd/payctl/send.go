package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// contentType says nothing about a file: the back office finds out what it is.
const contentType = "application/octet-stream"

// send sends a file of payouts.
type send struct {
	office
	File  string `arg:"" name:"file" help:"A table (CSV), or JSON lines."`
	Batch string `name:"batch" placeholder:"ID" help:"The batchId of payouts that name none. Without it the file's name and the beginning of its digest."`
	Yes   bool   `name:"yes" help:"Sends without asking."`
}

// Help says what protects from sending twice.
func (*send) Help() string {
	return "The whole file is checked first, as payctl check does it; with one problem nothing is sent. Then count and sum are shown, and you are asked. " +
		"If it is killed halfway, send the same file again: what was sent is known by its tradeNo, and paid once. " +
		"A file of which everything was ordered before isn't sent again, whatever its name or order."
}

func (*send) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl send payroll.csv --batch 2026-11-payroll", Does: "shows count and sum, asks, and sends"},
		{Line: "payctl send payroll.csv --batch 2026-11-payroll --yes --json", Does: "for programs: sends without asking"},
	}
}

// Run sends it.
func (k *send) Run(ctx context.Context, s cli.Streams) error {
	c, err := k.client()
	if err != nil {
		return err
	}
	in, err := os.Open(k.File)
	if err != nil {
		return cli.Setup(err)
	}
	defer in.Close()
	before, err := regular(in)
	if err != nil {
		return err
	}
	query := url.Values{"dry_run": {"true"}}
	if k.Batch != "" {
		query.Set("batch", k.Batch)
	}
	file, err := api.Send[api.File](ctx, c, "/batches", query, contentType, in)
	var bad *api.BadFile
	if errors.As(err, &bad) {
		if bad.Report.Table, err = isTable(in); err != nil {
			return err
		}
		return (&check{File: k.File, office: k.office}).write(s, in, before, bad.Report, nil)
	}
	if err != nil {
		return marked(err)
	}
	if file.Batches[""] > 0 {
		name := filepath.Base(k.File)
		k.Batch = strings.TrimSuffix(name, filepath.Ext(name)) + "-" + file.Digest[:min(8, len(file.Digest))]
		file.Batches[k.Batch] += file.Batches[""]
		delete(file.Batches, "")
	}
	if send, err := k.consent(ctx, s, file); err != nil || !send {
		return err
	}
	return k.send(ctx, s, c, in, file)
}

// consent shows what would be sent, and asks. It answers false where there is nothing to send.
func (k *send) consent(ctx context.Context, s cli.Streams, file api.File) (bool, error) {
	out := s.Out
	if k.JSON {
		out = s.Err
	}
	for _, t := range file.Totals {
		sayLine(out, "%s, %s: %s, %s in sum", t.Merchant, t.Currency, count(t.Count, "payout"), t.Sum)
	}
	for _, batch := range slices.Sorted(maps.Keys(file.Batches)) {
		fmt.Fprintf(out, "batch %s: %s\n", cli.OneLine(batch), count(file.Batches[batch], "payout"))
	}
	sayLine(out, "digest %s", file.Digest)
	known := file.Known
	for _, batch := range slices.Sorted(maps.Keys(known.Batches)) {
		fmt.Fprintf(out, "%s ordered before, with the same content, in the batch %s\n", wereOf(known.Batches[batch]), cli.OneLine(batch))
	}
	if known.SameAs != "" {
		fmt.Fprintln(out, sameAs(known))
	}
	switch {
	case known.Other > 0:
		return false, fmt.Errorf("%s ordered before with another content, such as %s: give them new tradeNos; nothing was sent", wereOf(known.Other), cli.OneLine(strings.Join(known.Others, ", ")))
	case file.Count == 0:
		return false, cli.Setup(errors.New("the file has no payouts"))
	case known.Same == file.Count, known.SameAs != "":
		fmt.Fprintln(out, "everything of it was ordered before: nothing was sent")
		if k.JSON {
			return false, printed(s.Out, file)
		}
		return false, nil
	case k.Yes:
		return true, nil
	}
	return confirmed(ctx, s, fmt.Sprintf("Send %s?", count(file.Count, "payout")))
}

// sameAs says which batch the file is.
func sameAs(known api.Known) string {
	return fmt.Sprintf("this is the batch %s under another name or in another order", cli.OneLine(known.SameAs))
}

func wereOf(n int) string {
	if n == 1 {
		return "1 payout was"
	}
	return fmt.Sprintf("%d payouts were", n)
}

// send sends the file that was looked at.
func (k *send) send(ctx context.Context, s cli.Streams, c api.Client, in *os.File, file api.File) error {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	query := url.Values{"digest": {file.Digest}}
	if k.Batch != "" {
		query.Set("batch", k.Batch)
	}
	progress, stop := context.WithCancel(ctx)
	defer stop()
	if cli.Terminal(s.Err) && len(file.Batches) == 1 {
		go watchBooks(progress, s, c, file)
	}
	sent, err := api.Send[api.File](ctx, c, "/batches", query, contentType, in)
	stop()
	if errors.Is(err, api.ErrNoAnswer) {
		return fmt.Errorf("%w; some of it may be sent: send the same file again, what is sent twice is paid once", err)
	}
	if err != nil {
		return marked(err)
	}
	if k.JSON {
		return printed(s.Out, sent)
	}
	fmt.Fprintf(s.Out, "%s sent\n", count(sent.Published, "payout"))
	return nil
}

// watchBooks shows how much of a batch the books have seen, while it is sent.
func watchBooks(ctx context.Context, s cli.Streams, c api.Client, file api.File) {
	for batch := range file.Batches {
		for ctx.Err() == nil {
			if b, err := api.Get[api.Batch](ctx, c, "/batches/"+url.PathEscape(batch), nil); err == nil {
				fmt.Fprintf(s.Err, "\r%d of %d are in the books ", b.Seen, file.Count)
			}
			pause(ctx, time.Second)
		}
	}
	fmt.Fprintln(s.Err)
}
