package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/files"
	"disburser/config"
	"disburser/message"
	"disburser/payout"
)

const (
	// fileFor is how long a file may take to come, and to be published.
	fileFor = 10 * time.Minute

	// filesAtOnce bounds the memory: about 200 bytes of each line are remembered while a file is looked at.
	filesAtOnce = 2

	// looksAtOnce is how many files of people who may only look come at a time. One of them is looked at. So there is always room for
	// those who send.
	looksAtOnce = 2

	// knownAtOnce is how many payouts the books are asked about together, publishAtOnce how many are published together.
	knownAtOnce   = 500
	publishAtOnce = 1000

	// othersTold is how many tradeNos with another content are named.
	othersTold = 20
)

// SendInput is a file of payouts. Its body is read as it comes.
type SendInput struct {
	Batch  string `query:"batch" maxLength:"200" doc:"the batchId of payouts that name none"`
	DryRun bool   `query:"dry_run" doc:"only looks at the file"`
	Digest string `query:"digest" doc:"of the file that was looked at: another one is refused"`
	body   io.Reader
	limits *http.ResponseController
}

// Resolve notes the body.
func (in *SendInput) Resolve(c huma.Context) []error {
	in.body, in.limits = c.BodyReader(), limitsOf(c)
	return nil
}

// limitsOf moves the deadlines of a request and its answer.
func limitsOf(c huma.Context) *http.ResponseController {
	_, w := humago.Unwrap(c)
	return http.NewResponseController(w)
}

func sendOperation(roles ...string) huma.Operation {
	o := operation(http.MethodPost, "/batches", "send", "Looks at a file of payouts, and sends it", roles...)
	text := &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	o.RequestBody = &huma.RequestBody{Required: true, Description: "a table (CSV), or JSON lines", Content: map[string]*huma.MediaType{"text/csv": text, "application/jsonl": text}}
	o.Description += " The role viewer may only look: with dry_run."
	o.DefaultStatus = http.StatusOK
	o.Errors = append(o.Errors, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	return o
}

// send checks a whole file, and publishes it if nothing is wrong with it. To look at a file is to read: nothing of it is kept or
// published, so a viewer may.
func (s *Service) send(ctx context.Context, in *SendInput) (*answer[api.File], error) {
	room, most, turns := s.uploads, uploadsAtOnce, []chan struct{}{s.files}
	if !slices.Contains(userIn(ctx).Roles, config.Operator) {
		turns = []chan struct{}{s.looking, s.files}
		if room, most = s.looks, looksAtOnce; !in.DryRun {
			_ = in.limits.SetReadDeadline(time.Now().Add(restFor)) // every server of net/http can
			return nil, lacks(config.Operator)
		}
	}
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		_ = in.limits.SetReadDeadline(time.Now().Add(restFor)) // every server of net/http can
		return nil, huma.Error503ServiceUnavailable(fmt.Sprintf("%d files are being looked at or sent already: send it again in a minute", most))
	}
	until := time.Now().Add(fileFor)
	_ = in.limits.SetWriteDeadline(until) // every server of net/http can
	file, err := spool(steadyReader{in.body, in.limits, until})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for _, turn := range turns {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	looked, err := s.look(ctx, file, in.Batch)
	if err != nil {
		return nil, err
	}
	if in.Digest != "" && in.Digest != looked.answer.Digest {
		return nil, huma.Error409Conflict("the file isn't the one that was looked at before: look at it again")
	}
	if in.DryRun {
		return &answer[api.File]{looked.answer}, nil
	}
	if k := looked.answer.Known; k.Other > 0 {
		return nil, huma.Error409Conflict(fmt.Sprintf("%d payouts were ordered before with another content, such as %s: give them new tradeNos; nothing was sent", k.Other, strings.Join(k.Others, ", ")))
	}
	if k := looked.answer.Known; k.SameAs != "" && k.Same < looked.answer.Count {
		return nil, huma.Error409Conflict(fmt.Sprintf("the file is the batch %s by its digest, which was paid so long ago that the books no longer keep its payouts; nothing was sent", k.SameAs))
	}
	if err := s.publish(ctx, file, in.Batch, looked); err != nil {
		return nil, err
	}
	return &answer[api.File]{looked.answer}, nil
}

// looked is what is known of a file before it is sent.
type looked struct {
	answer api.File
	now    time.Time
}

// one is a payout of a file, as the books are asked about it.
type one struct {
	tradeNo string
	content books.Seal
}

// look checks the file, and asks the books about its payouts.
func (s *Service) look(ctx context.Context, file *os.File, batch string) (*looked, error) {
	l := &looked{now: time.Now(), answer: api.File{Batches: map[string]int{}, Known: api.Known{Batches: map[string]int{}}}}
	var page []one
	var failed error
	flush := func() {
		if failed == nil {
			failed = s.known(ctx, page, &l.answer.Known)
		}
		page = page[:0]
	}
	var other []files.Problem
	report, err := s.readFile(file, l.now, func(c payout.Command) {
		l.answer.Count++
		if batch != "" && c.BatchID != "" && c.BatchID != batch && len(other) < othersTold {
			other = append(other, files.Problem{Line: 1, Column: "batchId", Problem: "of " + c.TradeNo + " names another batch", Proposal: "send the file without a batch of its own name, or correct it"})
		}
		l.answer.Batches[inBatch(c, batch)]++
		resolved := s.resolve(c)
		if page = append(page, one{c.TradeNo, s.seals.Of(resolved.Fingerprint())}); len(page) == knownAtOnce {
			flush()
		}
	})
	if errors.Is(err, errTooManyLines) {
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, err.Error())
	}
	if err != nil {
		return nil, huma.Error422UnprocessableEntity("the file can't be read", &huma.ErrorDetail{Message: err.Error()})
	}
	report.Problems = append(report.Problems, other...)
	if len(report.Problems) > 0 {
		return nil, badFile(report)
	}
	if flush(); failed != nil {
		return nil, s.failed("the books can't be asked about the file", failed)
	}
	l.answer.Report = report
	return l, s.recognise(ctx, &l.answer)
}

