package paypro

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/money"
)

// The two tables of findings (docs/design.md, States), for which paypro-api.md §5 gives
// the codes.
// Whatever is not in them is Unclear, and nothing without an explicit final
// data.status is ever final.

// sent is what data.status says in the answer to a payout; any other non-empty one,
// 00032 UNKNOWN_ERROR too, is SettledOther. None of it is final: the query endpoint
// decides. The failures are those of asked, since together with "no record" such an answer
// proves that nothing was paid.
var sendStatuses = map[string]finding.Kind{
	"0015":    finding.Accepted,
	"0000":    finding.SettledPaid,
	"0001":    finding.SettledPartial,
	"00029":   finding.SettledFailed,
	"0029":    finding.SettledFailed,
	"0100019": finding.SettledFailed,
}

// asked is what data.status says in the answer to a query; any other non-empty
// one, 00032 UNKNOWN_ERROR too, is UnknownStatus.
var queryStatuses = map[string]finding.Kind{
	"0015":    finding.Processing,
	"0000":    finding.Paid,
	"0001":    finding.Partial,
	"00029":   finding.Failed,
	"0029":    finding.Failed, // the same, as mexico/errorcode spells it in its prose
	"0100019": finding.Failed, // the payee's daily limit (mexico/errorcode, older copy)
}

// documented are all codes that the pages explain, of both layers; 00032 is
// UNKNOWN_ERROR (mexico/errorcode, older copy).
var documented = []string{codeOK, codeException, codeFailed, "0001", "0015", "00029", "0029", "0100019", "00032"}

// Why an answer that speaks of an order decides nothing.
const (
	detailStatusDespiteError = "contradictory: a code other than 0000, and yet a data.status"
	detailSuccessFalse       = "contradictory: code 0000, and yet success is false"
	detailNoTradeNo          = "an outcome without a tradeNo: nothing shows whose it is"
)

// verdict judges a readable answer with HTTP status 200 that is about our tradeNo.
type verdict func(a answer) (finding.Kind, string)

// sendVerdict judges the answer to a payout.
func sendVerdict(a answer) (finding.Kind, string) {
	switch {
	case a.code == codeOK && a.success == successFalse:
		return finding.Unclear, detailSuccessFalse
	case a.code == codeOK && a.status == "":
		return finding.Unclear, "accepted by its code, but without a data.status"
	case a.code == codeOK:
		return lookUp(sendStatuses, a.status, finding.SettledOther), "answered with a data.status"
	case a.status != "":
		return finding.Unclear, detailStatusDespiteError
	case a.code == codeFailed && a.success == successTrue:
		return finding.Unclear, "contradictory: code 8000, and yet success is true"
	case a.code == codeFailed:
		return finding.Refused, "the provider says that the request failed"
	case a.code == codeException:
		return finding.Unclear, "a system exception at the provider, the order may exist"
	}
	return finding.Unclear, "a code that no page explains"
}

// askVerdict judges the answer to a query. Its outer code is no payout's failure
// (mexico/errorcode, later copy).
func (c *Client) queryVerdict(a answer) (finding.Kind, string) {
	switch {
	case a.code == codeOK && a.success == successFalse:
		return finding.Unclear, detailSuccessFalse
	case a.code == codeOK && a.hasNoData() && c.noDataIsNoRecord:
		return finding.NoRecord, "the provider has no such order: code 0000 without data"
	case a.code == codeOK && a.status == "":
		return finding.Unclear, "answered without a data.status"
	case a.code == codeOK:
		return lookUp(queryStatuses, a.status, finding.UnknownStatus), "answered with a data.status"
	case a.status != "":
		return finding.Unclear, detailStatusDespiteError
	case slices.Contains(c.noRecordCodes, a.code) && a.success == successTrue:
		return finding.Unclear, "contradictory: a code that means no such order, and yet success is true"
	case slices.Contains(c.noRecordCodes, a.code):
		return finding.NoRecord, "the provider has no such order, or refuses the merchant"
	}
	return finding.Unclear, "the query was not answered, by its code"
}

func lookUp(kinds map[string]finding.Kind, status string, other finding.Kind) finding.Kind {
	if kind, ok := kinds[status]; ok {
		return kind
	}
	return other
}

