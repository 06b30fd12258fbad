package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/books/database"
	"disburser/backoffice/replay"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
)

const (
	// replayFor is how long a replay may take, and waitForReplay how long it waits for another one.
	replayFor     = 2 * time.Minute
	waitForReplay = 20 * time.Second

	// replayAtOnce and replayBytes bound what is in memory at once. The messages hold payees: they are published and dropped.
	replayAtOnce = 100
	replayBytes  = 2 << 20
)

type replayInput struct {
	DryRun bool `query:"dry_run" doc:"as dry_run of the body"`
	Body   api.ReplayWord
	limits *http.ResponseController
}

// Resolve notes how the deadlines of the answer are moved.
func (in *replayInput) Resolve(c huma.Context) []error {
	in.limits = limitsOf(c)
	return nil
}

func replayOperation(roles ...string) huma.Operation {
	o := operation(http.MethodPost, "/dead-letters/replay", "replay", "Publishes dead letters again as commands, or says what that would do", roles...)
	o.DefaultStatus = http.StatusOK
	o.Errors = append(o.Errors, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity)
	return o
}

// replay plans, or publishes dead letters again. Of all instances one replays at a time, once the books know what was published
// before. So whoever asks for the same finds it replayed.
func (s *Service) replay(ctx context.Context, in *replayInput) (*answer[api.Replay], error) {
	until := time.Now().Add(replayFor + waitForReplay)
	_ = in.limits.SetReadDeadline(until)  // every server of net/http can, and a request ends when its reading does
	_ = in.limits.SetWriteDeadline(until) // and this one is
	word := in.Body
	word.DryRun = word.DryRun || in.DryRun
	if faults := faultsOf(word); len(faults) > 0 {
		return nil, unprocessable("the replay can't be made", faults)
	}
	ctx, cancel := context.WithTimeout(ctx, replayFor)
	defer cancel()
	if word.DryRun {
		return s.replayNow(ctx, word)
	}
	var done *answer[api.Replay]
	var failed error
	wait, stop := context.WithTimeout(ctx, waitForReplay)
	defer stop()
	err := s.books.Alone(wait, func() error {
		if failed = s.readCommands(ctx); failed == nil {
			done, failed = s.replayNow(ctx, word)
		}
		return nil
	})
	switch {
	case errors.Is(err, database.ErrBusy):
		return nil, huma.Error409Conflict(err.Error() + ": ask again in a moment; what it has replayed is left alone then")
	case err != nil:
		return nil, s.failed("the replay can't begin", err)
	}
	return done, failed
}

// faultsOf is everything that is wrong with a request.
func faultsOf(w api.ReplayWord) (faults []api.Fault) {
	if len(w.IDs) > 0 && (w.Code != "" || w.Batch != "" || w.Since != nil || w.Until != nil || w.Cursor != "") {
		faults = append(faults, api.Fault{Location: "ids", Message: "name some by their ids, or a condition: not both"})
	}
	if w.AsItIs && len(w.IDs) == 0 {
		faults = append(faults, api.Fault{Location: "as_it_is", Message: "is for dead letters that are named by their ids"})
	}
	return faults
}

// readCommands waits until the books know all that was ordered, decided and announced by now.
func (s *Service) readCommands(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	for _, topic := range []books.Topic{books.Commands, books.Decisions, books.Results} {
		if err := s.readTo(ctx, topic); err != nil {
			s.logger.Error().Err(err).Str("topic", s.names[topic]).Msg("the books don't know what was published last, so nothing is replayed")
			return huma.Error503ServiceUnavailable("the books don't know yet what was published last, so nothing was replayed: try again; /overview says how far they are")
		}
	}
	return nil
}

