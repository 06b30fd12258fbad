package journal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/money"
)

// The layout of a record's head, the same as in lua/_layout.lua (which counts from 1).
const (
	stateAt       = 1
	stepAt        = 2
	tokenAt       = 3
	leaseEndAt    = 15
	fingerprintAt = 28
	expiresAt     = 44
	sendsAt       = 57
	sentAt        = 59
	sendByAt      = 72
	accountAt     = 85
	flagsAt       = 93
	partitionAt   = 97
	offsetAt      = 103
	timeAt        = 119
	headLen       = 132
)

// layout is the first letter of each record. A record of another layout is converted (see
// upgrade.go) or refused. It is never read: what this version doesn't know would be lost at
// its next write.
const layout = byte('0' + epochs.Layout)

const (
	noToken   = "------------" // nobody has leased it yet
	noAccount = "--------"     // it wasn't sent, or nobody knows to which account
	ownEnd    = 'o'            // the first flag of an end by our own word
	personEnd = 'p'            // the same, of one by a person's word
	noFlag    = '-'
	freeFlags = "---" // kept as they stand by every script
)

// content is what the command said, written once, by the insert. progress is what has become
// of it, written by every apply. Only Go reads them. The names are short because a million of
// each may stand in Redis.
type content struct {
	Merchant  string            `json:"m,omitempty"` // only of merchants that aren't configured
	Country   string            `json:"c,omitempty"`
	Amount    string            `json:"a,omitempty"`
	Currency  string            `json:"cu,omitempty"`
	Payee     map[string]string `json:"p,omitempty"`
	Remark    string            `json:"r,omitempty"`
	BatchSize int               `json:"bs,omitempty"`
	NotBefore int64             `json:"nb,omitempty"`
	Parent    string            `json:"tp,omitempty"`
	State     string            `json:"ts,omitempty"`
	Received  int64             `json:"rx,omitempty"`
}

type progress struct {
	FirstSent      int64  `json:"fs,omitempty"`
	LastSend       uint8  `json:"ls,omitempty"`
	Answered       bool   `json:"an,omitempty"` // of an unclear answer; any other one says so itself
	AnswerLost     bool   `json:"al,omitempty"`
	Disproved      int    `json:"dp,omitempty"`
	Refusals       int    `json:"rf,omitempty"`
	Unacknowledged bool   `json:"uh,omitempty"` // stored by its older name, unheard
	Asks           int    `json:"k,omitempty"`
	AskRound       int    `json:"kr,omitempty"`
	NoRecords      int    `json:"n,omitempty"`
	NoRecord       int64  `json:"nt,omitempty"`
	NoRecordOf     string `json:"na,omitempty"`
	Partial        int64  `json:"pt,omitempty"`
	Pending        int64  `json:"pe,omitempty"`
	Unknown        string `json:"u,omitempty"`
	Shown          bool   `json:"sh,omitempty"`
	Forgotten      bool   `json:"fo,omitempty"`

	Status   string `json:"s,omitempty"`
	Text     string `json:"st,omitempty"`
	Platform string `json:"pl,omitempty"`
	Paid     string `json:"pa,omitempty"`
	Success  string `json:"su,omitempty"`

	Reason  string `json:"y,omitempty"`
	Against string `json:"cn,omitempty"`
	Held    int64  `json:"h,omitempty"`
	Settled int64  `json:"se,omitempty"`

	By          string `json:"by,omitempty"`
	ConfirmedBy string `json:"cb,omitempty"`
	Action      string `json:"ac,omitempty"`
	Found       uint8  `json:"fd,omitempty"`

	rest string // fields that this version doesn't know, as they were read
}

// merchantKey is the merchant as the journal's keys name it. Payouts of merchants that aren't
// configured share one, "", so that names from outside make no keys.
func merchantKey(p payout.Payout) string {
	if p.Country == "" {
		return ""
	}
	return p.Merchant
}

