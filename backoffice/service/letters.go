package service

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/books/database"
	"disburser/internal/partition"
	"disburser/message"
)

type lettersInput struct {
	PageInput
	Code  string    `query:"code" doc:"only those of this error_code"`
	Batch string    `query:"batch" doc:"only those of this batch, where it could be read"`
	Since TimeParam `query:"since" doc:"written at this time or later: RFC 3339, or a day, which begins at midnight UTC"`
	Until TimeParam `query:"until" doc:"written before this time"`
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// letters answers a page of dead letters.
func (s *Service) letters(ctx context.Context, in *lettersInput) (*answer[api.Letters], error) {
	after, err := cursorOf[database.LetterCursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	q := database.LetterQuery{BatchID: in.Batch, Code: in.Code, Since: millis(in.Since.Time.Time), Until: millis(in.Until.Time.Time), After: after, Limit: in.Limit}
	codes, err := s.books.LetterCodes(ctx, q)
	if err != nil {
		return nil, s.failed("the dead letters can't be counted", err)
	}
	list, next, err := s.lettersOf(ctx, q)
	if err != nil {
		return nil, err
	}
	replays, err := s.books.Replays(ctx, list)
	if err != nil {
		return nil, s.failed("the replays of dead letters can't be read", err)
	}
	page := api.Letters{Codes: codes, Letters: []api.Letter{}, Next: next}
	for _, l := range list {
		page.Letters = append(page.Letters, api.LetterOf(l, replays[l.Place], s.names))
	}
	return &answer[api.Letters]{page}, nil
}

// lettersOf answers a page of the books, and the cursor of the next one.
func (s *Service) lettersOf(ctx context.Context, q database.LetterQuery) (list []books.Letter, next string, err error) {
	if list, err = s.books.Letters(ctx, q); err != nil {
		return nil, "", s.failed("the dead letters can't be read", err)
	}
	if len(list) == q.Limit {
		last := list[len(list)-1]
		next = cursorText(database.LetterCursor{At: last.Time, Partition: last.Partition, Offset: last.Offset})
	}
	return list, next, nil
}

// letterNamed finds a dead letter by its id.
func (s *Service) letterNamed(ctx context.Context, id string) (l books.Letter, err error) {
	at, is := api.ParseLetterID(id)
	if !is {
		return l, huma.Error422UnprocessableEntity("the id of a dead letter is its partition and its offset, such as 0-17")
	}
	l, known, err := s.books.Letter(ctx, at)
	if err != nil {
		return l, s.failed("the dead letter can't be read", err)
	}
	if !known {
		return l, huma.Error404NotFound("the books know no dead letter " + id + ": of one that came twice they know the first")
	}
	return l, nil
}

// letter answers all that is known of a dead letter.
func (s *Service) letter(ctx context.Context, in *struct {
	ID string `path:"id" doc:"PARTITION-OFFSET, its place in the topic of dead letters"`
}) (*answer[api.LetterDetail], error) {
	l, err := s.letterNamed(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	j := s.newJudge(api.ReplayWord{})
	j.looks = true
	decided, err := j.decide(ctx, l)
	if err != nil {
		return nil, err
	}
	d := api.LetterDetail{Letter: api.LetterOf(l, decided.replays, s.names), Bytes: len(decided.found.Letter.Value), Verdict: decided.verdict, Why: decided.why}
	for i, r := range decided.replays {
		again, became, err := s.books.LetterOf(ctx, s.names[books.Commands], r.Place)
		if err != nil {
			return nil, s.failed("the dead letter of a replay can't be read", err)
		}
		if became {
			d.Replays[i].DeadLetter = api.LetterID(again.Place)
		}
	}
	if l.TradeNo != "" {
		p, err := s.books.Payout(ctx, l.TradeNo)
		if err != nil {
			return nil, s.failed("the payout of a dead letter can't be read", err)
		}
		if p != nil {
			d.State = api.StateName(p.View().State)
		}
	}
	return &answer[api.LetterDetail]{d}, nil
}

// source is the partition of a place in the topic of dead letters.
func (s *Service) source(at books.Place) partition.Source {
	return partition.Source{Client: s.client, Topic: s.names[books.DeadLetters], Partition: at.Partition}
}

// messageOf is a record without Kafka's library.
func messageOf(r partition.Record) message.Message { return message.New(r.Key, r.Value, r.Headers) }
