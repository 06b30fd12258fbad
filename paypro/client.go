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

// Client calls the provider for one merchant. It is safe for concurrent use.
type Client struct {
	name             string
	base             string // base URL without a slash at its end
	merchantNo       string
	notifyURL        string
	noRecordCodes    []string // outer codes of a query that mean "no such order"
	noDataIsNoRecord bool     // a query's code 0000 without data means that too
	tooFastCodes     []string // outer codes and data.statuses that mean "you call too often"
	secret           secrets.Secret
	operatorMask     mask // hides the secret and the values of Extra
	signer           signer
	profile          profile           // the country's, with the operator's changes
	requestHeads     map[string][]byte // the first header lines of a request, by path
	pool             *connPool
}

// New makes the client of a merchant. Its error joins everything that is wrong with the
// settings; each part begins with the name of the setting. A nil dial uses the real network.
// New connects to nothing.
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

// unknownCountry is the error for a country without a profile; it lists those that have one.
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

// Send orders one payout (page <country>/payout, paypro-api.md §3). It makes one attempt.
// latest is the write deadline: from then on no byte is written, and a zero latest counts as
// passed. stopped is asked before each write, and says why nothing may leave after all, "" if it may.
//
// The finding is NotSent or Stopped only if no byte of the request left. Errors of the network are
// findings too; their Detail says what failed. The caller must hold the lease, and its decision
// to send must be acknowledged (protocol S1, S3).
func (c *Client) Send(ctx context.Context, cmd payout.Command, latest time.Time, stopped func() string) finding.Finding {
	if latest.IsZero() {
		return finding.Finding{Kind: finding.NotSent, Detail: errTooLate.Error()}
	}
	r := c.exchange(ctx, c.payoutRequest(cmd, time.Now()), limits{latest, stopped})
	if r.unsent && r.stopped {
		return finding.Finding{Kind: finding.Stopped, Detail: r.problem}
	}
	if r.unsent {
		return finding.Finding{Kind: finding.NotSent, Detail: cmp.Or(r.problem, describeStatus(r.status))}
	}
	return c.judge(sendVerdict, cmd, r)
}

// Ask asks for the outcome of a command's tradeNo (page <country>/payoutQuery, paypro-api.md
// §4.3). Only the tradeNo is sent. The rest of the command is used to read the answer: to
// compare the amount and to mask payee data. latest is the write deadline. A zero latest is no
// limit, because a late query changes nothing.
func (c *Client) Ask(ctx context.Context, cmd payout.Command, latest time.Time) finding.Finding {
	r := c.exchange(ctx, c.queryRequest(cmd.TradeNo, time.Now()), limits{latest: latest})
	return c.judge(c.queryVerdict, cmd, r)
}

// Unverified lists, in sentences, which of this merchant's settings rest on no page of the
// provider, or on pages that contradict each other.
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

// Currency is the country's currency by ISO 4217. No request carries it.
func (c *Client) Currency() string { return c.profile.currency }

// Close closes the idle connections. A connection in use is closed when its call ends.
func (c *Client) Close() { c.pool.close() }

// reply is the result of one exchange: an answer, or the reason why there is none.
type reply struct {
	status     int    // of HTTP; 0 = no answer
	retryAfter string // the Retry-After header as it came
	body       []byte
	problem    string // why there is no readable answer, for a person; "" = there is one
	unsent     bool   // no byte of the request left
	stopped    bool   // a person's action forbade to write on
}

// exchange sends one request and returns the answer to it. It makes one attempt.
func (c *Client) exchange(ctx context.Context, o apiRequest, to limits) reply {
	request, err := c.encode(o)
	switch {
	case err != nil:
		return reply{unsent: true, problem: "the request could not be built: " + err.Error()}
	case isPast(to.latest):
		return reply{unsent: true, problem: errTooLate.Error()}
	}
	return c.pool.exchange(ctx, request, to)
}
