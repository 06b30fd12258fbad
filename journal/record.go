package journal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
)

// The layout of a record's head, the same as in lua/_layout.lua (which counts from 1).
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

// content is what the command said: written once, by the insert. progress is what has
// become of it: written by every apply. Only Go reads them. Short names: a million of
// each stand in Redis.
type content struct {
	Offset    int64             `json:"o"`
	Time      int64             `json:"t,omitempty"`
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
	Received  int64             `json:"rx,omitempty"`
}

type progress struct {
	FirstSent int64  `json:"fs,omitempty"`
	LastSend  uint8  `json:"ls,omitempty"`
	Disproved int    `json:"dp,omitempty"`
	Unheard   bool   `json:"uh,omitempty"`
	Asks      int    `json:"k,omitempty"`
	AskRound  int    `json:"kr,omitempty"`
	NoRecords int    `json:"n,omitempty"`
	NoRecord  int64  `json:"nt,omitempty"`
	Partial   int64  `json:"pt,omitempty"`
	Pending   int64  `json:"pe,omitempty"`
	Unknown   string `json:"u,omitempty"`
	Shown     bool   `json:"sh,omitempty"`

	Status   string `json:"s,omitempty"`
	Text     string `json:"st,omitempty"`
	Platform string `json:"pl,omitempty"`
	Paid     string `json:"pa,omitempty"`
	Success  string `json:"su,omitempty"`

	Reason  string `json:"y,omitempty"`
	Against string `json:"cn,omitempty"`
	Absent  bool   `json:"ab,omitempty"` // restore.lua looks for it
	Held    int64  `json:"h,omitempty"`
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

// encode writes the record of a payout that becomes known.
func encode(p payout.Payout) string {
	return head(p, noToken, time.Time{}) + lane(p) + "\n" + contentOf(p).text() + "\n" + progressOf(p).text()
}

// head writes a record's head under a token; until is the lease's end, zero says that it
// is over.
func head(p payout.Payout, token string, until time.Time) string {
	r := make([]byte, 0, headLen)
	r = append(r, byte(p.State), byte(p.Step))
	r = append(r, token...)
	r = digits(r, millis(until), 13)
	r = append(r, p.Fingerprint...)
	r = digits(r, millis(p.ExpiresAt), 13)
	r = digits(r, int64(min(p.Sends, 99)), 2)
	r = digits(r, millis(p.LastSentAt), 13)
	r = digits(r, millis(p.SendBy), 13)
	return string(digits(r, int64(p.Source.Partition), 6))
}

// digits appends a number of a fixed width.
func digits(to []byte, n int64, width int) []byte {
	for at := int64(10); width > 1; width-- {
		if n < at {
			to = append(to, strings.Repeat("0", width-1)...)
			break
		}
		at *= 10
	}
	return strconv.AppendInt(to, n, 10)
}

func contentOf(p payout.Payout) content {
	c := content{
		Offset: p.Source.Offset, Time: millis(p.Source.Time), Country: p.Country, Amount: p.Amount.String(), Currency: p.Currency,
		Payee: p.Payee.Reveal(), Remark: p.Remark, BatchID: p.BatchID, BatchSize: p.BatchSize,
		NotBefore: millis(p.NotBefore), Parent: p.Trace.Parent, State: p.Trace.State, Received: millis(p.ReceivedAt),
	}
	if lane(p) == "" {
		c.Merchant = p.Merchant
	}
	return c
}

func progressOf(p payout.Payout) progress {
	return progress{
		FirstSent: millis(p.FirstSentAt), LastSend: uint8(p.LastSend),
		Disproved: p.Disproved, Unheard: p.Unheard, Asks: p.Asks, AskRound: p.AskRound, NoRecords: p.NoRecords, NoRecord: millis(p.NoRecordAt),
		Partial: millis(p.PartialAt), Pending: millis(p.PendingAt), Unknown: p.Unknown, Shown: p.Shown,
		Status: p.Status, Text: p.StatusText, Platform: p.PlatformTradeNo, Paid: p.PaidAmount, Success: p.SuccessTime,
		Reason: p.Reason, Against: p.Contradiction, Absent: p.Absent, Held: millis(p.HeldAt), Settled: millis(p.SettledAt),
	}
}

// decode reads a record. What the head says goes before the rest: the scripts write
// only the head.
func decode(tradeNo, record string) (payout.Payout, error) {
	broken := func(what string) (payout.Payout, error) {
		return payout.Payout{}, fmt.Errorf("journal: the record of %s can't be read (%s): written by another version?", tradeNo, what)
	}
	if len(record) <= headLen {
		return broken("too short")
	}
	parts := strings.SplitN(record[headLen:], "\n", 3)
	if len(parts) != 3 {
		return broken("not in three parts")
	}
	var said content
	var became progress
	if said.read(parts[1]) != nil || became.read(parts[2]) != nil {
		return broken("not JSON")
	}
	p := said.payout()
	became.fill(&p)
	h := numbers{text: record}
	p.TradeNo = tradeNo
	p.State, p.Step = payout.State(record[0]), payout.Step(record[1])
	p.Fingerprint = payout.Fingerprint(record[fingerprintAt:expiresAt])
	p.ExpiresAt = h.time(expiresAt)
	p.Sends = int(h.number(sendsAt, 2))
	p.LastSentAt, p.SendBy = h.time(sentAt), h.time(sendByAt)
	p.Source.Partition = int(h.number(partitionAt, 6))
	if parts[0] != "" {
		p.Merchant = parts[0]
	}
	if h.err != nil {
		return broken("head")
	}
	if p.State == payout.StateHeld && p.Reason == "" { // the insert script's own hold
		p.Reason = "its command is older than the memory reaches, or it was held before the journal was lost: it may have been paid before"
	}
	return p, nil
}

func (c content) payout() payout.Payout {
	amount, _ := payout.ParseAmount(c.Amount) // "" where the command's was invalid
	return payout.Payout{
		Command: payout.Command{
			Merchant: c.Merchant, Amount: amount, Currency: c.Currency, Payee: payout.NewPayee(c.Payee),
			Remark: c.Remark, BatchID: c.BatchID, BatchSize: c.BatchSize, NotBefore: moment(c.NotBefore),
		},
		Country: c.Country, Source: payout.Source{Offset: c.Offset, Time: moment(c.Time)}, Trace: payout.Trace{Parent: c.Parent, State: c.State},
		ReceivedAt: moment(c.Received),
	}
}

func (g progress) fill(p *payout.Payout) {
	p.FirstSentAt, p.LastSend = moment(g.FirstSent), payout.Kind(g.LastSend)
	p.Disproved, p.Unheard, p.Asks, p.AskRound = g.Disproved, g.Unheard, g.Asks, g.AskRound
	p.NoRecords, p.NoRecordAt, p.PartialAt = g.NoRecords, moment(g.NoRecord), moment(g.Partial)
	p.PendingAt, p.Unknown, p.Shown = moment(g.Pending), g.Unknown, g.Shown
	p.Status, p.StatusText, p.PlatformTradeNo = g.Status, g.Text, g.Platform
	p.PaidAmount, p.SuccessTime = g.Paid, g.Success
	p.Reason, p.Contradiction, p.Absent, p.HeldAt, p.SettledAt = g.Reason, g.Against, g.Absent, moment(g.Held), moment(g.Settled)
}

// numbers reads numbers of the head and keeps the first error.
type numbers struct {
	text string
	err  error
}

func (h *numbers) number(at, width int) int64 {
	n, err := strconv.ParseInt(h.text[at:at+width], 10, 64)
	h.err = errors.Join(h.err, err)
	return n
}

func (h *numbers) time(at int) time.Time { return moment(h.number(at, 13)) }

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
