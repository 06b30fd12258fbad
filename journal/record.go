package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
)

// The layout of a record's head, the same as in lua/_common.lua (which counts from 1).
const (
	tokenAt       = 2
	untilAt       = 14
	fingerprintAt = 27
	expiresAt     = 43
	sendsAt       = 56
	sentAt        = 58
	sendByAt      = 71
	partitionAt   = 84
	headLen       = 90
)

// noToken stands where nobody has leased yet.
const noToken = "------------"

// body is the part of a record that only Go reads. Short names: a million of them
// stand in Redis.
type body struct {
	Offset    int64             `json:"o"`
	Merchant  string            `json:"m,omitempty"` // only of merchants that aren't configured
	Country   string            `json:"c,omitempty"`
	Amount    string            `json:"a,omitempty"`
	Currency  string            `json:"cu,omitempty"`
	Payee     map[string]string `json:"p,omitempty"`
	Remark    string            `json:"r,omitempty"`
	BatchID   string            `json:"b,omitempty"`
	BatchSize int               `json:"bs,omitempty"`
	NotBefore int64             `json:"nb,omitempty"`
	Parent    string            `json:"tp,omitempty"`
	State     string            `json:"ts,omitempty"`

	Received  int64  `json:"rx,omitempty"`
	FirstSent int64  `json:"fs,omitempty"`
	LastSend  uint8  `json:"ls,omitempty"`
	Asks      int    `json:"k,omitempty"`
	AskRound  int    `json:"kr,omitempty"`
	NoRecords int    `json:"n,omitempty"`
	NoRecord  int64  `json:"nt,omitempty"`
	Partial   int64  `json:"pt,omitempty"`
	Unknown   string `json:"u,omitempty"`

	Status   string `json:"s,omitempty"`
	Text     string `json:"st,omitempty"`
	Platform string `json:"pl,omitempty"`
	Paid     string `json:"pa,omitempty"`
	Success  string `json:"su,omitempty"`

	Reason  string `json:"y,omitempty"`
	Absent  bool   `json:"ab,omitempty"`
	Held    int64  `json:"h,omitempty"`
	Shown   bool   `json:"sh,omitempty"`
	Settled int64  `json:"se,omitempty"`
}

// lane is the merchant as the journal's keys name it: payouts of merchants that aren't
// configured share one, so that names from outside make no keys.
func lane(p payout.Payout) string {
	if p.Country == "" {
		return ""
	}
	return p.Merchant
}

// encode writes a record under a token; deadline 0 says that the lease is over.
func encode(p payout.Payout, token string) string {
	rest, err := json.Marshal(bodyOf(p))
	if err != nil { // texts and numbers only: can't fail
		panic(fmt.Sprintf("journal: encode a payout: %v", err))
	}
	var s strings.Builder
	s.Grow(headLen + len(rest) + 40)
	fmt.Fprintf(&s, "%c%c%s%013d%s%013d%02d%013d%013d%06d%s\n", p.State, p.Step, token, 0, p.Fingerprint,
		millis(p.ExpiresAt), min(p.Sends, 99), millis(p.LastSentAt), millis(p.SendBy), p.Source.Partition, lane(p))
	s.Write(rest)
	return s.String()
}

func bodyOf(p payout.Payout) body {
	b := body{
		Offset: p.Source.Offset, Country: p.Country, Amount: p.Amount.String(), Currency: p.Currency,
		Payee: p.Payee.Reveal(), Remark: p.Remark, BatchID: p.BatchID, BatchSize: p.BatchSize,
		NotBefore: millis(p.NotBefore), Parent: p.Trace.Parent, State: p.Trace.State,
		Received: millis(p.ReceivedAt), FirstSent: millis(p.FirstSentAt), LastSend: uint8(p.LastSend),
		Asks: p.Asks, AskRound: p.AskRound, NoRecords: p.NoRecords, NoRecord: millis(p.NoRecordAt),
		Partial: millis(p.PartialAt), Unknown: p.Unknown,
		Status: p.Status, Text: p.StatusText, Platform: p.PlatformTradeNo, Paid: p.PaidAmount, Success: p.SuccessTime,
		Reason: p.Reason, Absent: p.Absent, Held: millis(p.HeldAt), Shown: p.Shown, Settled: millis(p.SettledAt),
	}
	if lane(p) == "" {
		b.Merchant = p.Merchant
	}
	return b
}

// decode reads a record. What the head says goes before the body: the scripts write
// only the head.
func decode(tradeNo, record string) (payout.Payout, error) {
	broken := func(what string) (payout.Payout, error) {
		return payout.Payout{}, fmt.Errorf("journal: the record of %s can't be read (%s): written by another version?", tradeNo, what)
	}
	if len(record) <= headLen {
		return broken("too short")
	}
	merchant, rest, found := strings.Cut(record[headLen:], "\n")
	if !found {
		return broken("no body")
	}
	var b body
	if err := json.Unmarshal([]byte(rest), &b); err != nil {
		return broken("body")
	}
	p := b.payout()
	h := head{text: record}
	p.TradeNo = tradeNo
	p.State, p.Step = payout.State(record[0]), payout.Step(record[1])
	p.Fingerprint = payout.Fingerprint(record[fingerprintAt:expiresAt])
	p.ExpiresAt = h.time(expiresAt)
	p.Sends = int(h.number(sendsAt, 2))
	p.LastSentAt, p.SendBy = h.time(sentAt), h.time(sendByAt)
	p.Source.Partition = int(h.number(partitionAt, 6))
	if merchant != "" {
		p.Merchant = merchant
	}
	if h.err != nil {
		return broken("head")
	}
	if p.State == payout.StateHeld && p.Reason == "" { // the insert script's own hold
		p.Reason = "its command is unknown and older than the memory reaches: it may have been paid before"
	}
	return p, nil
}

func (b body) payout() payout.Payout {
	amount, _ := payout.ParseAmount(b.Amount) // "" where the command's was invalid
	return payout.Payout{
		Command: payout.Command{
			Merchant: b.Merchant, Amount: amount, Currency: b.Currency, Payee: payout.NewPayee(b.Payee),
			Remark: b.Remark, BatchID: b.BatchID, BatchSize: b.BatchSize, NotBefore: moment(b.NotBefore),
		},
		Country: b.Country, Source: payout.Source{Offset: b.Offset}, Trace: payout.Trace{Parent: b.Parent, State: b.State},
		ReceivedAt: moment(b.Received), FirstSentAt: moment(b.FirstSent), LastSend: payout.Kind(b.LastSend),
		Asks: b.Asks, AskRound: b.AskRound, NoRecords: b.NoRecords, NoRecordAt: moment(b.NoRecord),
		PartialAt: moment(b.Partial), Unknown: b.Unknown,
		Status: b.Status, StatusText: b.Text, PlatformTradeNo: b.Platform, PaidAmount: b.Paid, SuccessTime: b.Success,
		Reason: b.Reason, Absent: b.Absent, HeldAt: moment(b.Held), Shown: b.Shown, SettledAt: moment(b.Settled),
	}
}

// head reads numbers of the head and keeps the first error.
type head struct {
	text string
	err  error
}

func (h *head) number(at, width int) int64 {
	n, err := strconv.ParseInt(h.text[at:at+width], 10, 64)
	h.err = errors.Join(h.err, err)
	return n
}

func (h *head) time(at int) time.Time { return moment(h.number(at, 13)) }

// millis writes a time as the journal keeps it; 0 is "none".
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
