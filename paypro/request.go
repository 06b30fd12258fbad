package paypro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/payout"
)

// emptyRemark is sent where a country requires a remark and the command has none (egypt/payout,
// brazil/payout, pakistan/payout).
const emptyRemark = "-"

// apiRequest is a call of the provider's API before it is encoded as HTTP.
type apiRequest struct {
	path       string
	params     params // without the sign
	headerOnly bool   // the call has neither body nor sign
}

// params are the parameters of a call. A later one of a name replaces an earlier one.
type params []param

type param struct{ name, value string }

func (p *params) set(name, value string) { *p = append(*p, param{name, value}) }

func (p *params) setAll(values map[string]string) {
	for name, value := range values {
		p.set(name, value)
	}
}

// inOrder sorts them in canonical order: ascending by the whole name, capitals before lower case. So does
// Collections.sort in the Java sample (*/overview). The prose beside it says "by first letter" (paypro-api.md §2.1).
func (p params) inOrder() params {
	slices.SortStableFunc(p, func(a, b param) int { return strings.Compare(a.name, b.name) })
	kept := p[:0]
	for i, each := range p {
		if i+1 == len(p) || p[i+1].name != each.name {
			kept = append(kept, each)
		}
	}
	return kept
}

// payoutRequest orders a payout (page <country>/payout). It sets the payee's fields first: so
// none of them can replace the amount or the tradeNo.
func (c *Client) payoutRequest(cmd payout.Command, now time.Time) apiRequest {
	p := make(params, 0, usualParams)
	for name, value := range cmd.Payee.Revealed() {
		if c.profile.hasPayeeField(name) {
			p.set(name, value)
		}
	}
	p.set("tradeNo", cmd.TradeNo)
	p.set("amount", cmd.Amount.String())
	p.set("notifyUrl", c.notifyURL)
	p.set("timestamp", millis(now))
	remark := cmd.Remark
	if remark == "" && c.profile.remarkRequired {
		remark = emptyRemark
	}
	p.set("remark", remark)
	p.setAll(c.profile.extra.Send) // checked: none has a name used above
	return apiRequest{path: c.profile.paths.Send, params: p}
}

// usualParams is how many parameters a payout has at most, nearly always.
const usualParams = 12

// hasPayeeField tells whether a payee field of that name is sent.
func (p profile) hasPayeeField(name string) bool {
	_, has := p.fields[name]
	return has || p.anyPayee && !slices.Contains(reservedNames, name)
}

// queryRequest asks for one tradeNo (page <country>/payoutQuery). The provider documents no
// other key.
func (c *Client) queryRequest(tradeNo string, now time.Time) apiRequest {
	p := params{{"tradeNo", tradeNo}}
	if !c.profile.queryWithoutTimestamp {
		p.set("timestamp", millis(now))
	}
	p.setAll(c.profile.extra.Query)
	return apiRequest{path: c.profile.paths.Query, params: p}
}

// balanceRequest asks for the balance (page <country>/balance).
func (c *Client) balanceRequest(now time.Time) apiRequest {
	p := params{{"timestamp", millis(now)}}
	p.setAll(c.profile.extra.Balance)
	return apiRequest{path: c.profile.paths.Balance, params: p, headerOnly: c.profile.balanceHeaderOnly}
}

// millis is the provider's timestamp: milliseconds since 1970, 13 digits (paypro-api.md §3).
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// requestHead writes the header lines that are the same for all requests to a path. The name
// merchantNo keeps its letter case: HTTP ignores it, but a server may not.
func (c *Client) requestHead(base *url.URL, path string) []byte {
	return fmt.Appendf(nil, "POST %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: disburser\r\nContent-Type: application/json\r\nAccept-Encoding: identity\r\nmerchantNo: %s\r\n",
		base.EscapedPath(), path, base.Host, c.merchantNo)
}

// encode writes a call as an HTTP request, with its signature in the header, the body or both
// (paypro-api.md §2.4).
func (c *Client) encode(o apiRequest) ([]byte, error) {
	o.params = o.params.inOrder()
	sign := c.signer.sign(o.params)
	var room [usualBody]byte
	body, err := c.body(room[:0], o, sign)
	if err != nil {
		return nil, err
	}
	head := c.requestHeads[o.path]
	text := make([]byte, 0, len(head)+len(body)+96)
	text = append(text, head...)
	if !o.headerOnly && c.profile.signIn != signBody {
		text = append(append(append(text, "sign: "...), sign...), "\r\n"...)
	}
	text = strconv.AppendInt(append(text, "Content-Length: "...), int64(len(body)), 10)
	return append(append(text, "\r\n\r\n"...), body...), nil
}

// usualBody is how many bytes a body has at most, nearly always.
const usualBody = 512

// body appends the parameters as one JSON object, with the signature if it belongs there. Empty
// parameters are left out: the signature skips them too.
func (c *Client) body(to []byte, o apiRequest, sign string) (body []byte, err error) {
	if o.headerOnly {
		return nil, nil
	}
	unsigned := c.profile.signIn != signHeader
	body = to
	for _, p := range o.params {
		if unsigned && p.name > "sign" {
			if body, err = c.appendField(body, param{"sign", sign}); err != nil {
				return nil, err
			}
			unsigned = false
		}
		if p.name == "sign" { // only the signature has that name
			continue
		}
		if body, err = c.appendField(body, p); err != nil {
			return nil, err
		}
	}
	if unsigned {
		if body, err = c.appendField(body, param{"sign", sign}); err != nil {
			return nil, err
		}
	}
	if len(body) == 0 {
		return append(body, "{}"...), nil
	}
	body[0] = '{'
	return append(body, '}'), nil
}

// appendField appends a comma, a name and its value, or nothing where that is empty.
func (c *Client) appendField(to []byte, p param) (_ []byte, err error) {
	if p.value == "" {
		return to, nil
	}
	if to, err = appendJSONString(append(to, ','), p.name); err != nil {
		return nil, err
	}
	to = append(to, ':')
	if c.profile.jsonNumbers && (p.name == "amount" || p.name == "timestamp") { // the country's page shows JSON numbers
		return append(to, p.value...), nil
	}
	return appendJSONString(to, p.value)
}

// appendJSONString appends a text as a JSON string. It doesn't escape & and <, so that the sent
// text is the signed one.
func appendJSONString(to []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			buffer := bytes.NewBuffer(to)
			encoder := json.NewEncoder(buffer)
			encoder.SetEscapeHTML(false)
			if err := encoder.Encode(text); err != nil {
				return nil, fmt.Errorf("write the request as JSON: %w", err)
			}
			return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
		}
	}
	return append(append(append(to, '"'), text...), '"'), nil
}
