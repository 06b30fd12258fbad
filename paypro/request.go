package paypro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"disburser/payout"
)

// emptyRemark is sent where a country requires a remark and the command has none (egypt/payout,
// brazil/payout, pakistan/payout).
const emptyRemark = "-"

// apiRequest is a call of the provider's API before it is encoded as HTTP.
type apiRequest struct {
	path       string
	params     map[string]string // without the sign
	headerOnly bool              // the call has neither body nor sign
}

// payoutRequest orders a payout (page <country>/payout). It sets the payee's fields first: so
// none of them can replace the amount or the tradeNo.
func (c *Client) payoutRequest(cmd payout.Command, now time.Time) apiRequest {
	params := c.profile.payeeParams(cmd.Payee.Reveal())
	params["tradeNo"] = cmd.TradeNo
	params["amount"] = cmd.Amount.String()
	params["notifyUrl"] = c.notifyURL
	params["timestamp"] = millis(now)
	params["remark"] = cmd.Remark
	if cmd.Remark == "" && c.profile.remarkRequired {
		params["remark"] = emptyRemark
	}
	maps.Copy(params, c.profile.extra.Send) // checked: none has a name used above
	return apiRequest{path: c.profile.paths.Send, params: params}
}

// payeeParams returns the payee fields that the country has. The map has room for the other
// parameters.
func (p profile) payeeParams(payee map[string]string) map[string]string {
	params := make(map[string]string, len(payee)+len(reservedNames))
	for name, value := range payee {
		if _, ok := p.fields[name]; ok || p.anyPayee && !slices.Contains(reservedNames, name) {
			params[name] = value
		}
	}
	return params
}

// queryRequest asks for one tradeNo (page <country>/payoutQuery). The provider documents no
// other key.
func (c *Client) queryRequest(tradeNo string, now time.Time) apiRequest {
	params := map[string]string{"tradeNo": tradeNo}
	if !c.profile.queryWithoutTimestamp {
		params["timestamp"] = millis(now)
	}
	maps.Copy(params, c.profile.extra.Query)
	return apiRequest{path: c.profile.paths.Query, params: params}
}

// balanceRequest asks for the balance (page <country>/balance).
func (c *Client) balanceRequest(now time.Time) apiRequest {
	params := map[string]string{"timestamp": millis(now)}
	maps.Copy(params, c.profile.extra.Balance)
	return apiRequest{path: c.profile.paths.Balance, params: params, headerOnly: c.profile.balanceHeaderOnly}
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
	names := sortedNames(o.params)
	sign := c.signer.sign(names, o.params)
	body, err := c.body(o, names, sign)
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

// body writes the parameters as one JSON object, with the signature if it belongs there. Empty
// parameters are left out: the signature skips them too.
func (c *Client) body(o apiRequest, names []string, sign string) ([]byte, error) {
	if o.headerOnly {
		return nil, nil
	}
	if c.profile.signIn != signHeader {
		at, _ := slices.BinarySearch(names, "sign")
		names = slices.Insert(slices.Clone(names), at, "sign")
	}
	body := make([]byte, 0, 512)
	for _, name := range names {
		value := o.params[name]
		if name == "sign" {
			value = sign
		}
		if value == "" {
			continue
		}
		body = append(body, ',')
		var err error
		if body, err = appendJSONString(body, name); err != nil {
			return nil, err
		}
		body = append(body, ':')
		if c.profile.jsonNumbers && (name == "amount" || name == "timestamp") { // the country's page shows JSON numbers
			body = append(body, value...)
			continue
		}
		if body, err = appendJSONString(body, value); err != nil {
			return nil, err
		}
	}
	if len(body) == 0 {
		return []byte("{}"), nil
	}
	body[0] = '{'
	return append(body, '}'), nil
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