// readTo waits until the books have read a topic as far as it goes now.
func (s *Service) readTo(ctx context.Context, topic books.Topic) error {
	count, err := partition.Count(ctx, s.client, s.names[topic])
	if err != nil {
		return err
	}
	for number := range count {
		source := partition.Source{Client: s.client, Topic: s.names[topic], Partition: number}
		_, end, err := source.Bounds(ctx)
		if err != nil {
			return err
		}
		for {
			p, err := s.books.Progress(ctx, topic, number)
			if err != nil {
				return err
			}
			if p.Next >= end {
				break
			}
			if pause(ctx, lookEvery); ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// replayNow decides about each dead letter that is meant, and publishes what may be unless it is a dry run.
func (s *Service) replayNow(ctx context.Context, word api.ReplayWord) (*answer[api.Replay], error) {
	letters, next, err := s.meant(ctx, word)
	if err != nil {
		return nil, err
	}
	done := api.Replay{DryRun: word.DryRun, Codes: map[string]api.ReplayCounts{}, Letters: []api.ReplayedLetter{}, Next: next}
	j := s.newJudge(word)
	p := s.newPublisher(userIn(ctx).Name)
	defer p.close()
	for _, l := range letters {
		one, err := j.decide(ctx, l)
		if err != nil {
			return nil, p.left(err)
		}
		done.Add(api.ReplayedLetter{ID: api.LetterID(l.Place), Code: string(l.Code), TradeNo: l.TradeNo, BatchID: l.BatchID, Verdict: one.verdict, Why: one.why})
		if word.DryRun || one.verdict != replay.Replay {
			continue
		}
		if err := p.add(ctx, l, one.found); err != nil {
			return nil, p.left(err)
		}
	}
	if err := p.flush(ctx); err != nil {
		return nil, p.left(err)
	}
	if done.Replayed = p.published; done.Replayed > 0 {
		s.logger.Info().Int("replayed", done.Replayed).Str("by", p.by).Msg("dead letters are replayed")
	}
	return &answer[api.Replay]{done}, nil
}

// meant are the dead letters of a request, the oldest first.
func (s *Service) meant(ctx context.Context, word api.ReplayWord) (letters []books.Letter, next string, err error) {
	if len(word.IDs) == 0 {
		after, err := cursorOf[database.LetterCursor](word.Cursor)
		if err != nil {
			return nil, "", err
		}
		q := database.LetterQuery{BatchID: word.Batch, Code: word.Code, Oldest: true, After: after, Limit: api.MostReplayed}
		if word.Since != nil {
			q.Since = millis(*word.Since)
		}
		if word.Until != nil {
			q.Until = millis(*word.Until)
		}
		return s.lettersOf(ctx, q)
	}
	seen := map[books.Place]bool{}
	for _, id := range word.IDs {
		l, err := s.letterNamed(ctx, id)
		if err != nil {
			return nil, "", err
		}
		if !seen[l.Place] {
			letters = append(letters, l)
		}
		seen[l.Place] = true
	}
	slices.SortStableFunc(letters, func(a, b books.Letter) int { return cmp.Compare(a.Time, b.Time) })
	return letters, "", nil
}

// judge looks at dead letters, one after the other. One goroutine uses it.
type judge struct {
	service *Service
	word    api.ReplayWord
	now     time.Time
	taken   map[string]string // the dead letter that has a tradeNo, of those that are replayed
	looks   bool              // also at what isn't replayed whatever stands there
}

func (s *Service) newJudge(word api.ReplayWord) *judge {
	return &judge{service: s, word: word, now: time.Now(), taken: map[string]string{}}
}

// decided is what was found of a dead letter, and decided.
type decided struct {
	replays []books.Replay
	found   replay.Found
	verdict replay.Verdict
	why     string
}

// decide looks at a dead letter in Kafka and in the books.
func (j *judge) decide(ctx context.Context, l books.Letter) (one decided, err error) {
	s := j.service
	replays, err := s.books.Replays(ctx, []books.Letter{l})
	if err != nil {
		return one, s.failed("the replays of a dead letter can't be read", err)
	}
	one.replays = replays[l.Place]
	if j.looks || l.Code == message.Malformed && (len(one.replays) == 0 || j.word.Again) {
		if one.found, err = s.find(ctx, l); err != nil {
			return one, err
		}
	}
	c := replay.Case{
		Letter: l, Replays: one.replays, Topic: s.names[books.Commands], Found: one.found, Ordered: map[string]string{}, Now: j.now,
		Window: s.config.Redis.DedupWindow, Again: j.word.Again, AsItIs: j.word.AsItIs,
	}
	if one.found.None == "" {
		c.Content = replay.Read(one.found.Letter.Value, s.problems, j.now)
		if c.Ordered, err = j.ordered(ctx, l, one.replays, c.Content.TradeNos); err != nil {
			return one, err
		}
	}
	for _, tradeNo := range c.Content.TradeNos {
		if id, taken := j.taken[tradeNo]; taken {
			c.Taken = id
		}
	}
	if one.verdict, one.why = replay.Judge(c); one.verdict == replay.Replay {
		for _, tradeNo := range c.Content.TradeNos {
			j.taken[tradeNo] = api.LetterID(l.Place)
		}
	}
	return one, nil
}

// problems are why the intake would reject a command.
func (s *Service) problems(c payout.Command) []message.Problem {
	_, _, problems := s.merchants.Resolve(c)
	return problems
}

// find reads a dead letter at its place in Kafka. Nothing keeps what it holds.
func (s *Service) find(ctx context.Context, l books.Letter) (replay.Found, error) {
	r, found, err := s.source(l.Place).At(ctx, l.Offset)
	if err != nil {
		s.logger.Error().Err(err).Msg("a dead letter can't be read in Kafka")
		return replay.Found{}, huma.Error503ServiceUnavailable("the dead letter " + api.LetterID(l.Place) + " can't be read in Kafka now: try again")
	}
	if !found {
		return replay.Found{None: "Kafka no longer holds it"}, nil
	}
	letter, err := message.DecodeDeadLetter(messageOf(r))
	if err != nil {
		return replay.Found{None: "what stands at its place is no dead letter: the topic was made anew"}, nil
	}
	letter.Key = r.Key
	return replay.Found{Letter: letter, Time: r.Time}, nil
}

// ordered is what the books know of tradeNos.
func (j *judge) ordered(ctx context.Context, l books.Letter, replays []books.Replay, tradeNos []string) (map[string]string, error) {
	states := map[string]string{}
	for some := range slices.Chunk(tradeNos, knownAtOnce) {
		known, err := j.service.books.Known(ctx, some)
		if err != nil {
			return nil, j.service.failed("the payouts of a dead letter can't be read", err)
		}
		for tradeNo, p := range known {
			states[tradeNo] = replay.Ordered(p, l, replays)
		}
	}
	return states, nil
}

// publisher publishes dead letters as commands. One goroutine uses it.
type publisher struct {
	service   *Service
	writer    *kafka.Writer
	by        string
	page      []kafka.Message
	ids       []string
	size      int
	published int
}

func (s *Service) newPublisher(by string) *publisher {
	return &publisher{service: s, by: by, writer: s.commandWriter(1)}
}

func (p *publisher) close() {
	_ = p.writer.Close() // what isn't acknowledged is told
}

// add takes a dead letter: its original key and value, with the original headers and those that say what it is.
func (p *publisher) add(ctx context.Context, l books.Letter, found replay.Found) error {
	first := found.Letter.Time
	if before, is := message.DecodeReplay(found.Letter.Headers); is && before.First.Before(first) {
		first = before.First
	}
	again := message.Replay{
		Topic: l.Topic, Source: payout.Source{Partition: l.Source.Partition, Offset: l.Source.Offset}, Index: l.Source.Element - 1, By: p.by, First: first,
	}
	p.ids = append(p.ids, api.LetterID(l.Place))
	p.page = append(p.page, kafka.Message{
		Key: found.Letter.Key, Value: found.Letter.Value, Headers: message.HeadersAs[kafka.Header](again.Replayed(found.Letter.Headers)),
	})
	if p.size += len(found.Letter.Key) + len(found.Letter.Value); p.size < replayBytes && len(p.page) < replayAtOnce {
		return nil
	}
	return p.flush(ctx)
}

// flush publishes what was taken.
func (p *publisher) flush(ctx context.Context) error {
	if len(p.page) == 0 {
		return nil
	}
	err := p.writer.WriteMessages(ctx, p.page...)
	var each kafka.WriteErrors
	if errors.As(err, &each) {
		for i, failed := range each {
			if failed == nil {
				p.published++
			} else {
				err = fmt.Errorf("%s: %w", p.ids[i], failed)
			}
		}
	} else if err == nil {
		p.published += len(p.page)
	}
	p.page, p.ids, p.size = nil, nil, 0
	return err
}

// left is the answer of a replay that ends before its end.
func (p *publisher) left(err error) error {
	var told huma.StatusError
	if errors.As(err, &told) && p.published == 0 {
		return err
	}
	p.service.logger.Error().Int("replayed", p.published).Str("by", p.by).Msg("dead letters are replayed in part: " + withoutPayees(err))
	text := fmt.Sprintf("%d commands are acknowledged, and then it failed: ask for the same again; what is replayed is known and left alone", p.published)
	if id, _, found := strings.Cut(err.Error(), ": "); found && errors.Is(err, kafka.MessageSizeTooLarge) {
		text += "; the topic of the commands doesn't take a message as large as the dead letter " + id
	}
	return huma.Error503ServiceUnavailable(text)
}
