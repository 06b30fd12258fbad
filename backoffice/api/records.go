package api

import (
	"context"
	"iter"
	"net/url"

	"disburser/backoffice/books"
	"disburser/message"
)

// Record is what reconciliation needs of a payout: what was ordered, and what was announced.
type Record struct {
	TradeNo string      `json:"tradeNo"`
	Orders  []Ordered   `json:"orders" doc:"each content once, less those that became dead letters"`
	Results []Announced `json:"results"`
}

// Ordered is what a command says.
type Ordered struct {
	Amount    string `json:"amount" doc:"empty where it couldn't be read"`
	Currency  string `json:"currency"`
	NotBefore string `json:"notBefore,omitempty"`
}

// Announced is what a result says.
type Announced struct {
	EventID    string            `json:"eventId"`
	Type       message.EventType `json:"type"`
	Amount     string            `json:"amount" doc:"as it was ordered; empty where it wasn't known"`
	Currency   string            `json:"currency"`
	PaidAmount string            `json:"paidAmount"`
}

// Records is a page of records.
type Records struct {
	Records []Record `json:"records"`
	Next    string   `json:"next,omitempty" doc:"the cursor of the next page; missing on the last one"`
}

// RecordOf is the record of a payout.
func RecordOf(p *books.Payout) Record {
	r := Record{TradeNo: p.TradeNo, Orders: []Ordered{}, Results: []Announced{}}
	for _, o := range p.Standing() {
		r.Orders = append(r.Orders, Ordered{o.Amount, o.Currency, books.Stamp(o.NotBefore)})
	}
	for _, e := range p.Events {
		r.Results = append(r.Results, Announced{e.ID, e.Type, e.Amount, e.Currency, e.PaidAmount})
	}
	return r
}

// EachRecord asks for all pages of records, and answers one after the other. After an error nothing follows.
func (c Client) EachRecord(ctx context.Context, query url.Values) iter.Seq2[Record, error] {
	return each(ctx, c, "/records", query, func(page Records) ([]Record, string) { return page.Records, page.Next })
}
