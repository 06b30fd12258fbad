package paypro

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"disburser/payout"
)

const (
	// maxAnswer bounds a body; the provider's are a few hundred bytes.
	maxAnswer = 1 << 20
	// maxHeader bounds an answer's header.
	maxHeader = 64 << 10

	// maxIdle is above twice the slots that a process works with (128 by default), so
	// that a full load never closes connections that it needs a moment later.
	maxIdle = 4096

	// idleFor is shorter than the shortest keep-alive among usual servers (Node:
	// 5s). A request written to a connection that the server is just closing is
	// Unclear, and may end up before a person; a new connection costs a round trip.
	idleFor = 4 * time.Second
)

// Client talks to the provider for one merchant. It is safe for concurrent use.
type Client struct {
	name       string
	base       string // base URL without a slash at its end
	merchantNo string
	notifyURL  string
	timeout    time.Duration
	noRecord   []string // outer codes
	tooFast    []string // outer codes and data.statuses
	secret     payout.Secret
	signer     signer
	profile    profile         // the country's, with the operator's changes
	transport  *http.Transport // used directly: nothing here could follow a redirect or keep a cookie
}

// New makes a merchant's client, or says everything that is wrong with its
// settings. A nil dial is the real network. It connects to nothing.
func New(s Settings, dial Dial) (*Client, error) {
	s = s.withDefaults()
	errs := s.problems()
	own, ok := find(s.Country)
	if !ok {
		return nil, errors.Join(append(errs, wrong("country", unknownCountry(s.Country)))...)
	}
	p, more := s.applyTo(own)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &Client{
		name:       s.Name,
		base:       strings.TrimRight(s.BaseURL, "/"),
		merchantNo: s.MerchantNo,
		notifyURL:  s.NotifyURL,
		timeout:    s.Timeout,
		noRecord:   slices.Clone(s.NoRecordCodes),
		tooFast:    slices.Clone(s.TooFastCodes),
		secret:     s.Secret,
		signer:     signer{s.Secret, s.Salt == saltPrefix},
		profile:    p,
		transport:  transport(watched(dial, s.Timeout), s.Timeout),
	}, nil
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

// transport is HTTP/1.1 over the given dial and nothing else: no proxy (not even
// from the environment: it would stand between us and the proof), no HTTP/2 (many
// requests would share a connection, and its bytes belong to nobody), TLS verified.
func transport(dial Dial, timeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleFor,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Send orders one payout, once. Not one byte is written from latest on; a zero
// latest has passed. Whoever calls it holds the lease and has the decision
// acknowledged (protocol S1, S3).
func (c *Client) Send(ctx context.Context, cmd payout.Command, latest time.Time) payout.Finding {
	if latest.IsZero() {
		return payout.Finding{Kind: payout.NotSent, Detail: errTooLate.Error()}
	}
	r := c.exchange(ctx, c.sendOrder(cmd, time.Now()), latest)
	if r.unsent {
		return payout.Finding{Kind: payout.NotSent, Detail: cmp.Or(r.problem, unexpected(r.status))}
	}
	return c.judge(sendVerdict, cmd.TradeNo, r, c.hide(cmd))
}

// Ask asks what became of a tradeNo. A zero latest is no limit: asking harms nobody.
func (c *Client) Ask(ctx context.Context, tradeNo string, latest time.Time) payout.Finding {
	r := c.exchange(ctx, c.askOrder(tradeNo, time.Now()), latest)
	return c.judge(c.askVerdict, tradeNo, r, []string{c.secret.Reveal()})
}

// hide lists what must not show in the provider's words about a command.
func (c *Client) hide(cmd payout.Command) []string {
	values := []string{c.secret.Reveal()}
	for _, value := range cmd.Payee.Reveal() {
		values = append(values, value)
	}
	return values
}

// Unverified says in sentences what of this merchant rests on no page of the
// provider, or on pages that disagree.
func (c *Client) Unverified() []string {
	var list []string
	for _, d := range slices.Concat(everywhere, c.profile.doubts) {
		list = append(list, d.says)
	}
	if !c.profile.verified {
		list = append(list, "country: "+c.profile.name+" is only partly documented and was accepted by accept_unverified")
	}
	return list
}

// Close closes the idle connections; those in use close with their calls.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// reply is what came back: an answer, or the problem instead of one.
type reply struct {
	status     int
	retryAfter string
	body       []byte
	problem    string // why there is no readable answer, for a person
	unsent     bool   // proven: no byte of the request left
}

// exchange carries one order to the provider and back, with one attempt and one
// deadline. The call is sealed at the end, whatever happened. An answer that was
// there before the request is somebody else's: a late one, on a connection that
// was used before.
func (c *Client) exchange(ctx context.Context, o order, latest time.Time) (r reply) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	k := newCall(latest)
	defer func() { r.unsent = k.seal() }()

	req, err := c.request(k.traced(ctx), o)
	switch {
	case err != nil:
		return reply{problem: "the request could not be built: " + err.Error()}
	case passed(latest):
		return reply{problem: errTooLate.Error()}
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{problem: c.describe(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	r = c.receive(resp)
	if r.status == http.StatusOK && r.problem == "" && !k.answerable(ctx) {
		r.problem = "the answer came before the request was written"
	}
	return r
}

// receive reads the answer to its end, so that the connection can be used again,
// but no further than the limit. A 101 has no end that a deadline would reach.
func (c *Client) receive(resp *http.Response) reply {
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return r
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		r.problem = c.describe(err)
	case len(body) > maxAnswer:
		r.problem = "the answer is longer than 1 MiB"
	}
	r.body = body
	return r
}

// describe says what went wrong on the way, in words of our own: errors of
// net/http quote lines of the answer, which may hold people's data. Only errors
// that name nothing but addresses are printed.
func (c *Client) describe(err error) string {
	var (
		dial *dialError
		op   *net.OpError
		late net.Error
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errTooLate), errors.Is(err, errSealed):
		return errTooLate.Error()
	case errors.As(err, &dial):
		return "no connection: " + oneLine(dial.Error(), maxText)
	case errors.As(err, &late) && late.Timeout(): // context.DeadlineExceeded is one too
		return fmt.Sprintf("no whole answer before the deadline (timeout %v)", c.timeout)
	case errors.Is(err, context.Canceled):
		return "the caller stopped waiting"
	case errors.As(err, &cert):
		return "no connection: the server's certificate is not accepted: " + oneLine(cert.Err.Error(), maxText)
	case errors.As(err, &op):
		return "the connection failed: " + oneLine(op.Error(), maxText)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection before the whole answer"
	}
	return "the connection broke, or what came back is no HTTP answer"
}
