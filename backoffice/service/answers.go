package service

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/backoffice/books/database"
	"disburser/message"
	"disburser/payout"
)

// answer is what a handler gives back.
type answer[T any] struct{ Body T }

// failed hides what went wrong inside, and logs it.
func (s *Service) failed(what string, err error) error {
	s.logger.Error().Err(err).Msg(what)
	return huma.Error500InternalServerError(what + ": try again; the log of the back office says more")
}

func (s *Service) overview(ctx context.Context, _ *struct{}) (*answer[api.Overview], error) {
	o, err := s.overviewNow(ctx)
	if err != nil {
		return nil, s.failed("the overview can't be made", err)
	}
	return &answer[api.Overview]{o}, nil
}

// overviewNow asks the books for the whole at a glance.
func (s *Service) overviewNow(ctx context.Context) (o api.Overview, err error) {
	totals, err := s.books.Totals(ctx, nil)
	if err != nil {
		return o, err
	}
	now := time.Now()
	came, ended, err := s.books.Since(ctx, now.Add(-time.Minute).UnixMilli())
	if err != nil {
		return o, err
	}
	tradeNo, oldest, err := s.books.Oldest(ctx)
	if err != nil {
		return o, err
	}
	view, err := s.said.view(ctx)
	if err != nil {
		return o, err
	}
	all := books.ValueOf(totals)
	o = api.Overview{
		Time: stamp(now), States: all.States, Amounts: all.Amounts, Merchants: map[string]api.Merchant{}, LastMinute: api.Rates{Received: came, Settled: ended},
		Pauses: standing(view.All()), Held: all.States[payout.StateHeld.String()], Books: s.readers.lags(),
	}
	by := map[string]books.Totals{}
	for k, t := range totals {
		if by[k.Merchant] == nil {
			by[k.Merchant] = books.Totals{}
		}
		by[k.Merchant][k] = t
	}
	for name, of := range by {
		v := books.ValueOf(of)
		o.Merchants[name] = api.Merchant{States: v.States, Amounts: v.Amounts}
	}
	if oldest > 0 {
		o.Oldest = &api.Oldest{TradeNo: tradeNo, ReceivedAt: books.Stamp(oldest)}
	}
	return o, nil
}

