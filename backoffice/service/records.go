package service

import (
	"context"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"disburser/backoffice/api"
	"disburser/backoffice/books/database"
	"disburser/message"
)

// mostTradeNos is how many payouts may be asked for by their tradeNos.
const mostTradeNos = 100

type recordsInput struct {
	PageInput
	Batch    string    `query:"batch"`
	Since    TimeParam `query:"since" doc:"first heard of at this time or later: RFC 3339, or a day, which begins at midnight UTC"`
	Until    TimeParam `query:"until" doc:"first heard of before this time"`
	TradeNos []string  `query:"tradeNos" doc:"at most 100, with commas between; instead of everything else"`
}

// records answers a page of what was ordered and what was announced.
func (s *Service) records(ctx context.Context, in *recordsInput) (*answer[api.Records], error) {
	if len(in.TradeNos) > 0 {
		return s.recordsOf(ctx, in.TradeNos)
	}
	after, err := cursorOf[database.Cursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	q := database.Query{BatchID: in.Batch, Since: millis(in.Since.Time.Time), Until: millis(in.Until.Time.Time), After: after, Limit: in.Limit}
	list, err := s.books.Payouts(ctx, q)
	if err != nil {
		return nil, s.failed("the payouts can't be read", err)
	}
	page := api.Records{Records: make([]api.Record, 0, len(list))}
	for _, p := range list {
		page.Records = append(page.Records, api.RecordOf(p))
	}
	if len(list) == in.Limit {
		last := list[len(list)-1]
		page.Next = cursorText(database.Cursor{At: last.View().At, TradeNo: last.TradeNo})
	}
	return &answer[api.Records]{page}, nil
}

// recordsOf answers those of tradeNos that the books know.
func (s *Service) recordsOf(ctx context.Context, tradeNos []string) (*answer[api.Records], error) {
	if len(tradeNos) > mostTradeNos {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("tradeNos may be %d at most", mostTradeNos))
	}
	page := api.Records{Records: []api.Record{}}
	for _, tradeNo := range tradeNos {
		if !message.ValidTradeNo(tradeNo) {
			return nil, huma.Error422UnprocessableEntity("a tradeNo is 1 to 64 of A-Z a-z 0-9 _ -")
		}
		p, err := s.books.Payout(ctx, tradeNo)
		if err != nil {
			return nil, s.failed("a payout can't be read", err)
		}
		if p != nil {
			page.Records = append(page.Records, api.RecordOf(p))
		}
	}
	return &answer[api.Records]{page}, nil
}