func inBatch(c payout.Command, batch string) string {
	if c.BatchID != "" {
		return c.BatchID
	}
	return batch
}

// readFile gives each payout of a file without problems.
func (s *Service) readFile(file *os.File, now time.Time, each func(payout.Command)) (files.Report, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return files.Report{}, err
	}
	return files.Read(&lineLimit{file, mostLines}, s.merchants, now, func(command []byte) {
		orders, err := message.Decode(command)
		if err != nil { // it was read this moment
			return
		}
		for _, o := range orders {
			each(o.Command)
		}
	})
}

func badFile(report files.Report) error {
	lines := map[int]bool{}
	for _, p := range report.Problems {
		lines[p.Line] = true
	}
	bad := &api.BadFile{Report: report, Problem: api.Problem{
		Title: http.StatusText(http.StatusUnprocessableEntity), Status: http.StatusUnprocessableEntity,
		Detail: fmt.Sprintf("the file has %d problems on %d lines%s; nothing was sent", len(report.Problems), len(lines), more(report.More)),
	}}
	return bad
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more that aren't listed", n)
}

// known asks the books which payouts were ordered before.
func (s *Service) known(ctx context.Context, page []one, k *api.Known) error {
	tradeNos := make([]string, len(page))
	for i, p := range page {
		tradeNos[i] = p.tradeNo
	}
	found, err := s.books.Known(ctx, tradeNos)
	if err != nil {
		return err
	}
	for _, p := range page {
		of := found[p.tradeNo]
		if of == nil {
			continue
		}
		switch same, other := ordered(of, p.content); {
		case same:
			k.Same++
			k.Batches[of.View().BatchID]++
		case other:
			if k.Other++; len(k.Others) < othersTold {
				k.Others = append(k.Others, p.tradeNo)
			}
		}
	}
	return nil
}