// judge makes the finding of a reply to a request that left, or may have.
func (c *Client) judge(v verdict, cmd payout.Command, r reply) finding.Finding {
	f := finding.Finding{HTTPStatus: r.status, TooFast: r.status == http.StatusTooManyRequests, RetryAfter: r.pauseAsked()}
	switch {
	case r.problem != "":
		f.Detail = r.problem
		return f
	case r.status != http.StatusOK:
		f.Detail = describeStatus(r.status)
		return f
	}
	a, err := readAnswer(r.body)
	if err != nil {
		f.Detail = "unreadable answer: " + err.Error()
		return f
	}
	c.quote(&f, a, cmd)
	if c.saysTooFast(a) {
		// A gateway may say so before anybody has looked at the signature or the order: it is
		// neither evidence that the merchant is served nor a word about the payout.
		f.TooFast, f.Served, f.RetryAfter = true, false, r.readRetryAfter()
		f.Detail = "the provider says that it is called too often"
		return f
	}
	whose := a.subjectFor(cmd.TradeNo)
	if whose == subjectOther {
		f.Detail = "the answer is about another tradeNo"
		return f
	}
	f.Kind, f.Detail = v(a)
	if whose == subjectMissing && !c.profile.tradeNoOptional && needsTradeNo(f.Kind) {
		f.Kind, f.Detail, f.Nameless = finding.Unclear, detailNoTradeNo, true
	}
	if f.AmountUnread {
		f.Detail += "; its amount can't be read exactly"
	}
	f.Order = f.Kind == finding.Unclear && (a.status != "" || a.code == codeOK && whose == subjectOurs)
	if f.Kind == finding.NoRecord && a.code == codeOK { // "success" would stand in the result as if it were the order's
		f.Status, f.StatusText = "", ""
	}
	// An answer without data shows nothing: a wrong account would be answered so as well.
	f.Served = f.Served && f.Kind != finding.NoRecord
	return f
}

// ends tells the kinds that say how an order has ended: only with its own tradeNo are they
// believed. What a send was answered ends nothing, but a failure is part of a proof.
func needsTradeNo(k finding.Kind) bool {
	switch k {
	case finding.Paid, finding.Partial, finding.Failed, finding.UnknownStatus,
		finding.SettledPaid, finding.SettledPartial, finding.SettledFailed, finding.SettledOther:
		return true
	default:
		return false
	}
}

// quote copies what the provider wrote, made fit to be kept and printed: copies, since a
// text that was cut out of the answer would keep all of it in memory.
func (c *Client) quote(f *finding.Finding, a answer, cmd payout.Command) {
	names, payeeMask := c.profile.reply, c.maskOfCommand(cmd)
	f.Served = a.code == codeOK && a.success != successFalse
	c.quoteStatus(f, cmp.Or(a.status, a.code), payeeMask)
	words := firstText(a.data, names.text...)
	if words == "" {
		words = a.msg
	}
	f.StatusText = strings.Clone(oneLine(payeeMask.hideInText(oneLine(words, maxAnswer)), maxText))
	f.PlatformTradeNo = strings.Clone(oneLine(payeeMask.hideInText(oneLine(firstText(a.data, names.platformNo...), maxAnswer)), maxCode))

	paid, written, unread := a.amount(names.paid)
	f.PaidAmount, f.AmountUnread, f.Share = strings.Clone(paid), unread, cmd.Amount.ShareOf(paid)
	if f.Share != money.ShareAll && payeeMask.hideInNumber(written) != written { // what was ordered is nobody's account
		f.PaidAmount = hiddenText
	}
	at := oneLine(firstText(a.data, "successTime"), maxAnswer)
	if f.SucceededAt = localTime(at); f.SucceededAt.IsZero() { // some other words
		at = payeeMask.hideInText(at)
	}
	f.SuccessTime = strings.Clone(oneLine(payeeMask.hideInNumber(at), maxCode))
}

// quoteStatus hides in a code that no page has whatever stands in it, but not that it is
// another one than the last.
func (c *Client) quoteStatus(f *finding.Finding, code string, payeeMask mask) {
	f.Status = strings.Clone(code)
	if slices.Contains(documented, code) || slices.Contains(c.noRecordCodes, code) || slices.Contains(c.tooFastCodes, code) {
		return
	}
	if shown := payeeMask.hideInText(code); shown != code {
		f.Status, f.StatusKey = shown, fingerprint(code)
	}
}

// localTime reads a successTime as if it were UTC; the pages give it in the country's
// local time, without a zone. Zero: it is no time that we know to read.
func localTime(text string) time.Time {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// unexpected names an HTTP status other than 200. No page says how the provider
// uses them, so none of them says anything about a payout.
func describeStatus(status int) string {
	if status >= 300 && status < 400 {
		return fmt.Sprintf("HTTP %d: redirects are not followed, a repeated payout could pay twice", status)
	}
	return fmt.Sprintf("HTTP %d", status)
}

// maxPause bounds what a Retry-After can ask for: a slip of the provider's must
// not stop a merchant for a day.
const maxPause = 10 * time.Minute

// saysTooFast tells whether the operator has named the answer's code or status so. It
// counts for sends and queries alike, and whatever else the answer says.
func (c *Client) saysTooFast(a answer) bool {
	return slices.Contains(c.tooFastCodes, a.code) || slices.Contains(c.tooFastCodes, a.status)
}

// pause is the Retry-After of a 429 or 503.
func (r reply) pauseAsked() time.Duration {
	if r.status != http.StatusTooManyRequests && r.status != http.StatusServiceUnavailable {
		return 0
	}
	return r.readRetryAfter()
}

// wait is the Retry-After, seconds or a date, of an answer that may ask for one.
func (r reply) readRetryAfter() time.Duration {
	if seconds, err := strconv.ParseUint(r.retryAfter, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxPause)
	}
	if at, err := http.ParseTime(r.retryAfter); err == nil {
		return max(0, min(time.Until(at), maxPause))
	}
	return 0
}
