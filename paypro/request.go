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

// noRemark goes where a country requires a remark and the command has none
// (egypt, brazil and pakistan payout).
const emptyRemark = "-"

// order is one request before it becomes HTTP: where it goes and what it says.
type apiRequest struct {
	path       string
	params     map[string]string // without the sign
	headerOnly bool              // neither body nor sign
}

// sendOrder is the payout itself: the payee's fields first, so that none of them
// could ever replace the amount or the tradeNo.
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
	maps.Copy(params, c.profile.extra.Send) // none of them has a name of the above
	return apiRequest{path: c.profile.paths.Send, params: params}
}

// known keeps the payee fields that the country has.
func (p profile) payeeParams(payee map[string]string) map[string]string {
	params := make(map[string]string, len(payee)+len(reservedNames))
	for name, value := range payee {
		if _, ok := p.fields[name]; ok || p.anyPayee && !slices.Contains(reservedNames, name) {
			params[name] = value
		}
	}
	return params
}

// askOrder asks for one tradeNo; the provider knows no other key.
func (c *Client) queryRequest(tradeNo string, now time.Time) apiRequest {
	params := map[string]string{"tradeNo": tradeNo}
	if !c.profile.queryWithoutTimestamp {
		params["timestamp"] = millis(now)
	}
	maps.Copy(params, c.profile.extra.Query)
	return apiRequest{path: c.profile.paths.Query, params: params}
}

func (c *Client) balanceRequest(now time.Time) apiRequest {
	params := map[string]string{"timestamp": millis(now)}
	maps.Copy(params, c.profile.extra.Balance)
	return apiRequest{path: c.profile.paths.Balance, params: params, headerOnly: c.profile.balanceHeaderOnly}
}

// millis is the provider's timestamp: 13 digits.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// head writes how each request to a path begins: all that is the same for all of them.
// The pages spell it merchantNo. Header names have no case in HTTP, but not every
// server knows, so it goes out as it is spelled.
func (c *Client) requestHead(base *url.URL, path string) []byte {
	return fmt.Appendf(nil, "POST %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: disburser\r\nContent-Type: application/json\r\nAccept-Encoding: identity\r\nmerchantNo: %s\r\n",
		base.EscapedPath(), path, base.Host, c.merchantNo)
}

// request makes HTTP of an order.
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

// body writes the parameters as one JSON object, sign among them where it belongs.
// Empty ones are left out: what the signature skips is not sent either.
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
		if c.profile.jsonNumbers && (name == "amount" || name == "timestamp") { // the country's page shows a number
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

// appendText appends a text as JSON. An & or < stays as it is signed.
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
