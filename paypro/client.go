package paypro

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/secrets"
)

// Client talks to the provider for one merchant. It is safe for concurrent use.
type Client struct {
	name             string
	base             string // base URL without a slash at its end
	merchantNo       string
	notifyURL        string
	noRecordCodes    []string // outer codes
	noDataIsNoRecord bool     // code 0000 without data says so too
	tooFastCodes     []string // outer codes and data.statuses
	secret           secrets.Secret
	operatorMask     mask
	signer           signer
	profile          profile           // the country's, with the operator's changes
	requestHeads     map[string][]byte // how a request begins, by path
	pool             *connPool
}

// New makes a merchant's client, or says everything that is wrong with its
// settings. A nil dial is the real network. It connects to nothing.
func New(s Settings, dial Dial) (*Client, error) {
	s = s.withDefaults()
	errs := s.problems()
	own, ok := findCountry(s.Country)
	if !ok {
		return nil, errors.Join(append(errs, inSetting("country", unknownCountry(s.Country)))...)
	}
	p, more := s.applyTo(own)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	base, err := url.Parse(strings.TrimRight(s.BaseURL, "/"))
	if err != nil {
		return nil, inSetting("base_url", errors.New("is no URL"))
	}
	c := &Client{
		name:             s.Name,
		base:             strings.TrimRight(s.BaseURL, "/"),
		merchantNo:       s.MerchantNo,
		notifyURL:        s.NotifyURL,
		noRecordCodes:    slices.Clone(s.NoRecordCodes),
		noDataIsNoRecord: s.NoRecordEmpty,
		tooFastCodes:     slices.Clone(s.TooFastCodes),
		secret:           s.Secret,
		operatorMask:     newOperatorMask(s.Secret, p.extra),
		signer:           signer{s.Secret, s.Salt == saltPrefix},
		profile:          p,
		requestHeads:     map[string][]byte{},
		pool:             newConnPool(base, dial, s.Timeout),
	}
	for _, path := range []string{p.paths.Send, p.paths.Query, p.paths.Balance} {
		c.requestHeads[path] = c.requestHead(base, path)
	}
	return c, nil
}

func unknownCountry(country string) error {
	var names []string
	for _, c := range Countries() {
		names = append(names, c.Name)
	}
	if country == "" {
		return fmt.Errorf("is required: one of %s", strings.Join(names, ", "))
	}
	return fmt.Errorf("%q is unknown: use one of %s", country, strings.Join(names, ", "))
}

// Send orders one payout, once. Not one byte is written from latest on; a zero
// latest has passed. Whoever calls it holds the lease and has the decision
// acknowledged (protocol S1, S3).
func (c *Client) Send(ctx context.Context, cmd payout.Command, latest time.Time) finding.Finding {
	if latest.IsZero() {
		return finding.Finding{Kind: finding.NotSent, Detail: errTooLate.Error()}
	}
	r := c.exchange(ctx, c.payoutRequest(cmd, time.Now()), latest)
	if r.unsent {
		return finding.Finding{Kind: finding.NotSent, Detail: cmp.Or(r.problem, describeStatus(r.status))}
	}
	return c.judge(sendVerdict, cmd, r)
}

// Ask asks what became of a command's tradeNo; the rest of it is what the answer is looked
// at with. A zero latest is no limit: asking harms nobody.
func (c *Client) Ask(ctx context.Context, cmd payout.Command, latest time.Time) finding.Finding {
	r := c.exchange(ctx, c.queryRequest(cmd.TradeNo, time.Now()), latest)
	return c.judge(c.queryVerdict, cmd, r)
}

// Unverified says in sentences what of this merchant rests on no page of the
// provider, or on pages that disagree.
func (c *Client) Unverified() []string {
	var list []string
	for _, d := range slices.Concat(commonQuestions, c.profile.openQuestions) {
		list = append(list, d.text)
	}
	if !c.profile.verified {
		list = append(list, "country: "+c.profile.name+" is only partly documented and was accepted by accept_unverified")
	}
	return list
}

// Currency is the country's own, by ISO 4217.
func (c *Client) Currency() string { return c.profile.currency }

// Close closes the idle connections; those in use close with their calls.
func (c *Client) Close() { c.pool.close() }

// reply is what came back: an answer, or the problem instead of one.
type reply struct {
	status     int
	retryAfter string
	body       []byte
	problem    string // why there is no readable answer, for a person
	unsent     bool   // proven: no byte of the request left
}

// exchange carries one order to the provider and an answer back, with one attempt and
// one deadline.
func (c *Client) exchange(ctx context.Context, o apiRequest, latest time.Time) reply {
	request, err := c.encode(o)
	switch {
	case err != nil:
		return reply{unsent: true, problem: "the request could not be built: " + err.Error()}
	case isPast(latest):
		return reply{unsent: true, problem: errTooLate.Error()}
	}
	return c.pool.exchange(ctx, request, latest)
}