// PageInput is what every list takes.
type PageInput struct {
	Cursor string `query:"cursor" doc:"next of the page before"`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

func (s *Service) batches(ctx context.Context, in *PageInput) (*answer[api.Batches], error) {
	before, err := cursorOf[database.Cursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.books.Batches(ctx, before, in.Limit)
	if err != nil {
		return nil, s.failed("the batches can't be read", err)
	}
	page := api.Batches{Batches: []api.Batch{}}
	for _, b := range list {
		one, err := s.batchOf(ctx, b)
		if err != nil {
			return nil, err
		}
		page.Batches = append(page.Batches, one)
	}
	if len(list) == in.Limit {
		last := list[len(list)-1]
		page.Next = cursorText(database.Cursor{At: last.LastAt, TradeNo: last.ID})
	}
	return &answer[api.Batches]{page}, nil
}

func (s *Service) batch(ctx context.Context, in *struct {
	ID string `path:"id" doc:"the batchId, percent-encoded"`
}) (*answer[api.Batch], error) {
	b, known, err := s.books.Batch(ctx, in.ID)
	if err != nil {
		return nil, s.failed("the batch can't be read", err)
	}
	if !known {
		return nil, huma.Error404NotFound("the books know no batch of this name: was it sent, and did you spell it as its commands do?")
	}
	one, err := s.batchOf(ctx, b)
	if err != nil {
		return nil, err
	}
	return &answer[api.Batch]{one}, nil
}

func (s *Service) batchOf(ctx context.Context, b books.Batch) (api.Batch, error) {
	totals, err := s.books.Totals(ctx, &b.ID)
	if err != nil {
		return api.Batch{}, s.failed("the totals of a batch can't be read", err)
	}
	codes, err := s.books.LetterCodes(ctx, database.LetterQuery{BatchID: b.ID})
	if err != nil {
		return api.Batch{}, s.failed("the dead letters of a batch can't be read", err)
	}
	view, err := s.said.view(ctx)
	if err != nil {
		return api.Batch{}, s.failed("the actions can't be read", err)
	}
	merchant := ""
	for k := range totals {
		if merchant = k.Merchant; merchant != "" {
			break
		}
	}
	return api.Batch{
		BatchValue: b.Value(totals), Closed: b.Told&books.ToldClosed != 0, Digest: b.Digest, DeadLetters: codes,
		Pauses: standing(view.Stops(true, merchant, b.ID, "").By),
	}, nil
}

type payoutsInput struct {
	PageInput
	Batch    string    `query:"batch"`
	Merchant string    `query:"merchant"`
	State    string    `query:"state" enum:"received,sending,processing,held,paid,partial,failed,rejected"`
	Payee    string    `query:"payee" doc:"a whole value of a payee's field, such as an account; compared by its keyed hash"`
	Since    TimeParam `query:"since" doc:"first heard of at this time or later: RFC 3339, or a day, which begins at midnight UTC"`
	Until    TimeParam `query:"until" doc:"first heard of before this time"`
}

func (s *Service) payouts(ctx context.Context, in *payoutsInput) (*answer[api.Payouts], error) {
	after, err := cursorOf[database.Cursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	q := database.Query{
		BatchID: in.Batch, Merchant: in.Merchant, Since: millis(in.Since.Time.Time), Until: millis(in.Until.Time.Time), After: after, Limit: in.Limit,
	}
	q.State, _ = api.StateNamed(in.State)
	if in.Payee != "" {
		hash := books.NewPayeeHash(s.config.Backoffice.PayeeKey).Of(in.Payee)
		q.Payee = &hash
	}
	list, err := s.books.Payouts(ctx, q)
	if err != nil {
		return nil, s.failed("the payouts can't be read", err)
	}
	page := api.Payouts{Payouts: []api.Payout{}}
	var last books.View
	for _, p := range list {
		last = p.View()
		page.Payouts = append(page.Payouts, api.PayoutOf(p, last))
	}
	if len(list) == in.Limit {
		page.Next = cursorText(database.Cursor{At: last.At, TradeNo: list[len(list)-1].TradeNo})
	}
	return &answer[api.Payouts]{page}, nil
}

type tradeNoInput struct {
	TradeNo string `path:"tradeNo"`
}

func (s *Service) detail(ctx context.Context, tradeNo string) (api.PayoutDetail, error) {
	if !message.ValidTradeNo(tradeNo) {
		return api.PayoutDetail{}, huma.Error422UnprocessableEntity("a tradeNo is 1 to 64 of A-Z a-z 0-9 _ -")
	}
	p, err := s.books.Payout(ctx, tradeNo)
	if err != nil {
		return api.PayoutDetail{}, s.failed("the payout can't be read", err)
	}
	if p == nil {
		return api.PayoutDetail{}, huma.Error404NotFound(s.unknown())
	}
	v := p.View()
	view, err := s.said.view(ctx)
	if err != nil {
		return api.PayoutDetail{}, s.failed("the actions can't be read", err)
	}
	var next *api.Next
	if v.State != 0 && !v.State.Final() {
		next = s.next(ctx, tradeNo)
	}
	return api.DetailOf(p, s.names, standing(view.Stops(true, v.Merchant, v.BatchID, tradeNo).By), next), nil
}

// unknown says why a payout may not be known.
func (s *Service) unknown() string {
	behind := int64(0)
	for _, l := range s.readers.lags() {
		behind += max(0, l.Lag)
	}
	text := "the books know no payout of this tradeNo"
	if reasons := s.readers.unready(); len(reasons) > 0 {
		return text + ", but they may be out of date: " + reasons[0]
	} else if behind > 0 {
		return fmt.Sprintf("%s, but they have %d records yet to read", text, behind)
	}
	return text
}

func (s *Service) payout(ctx context.Context, in *tradeNoInput) (*answer[api.PayoutDetail], error) {
	d, err := s.detail(ctx, in.TradeNo)
	if err != nil {
		return nil, err
	}
	return &answer[api.PayoutDetail]{d}, nil
}

func (s *Service) why(ctx context.Context, in *tradeNoInput) (*answer[api.Why], error) {
	d, err := s.detail(ctx, in.TradeNo)
	if err != nil {
		return nil, err
	}
	return &answer[api.Why]{api.Why{TradeNo: d.TradeNo, State: d.State, Why: d.Why}}, nil
}

func (s *Service) actions(ctx context.Context, in *struct {
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}) (*answer[api.Actions], error) {
	all, err := s.said.latest(ctx, in.Limit)
	if err != nil {
		return nil, s.failed("the actions can't be read", err)
	}
	return &answer[api.Actions]{api.Actions{Actions: all}}, nil
}
