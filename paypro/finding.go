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

// This file has two tables that turn codes into findings: one for sends, one for queries. They
// follow docs/design.md, States. The codes are in paypro-api.md §5. Whatever is in neither is
// Unclear. Only an explicit final data.status in the answer to a query is final.

// sendStatuses maps data.status in the answer to a payout. Any other status, also 00032
// UNKNOWN_ERROR, is SettledOther. None of these findings is final: the query decides. The
// failed ones are the same as in queryStatuses: together with "no record" they prove that
// nothing was paid.
var sendStatuses = map[string]finding.Kind{
	"0015":    finding.Accepted,
	"0000":    finding.SettledPaid,
	"0001":    finding.SettledPartial,
	"00029":   finding.SettledFailed,
	"0029":    finding.SettledFailed,
	"0100019": finding.SettledFailed,
}

// queryStatuses maps data.status in the answer to a query. Any other status, also 00032
// UNKNOWN_ERROR, is UnknownStatus.
var queryStatuses = map[string]finding.Kind{
	"0015":    finding.Processing,
	"0000":    finding.Paid,
	"0001":    finding.Partial,
	"00029":   finding.Failed,
	"0029":    finding.Failed, // another spelling of 00029 (mexico/errorcode, prose)
	"0100019": finding.Failed, // the payee's daily limit (mexico/errorcode, older copy)
}

// documented are all codes of both layers that the pages explain. 00032 is UNKNOWN_ERROR
// (mexico/errorcode, older copy).
var documented = []string{codeOK, codeException, codeFailed, "0001", "0015", "00029", "0029", "0100019", "00032"}

// Details of answers that speak of an order and yet decide nothing.
const (
	detailStatusDespiteError = "contradictory: a code other than 0000, and yet a data.status"
	detailSuccessFalse       = "contradictory: code 0000, and yet success is false"
	detailNoTradeNo          = "an outcome without a tradeNo: nothing shows whose it is"
)

// verdict judges a readable answer with HTTP status 200 that is not about another tradeNo. It
// returns the kind of finding and the reason, for a person.
type verdict func(a answer) (finding.Kind, string)

// sendVerdict judges the answer to a payout (paypro-api.md §5.3).
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

// queryVerdict judges the answer to a query (paypro-api.md §5.3). The outer code of a query
// never means that the payout failed (mexico/errorcode, later copy).
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

// lookUp returns the kind of a status, other if the status is not listed.
func lookUp(kinds map[string]finding.Kind, status string, other finding.Kind) finding.Kind {
	if kind, ok := kinds[status]; ok {
		return kind
	}
	return other
}

// judge makes the finding for a request of which a byte left or may have left.
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
		// A gateway may answer so before anything checked the signature or the order. So it
		// neither shows that the merchant is served, nor says anything about the payout.
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
	if f.Kind == finding.NoRecord && a.code == codeOK { // its "0000" and "success" would look like the payout's own status
		f.Status, f.StatusText = "", ""
	}
	// "No record" doesn't show that the merchant is served: a wrong account may get it too.
	f.Served = f.Served && f.Kind != finding.NoRecord
	return f
}

// needsTradeNo tells whether a finding is believed only if the answer names our tradeNo. These
// are the kinds that say how a payout ended. An answer to a send ends nothing, but its failure
// is part of a proof.
func needsTradeNo(k finding.Kind) bool {
	switch k {
	case finding.Paid, finding.Partial, finding.Failed, finding.UnknownStatus,
		finding.SettledPaid, finding.SettledPartial, finding.SettledFailed, finding.SettledOther:
		return true
	default:
		return false
	}
}

// quote copies what the provider wrote into the finding, masked and cut. It clones each text: a
// substring would keep the whole answer in memory.
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
	if f.Share != money.ShareAll && payeeMask.hideInNumber(written) != written { // the ordered amount itself needs no mask
		f.PaidAmount = hiddenText
	}
	at := oneLine(firstText(a.data, "successTime"), maxAnswer)
	if f.SucceededAt = localTime(at); f.SucceededAt.IsZero() { // it is no time, but some other text
		at = payeeMask.hideInText(at)
	}
	f.SuccessTime = strings.Clone(oneLine(payeeMask.hideInNumber(at), maxCode))
}

// quoteStatus copies the status or code. An undocumented one is masked, because it may hold
// payee data. StatusKey then still tells two masked statuses apart.
func (c *Client) quoteStatus(f *finding.Finding, code string, payeeMask *commandMask) {
	if at := slices.Index(documented, code); at >= 0 {
		f.Status = documented[at]
		return
	}
	f.Status = strings.Clone(code)
	if slices.Contains(c.noRecordCodes, code) || slices.Contains(c.tooFastCodes, code) {
		return
	}
	if shown := payeeMask.hideInText(code); shown != code {
		f.Status, f.StatusKey = shown, fingerprint(code)
	}
}

// localTime reads a successTime as if it were UTC. The pages give it in the country's local
// time, without a zone (paypro-api.md §4.3). It returns zero for a text that it can't read as a
// time.
func localTime(text string) time.Time {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// describeStatus names an HTTP status other than 200. No page says how the provider uses these,
// so none of them says anything about a payout.
func describeStatus(status int) string {
	if status >= 300 && status < 400 {
		return fmt.Sprintf("HTTP %d: redirects are not followed, a repeated payout could pay twice", status)
	}
	return fmt.Sprintf("HTTP %d", status)
}

// maxPause limits what a Retry-After can ask for: a mistake of the provider's must not stop a
// merchant for a day.
const maxPause = 10 * time.Minute

// saysTooFast tells whether the operator listed the answer's code or status in too_fast.codes.
// It holds for sends and queries, whatever else the answer says.
func (c *Client) saysTooFast(a answer) bool {
	return slices.Contains(c.tooFastCodes, a.code) || slices.Contains(c.tooFastCodes, a.status)
}

// pauseAsked returns the pause that a 429 or 503 asks for with Retry-After; 0 = none.
func (r reply) pauseAsked() time.Duration {
	if r.status != http.StatusTooManyRequests && r.status != http.StatusServiceUnavailable {
		return 0
	}
	return r.readRetryAfter()
}

// readRetryAfter reads a Retry-After, in seconds or as a date. It returns 0 for a missing or
// unreadable one, maxPause at most.
func (r reply) readRetryAfter() time.Duration {
	if seconds, err := strconv.ParseUint(r.retryAfter, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxPause)
	}
	if at, err := http.ParseTime(r.retryAfter); err == nil {
		return max(0, min(time.Until(at), maxPause))
	}
	return 0
}