// ordered tells whether a payout was ordered before, with the same content or with another one. The books may know of it and
// not know its content. A decision to send may be read before the command, or a dead letter may be all there is.
func ordered(p *books.Payout, f books.Seal) (same, other bool) {
	v := p.View()
	switch {
	case v.Order != nil:
		same = v.Order.Fingerprint == f || v.Order.Other == f
		return same, !same && !v.Undetermined
	case v.Event != nil && v.Event.Fingerprint != "":
		return v.Event.Fingerprint == f, v.Event.Fingerprint != f
	}
	return false, false
}

// recognise looks for a batch with exactly this content. A closed one has a digest, also when its payouts are too old to be
// kept. One that is open, and has the file's tradeNos with their contents and no others, would have the file's digest.
func (s *Service) recognise(ctx context.Context, f *api.File) error {
	if f.Count == 0 {
		return nil
	}
	id, err := s.books.WithDigest(ctx, f.Digest)
	if err != nil {
		return s.failed("the books can't be asked for a digest", err)
	}
	if id != "" && (f.Batches[id] == 0 || f.Known.Same < f.Count) {
		f.Known.SameAs = id
		return nil
	}
	for batch, n := range f.Known.Batches {
		if n != f.Count || f.Batches[batch] > 0 || batch == "" {
			continue
		}
		b, known, err := s.books.Batch(ctx, batch)
		if err != nil || !known {
			return err
		}
		totals, err := s.books.Totals(ctx, &batch)
		if err != nil {
			return s.failed("the totals of a batch can't be read", err)
		}
		if b.Value(totals).Seen == f.Count {
			f.Known.SameAs = batch
		}
	}
	return nil
}

// publish sends the commands of a file that has no problem. Each has its tradeNo as key: what is sent again comes behind the
// first in the same partition, and is a duplicate there.
func (s *Service) publish(ctx context.Context, file *os.File, batch string, l *looked) error {
	w := s.commandWriter(publishAtOnce)
	defer w.Close() //nolint:errcheck // what isn't acknowledged is told
	user := userIn(ctx).Name
	var page []kafka.Message
	var failed error
	flush := func() {
		if failed == nil && len(page) > 0 {
			if failed = w.WriteMessages(ctx, page...); failed == nil {
				l.answer.Published += len(page)
			}
		}
		page = page[:0]
	}
	report, err := s.readFile(file, l.now, func(c payout.Command) {
		if failed != nil {
			return
		}
		c.BatchID = inBatch(c, batch)
		if c.BatchSize == 0 && c.BatchID != "" {
			c.BatchSize = l.answer.Batches[c.BatchID]
		}
		value, err := message.Encode(c)
		if err != nil {
			failed = err
			return
		}
		if page = append(page, kafka.Message{Key: []byte(c.TradeNo), Value: value, Headers: []kafka.Header{{Key: message.SentByHeader, Value: []byte(user)}}}); len(page) == publishAtOnce {
			flush()
		}
	})
	flush()
	if err == nil && failed == nil && report.Digest != l.answer.Digest {
		err = errors.New("the file was read as another one the second time")
	}
	if err = errors.Join(err, failed); err != nil {
		s.logger.Error().Int("published", l.answer.Published).Str("by", user).Msg("a file is published in part: " + withoutPayees(err))
		return huma.Error503ServiceUnavailable(fmt.Sprintf("%d of %d commands are acknowledged: send the same file again, what is sent twice is paid once", l.answer.Published, l.answer.Count))
	}
	s.logger.Info().Int("published", l.answer.Published).Str("by", user).Str("digest", report.Digest).Msg("a file is published")
	return nil
}

// commandWriter writes commands, so many together. Those of one key go into one partition, as everybody's who keys by tradeNo.
func (s *Service) commandWriter(together int) *kafka.Writer {
	return &kafka.Writer{
		Addr: s.client.Addr, Topic: s.config.Kafka.Topics.Commands, Transport: s.transport, Balancer: kafka.Murmur2Balancer{Consistent: true},
		RequiredAcks: kafka.RequireAll, BatchSize: together, BatchTimeout: 5 * time.Millisecond, MaxAttempts: 5,
	}
}

// withoutPayees is an error in one line. None of Kafka's has a message's content.
func withoutPayees(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
