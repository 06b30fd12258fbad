package main

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the provider's algorithm
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// provider calls Paypro as its pages say for Egypt, in the plainest way.
type provider struct {
	Base       string `name:"provider" required:"" placeholder:"URL" help:"The provider's base URL. {merchant} in it is the name of the command's merchant."`
	MerchantNo string `name:"merchant-no" required:"" placeholder:"NUMBER" help:"The merchant's number. {number} in it are the digits in the merchant's name."`
	Secret     string `name:"secret" required:"" placeholder:"TEXT" help:"The merchant's secret."`

	transport *http.Transport
}

// newTransport has the settings of the service's client: HTTP/1.1, connections kept.
func newTransport() *http.Transport {
	return &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: 4 * time.Second}
}

type answer struct {
	Code, Msg string
	Data      struct{ Status, Message, PlatFormTradeNo, Amount, SuccessTime string }
}

func (p *provider) send(ctx context.Context, c command) (answer, error) {
	params := maps.Clone(c.Payee)
	params["tradeNo"], params["amount"], params["remark"] = c.TradeNo, c.Amount, c.Remark
	params["notifyUrl"] = "https://merchant.test/notify"
	return p.call(ctx, c.Merchant, "/v1/paypro/payOut", params)
}

func (p *provider) ask(ctx context.Context, c command) (answer, error) {
	return p.call(ctx, c.Merchant, "/v1/paypro/queryPayOutResult", map[string]string{"tradeNo": c.TradeNo})
}

func (p *provider) call(ctx context.Context, merchant, path string, params map[string]string) (a answer, err error) {
	params["timestamp"] = strconv.FormatInt(time.Now().UnixMilli(), 10)
	params["sign"] = p.sign(params)
	body, err := json.Marshal(params)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.ReplaceAll(p.Base, "{merchant}", merchant)+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header["merchantNo"] = []string{strings.ReplaceAll(p.MerchantNo, "{number}", strings.TrimLeft(merchant, "abcdefghijklmnopqrstuvwxyz-"))}
	res, err := p.transport.RoundTrip(request)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return a, fmt.Errorf("HTTP %d: %w", res.StatusCode, err)
	}
	return a, json.Unmarshal(text, &a)
}

func (p *provider) sign(params map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" {
			text.WriteString(name + "=" + params[name])
		}
	}
	sum := md5.Sum([]byte(text.String() + p.Secret)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}
