package paypro

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"disburser/payout"
)

// noRemark goes where a country requires a remark and the command has none
// (egypt, brazil and pakistan payout).
const noRemark = "-"

// order is one request before it becomes HTTP: where it goes and what it says.
type order struct {
	path   string
	params map[string]string // without the sign
	bare   bool              // neither body nor sign
}

// sendOrder is the payout itself: the payee's fields first, so that none of them
// could ever replace the amount or the tradeNo.
func (c *Client) sendOrder(cmd payout.Command, now time.Time) order {
	params := c.profile.known(cmd.Payee.Reveal())
	params["tradeNo"] = cmd.TradeNo
	params["amount"] = cmd.Amount.String()
	params["notifyUrl"] = c.notifyURL
	params["timestamp"] = millis(now)
	params["remark"] = cmd.Remark
	if cmd.Remark == "" && c.profile.remarkRequired {
		params["remark"] = noRemark
	}
	return order{path: c.profile.paths.Send, params: params}
}

// known keeps the payee fields that the country has.
func (p profile) known(payee map[string]string) map[string]string {
	params := make(map[string]string, len(payee)+len(ownNames))
	for name, value := range payee {
		if _, ok := p.fields[name]; ok || p.anyPayee && !slices.Contains(ownNames, name) {
			params[name] = value
		}
	}
	return params
}

// askOrder asks for one tradeNo; the provider knows no other key.
func (c *Client) askOrder(tradeNo string, now time.Time) order {
	params := map[string]string{"tradeNo": tradeNo}
	if !c.profile.askWithoutTimestamp {
		params["timestamp"] = millis(now)
	}
	return order{path: c.profile.paths.Query, params: params}
}

func (c *Client) balanceOrder(now time.Time) order {
	return order{
		path:   c.profile.paths.Balance,
		params: map[string]string{"timestamp": millis(now)},
		bare:   c.profile.bareBalance,
	}
}

// millis is the provider's timestamp: 13 digits.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// request makes HTTP of an order. GetBody is taken away: with it Go's transport
// would repeat a request by itself when a connection turns out to be dead, and
// whether to repeat is not the client's to decide.
func (c *Client) request(ctx context.Context, o order) (*http.Request, error) {
	sign := c.signer.sign(o.params)
	body, err := c.body(o, sign)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+o.path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request for %s: %w", c.base+o.path, err)
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "disburser")
	// The pages spell it merchantNo. Header names have no case in HTTP, but not
	// every server knows, so it goes out as it is spelled.
	req.Header["merchantNo"] = []string{c.merchantNo}
	if !o.bare && c.profile.signIn != signBody {
		req.Header["sign"] = []string{sign}
	}
	return req, nil
}

// body writes the parameters as one JSON object. Empty ones are left out: what
// the signature skips is not sent either.
func (c *Client) body(o order, sign string) ([]byte, error) {
	if o.bare {
		return nil, nil
	}
	values := make(map[string]any, len(o.params)+1)
	for name, value := range o.params {
		if value != "" {
			values[name] = c.profile.jsonValue(name, value)
		}
	}
	if c.profile.signIn != signHeader {
		values["sign"] = sign
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // a & in the notifyUrl goes as it is signed
	if err := encoder.Encode(values); err != nil {
		return nil, fmt.Errorf("write the request as JSON: %w", err)
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}

// jsonValue is a string, except where the country's page shows a number.
func (p profile) jsonValue(name, value string) any {
	if p.numbers && (name == "amount" || name == "timestamp") {
		return json.Number(value)
	}
	return value
}