// encode writes the record of a payout that becomes known.
func encode(p payout.Payout) string { return encodeUnder(p, noToken) }

// encodeUnder writes it with the token of a lease that ends with it.
func encodeUnder(p payout.Payout, token string) string {
	batch := strings.ReplaceAll(p.BatchID, "\n", " ") // Decode takes none with a newline
	return head(p, token, time.Time{}) + merchantKey(p) + "\n" + batch + "\n" + contentOf(p).text() + "\n" + progressOf(p).text()
}

// head writes a record's head under a token; endsAt is the lease's end, zero says that it
// is over.
func head(p payout.Payout, token string, endsAt time.Time) string {
	r := make([]byte, 0, headLen)
	r = append(r, layout, byte(p.State), byte(p.Step))
	r = append(r, token...)
	r = digits(r, millis(endsAt), 13)
	r = append(r, p.Fingerprint...)
	r = digits(r, millis(p.ExpiresAt), 13)
	r = digits(r, int64(min(p.Sends, 99)), 2)
	r = digits(r, millis(p.LastSentAt), 13)
	r = digits(r, millis(p.SendBy), 13)
	r = append(r, account(p.Account)...)
	flag := byte(noFlag)
	switch {
	case p.EndedByPerson():
		flag = personEnd
	case p.Own():
		flag = ownEnd
	}
	r = append(append(r, flag), freeFlags...)
	r = digits(r, int64(p.Source.Partition), 6)
	r = digits(r, p.Source.Offset, 16)
	return string(digits(r, millis(p.Source.Time), 13))
}

// account is what stands in a record for an account, or for none.
func account(a payout.Account) string {
	odd := strings.ContainsFunc(string(a), func(c rune) bool { return c <= ' ' || c > '~' }) // a stranger's, in the decisions
	if odd || len(a) != len(payout.SeveralAccounts) {
		return noAccount
	}
	return string(a)
}

func accountOf(text string) payout.Account {
	if text == noAccount {
		return ""
	}
	return payout.Account(text)
}

// digits appends a number of a fixed width. A number that doesn't fit becomes the nearest that
// does: a head of another width would be read wrongly, all of it.
func digits(to []byte, n int64, width int) []byte {
	n = max(n, 0)
	for at := int64(10); ; width-- {
		if width == 1 {
			n = min(n, at-1)
			break
		}
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
		Country: p.Country, Amount: p.Amount.String(), Currency: p.Currency,
		Payee: p.Payee.Reveal(), Remark: p.Remark, BatchSize: p.BatchSize,
		NotBefore: millis(p.NotBefore), Parent: p.Trace.Parent, State: p.Trace.State, Received: millis(p.ReceivedAt),
	}
	if merchantKey(p) == "" {
		c.Merchant = p.Merchant
	}
	return c
}

func progressOf(p payout.Payout) progress {
	return progress{
		FirstSent: millis(p.FirstSentAt), LastSend: uint8(p.LastSend),
		Answered: p.Answered && p.LastSend == finding.Unclear, AnswerLost: p.AnswerLost,
		Disproved: p.Disproved, Unacknowledged: p.Unacknowledged, Refusals: p.Refusals,
		Asks: p.Asks, AskRound: p.AskRound, NoRecords: p.NoRecords, NoRecord: millis(p.NoRecordAt), NoRecordOf: string(p.NoRecordOf),
		Partial: millis(p.PartialAt), Pending: millis(p.PendingAt), Unknown: p.Unknown, Shown: p.Shown,
		Status: p.Status, Text: p.StatusText, Platform: p.PlatformTradeNo, Paid: p.PaidAmount, Success: p.SuccessTime,
		Reason: p.Reason, Against: p.Contradiction, Held: millis(p.HeldAt), Settled: millis(p.SettledAt),
		By: p.By, ConfirmedBy: p.ConfirmedBy, Action: p.Action, Found: uint8(p.Found), Forgotten: p.Forgotten, rest: p.Unread,
	}
}

// decode reads a record. What the head says goes before the rest: the scripts write
// only the head.
func decode(tradeNo, record string) (payout.Payout, error) {
	broken := func(what string) (payout.Payout, error) {
		return payout.Payout{}, fmt.Errorf("journal: the record of %s can't be read (%s): written by another version?", tradeNo, what)
	}
	if record == "" || record[0] != layout {
		return broken(fmt.Sprintf("not in layout %d", epochs.Layout))
	}
	if len(record) <= headLen {
		return broken("too short")
	}
	lines := strings.SplitN(record[headLen:], "\n", 4)
	if len(lines) != 4 {
		return broken("not in four lines")
	}
	var said content
	var became progress
	if said.read(lines[2]) != nil || became.read(lines[3]) != nil {
		return broken("not JSON")
	}
	p := said.payout()
	became.fill(&p)
	h := numbers{text: record}
	p.TradeNo, p.BatchID = tradeNo, lines[1]
	p.State, p.Step = payout.State(record[stateAt]), payout.Step(record[stepAt])
	p.Absent = record[flagsAt] == ownEnd && p.State == payout.StateFailed
	p.Account = accountOf(record[accountAt:flagsAt])
	p.Fingerprint = payout.Fingerprint(record[fingerprintAt:expiresAt])
	p.ExpiresAt = h.time(expiresAt)
	p.Sends = int(h.number(sendsAt, 2))
	p.LastSentAt, p.SendBy = h.time(sentAt), h.time(sendByAt)
	p.Source = payout.Source{Partition: int(h.number(partitionAt, 6)), Offset: h.number(offsetAt, 16), Time: h.time(timeAt)}
	if lines[0] != "" {
		p.Merchant = lines[0]
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
	amount, _ := money.Parse(c.Amount) // "" where the command's was invalid
	return payout.Payout{
		Command: payout.Command{
			Merchant: c.Merchant, Amount: amount, Currency: c.Currency, Payee: payout.NewPayee(c.Payee),
			Remark: c.Remark, BatchSize: c.BatchSize, NotBefore: timeOf(c.NotBefore),
		},
		Country: c.Country, Trace: payout.Trace{Parent: c.Parent, State: c.State},
		ReceivedAt: timeOf(c.Received),
	}
}

func (g progress) fill(p *payout.Payout) {
	p.FirstSentAt, p.LastSend = timeOf(g.FirstSent), finding.Kind(g.LastSend)
	p.Answered, p.AnswerLost = g.Answered || p.LastSend != finding.Unclear, g.AnswerLost
	p.Disproved, p.Refusals, p.Unacknowledged, p.Asks, p.AskRound = g.Disproved, g.Refusals, g.Unacknowledged, g.Asks, g.AskRound
	p.NoRecords, p.NoRecordAt, p.NoRecordOf, p.PartialAt = g.NoRecords, timeOf(g.NoRecord), payout.Account(g.NoRecordOf), timeOf(g.Partial)
	p.PendingAt, p.Unknown, p.Shown = timeOf(g.Pending), g.Unknown, g.Shown
	p.Status, p.StatusText, p.PlatformTradeNo = g.Status, g.Text, g.Platform
	p.PaidAmount, p.SuccessTime = g.Paid, g.Success
	p.Reason, p.Contradiction, p.HeldAt, p.SettledAt, p.Unread = g.Reason, g.Against, timeOf(g.Held), timeOf(g.Settled), g.rest
	p.By, p.ConfirmedBy, p.Action, p.Found, p.Forgotten = g.By, g.ConfirmedBy, g.Action, finding.Kind(g.Found), g.Forgotten
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

func (h *numbers) time(at int) time.Time { return timeOf(h.number(at, 13)) }

// latest is the last time that the 13 digits of a head have room for.
const latest = 9_999_999_999_999

// millis writes a time as the journal keeps it; 0 is "none". What lies outside becomes the
// first or the last time: Kafka keeps any number for a record's time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, min(t.UnixMilli(), latest))
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
