package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client asks a back office.
type Client struct {
	URL   string // without the path
	Token string
	HTTP  *http.Client // nil: one of its own
}

// askFor is how long an answer may take, mostOfAnswer how large it may be.
const (
	askFor       = 30 * time.Second
	mostOfAnswer = 64 << 20
)

// Error is the detail, and everything that is wrong.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for i, f := range p.Faults {
		text += map[bool]string{true: ": ", false: "; "}[i == 0] + f.String()
	}
	return text
}

// ErrNoAnswer is wrapped by errors of a back office that can't be reached, or that gives no answer that can be read.
var ErrNoAnswer = errors.New("the back office doesn't answer")

// own never follows another address: the token is for this one.
var own = &http.Client{Timeout: askFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Get asks for one thing. An error of the back office is a *Problem.
func Get[T any](ctx context.Context, c Client, path string, query url.Values) (answer T, err error) {
	return do[T](ctx, c, http.MethodGet, path, query, "", nil)
}

// Post says a value, as JSON.
func Post[T any](ctx context.Context, c Client, path string, query url.Values, value any) (answer T, err error) {
	body, err := json.Marshal(value)
	if err != nil {
		return answer, err
	}
	return do[T](ctx, c, http.MethodPost, path, query, "application/json", bytes.NewReader(body))
}

// Send sends a body as it is. It may take as long as it takes.
func Send[T any](ctx context.Context, c Client, path string, query url.Values, contentType string, body io.Reader) (answer T, err error) {
	if c.HTTP == nil {
		c.HTTP = &http.Client{CheckRedirect: own.CheckRedirect}
	}
	return do[T](ctx, c, http.MethodPost, path, query, contentType, struct{ io.Reader }{body}) // whoever has opened it closes it
}

func do[T any](ctx context.Context, c Client, method, path string, query url.Values, contentType string, body io.Reader) (answer T, err error) {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	response, err := c.open(ctx, method, path, query, header, body)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostOfAnswer))
	if err != nil {
		return answer, fmt.Errorf("%w at %s: %w", ErrNoAnswer, c.URL, err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("%w at %s as one does: %w", ErrNoAnswer, c.URL, err)
	}
	return answer, nil
}

// open asks, and answers what the back office says if it says yes. Whoever opens it closes its body.
func (c Client) open(ctx context.Context, method, path string, query url.Values, header http.Header, body io.Reader) (*http.Response, error) {
	address := strings.TrimSuffix(c.URL, "/") + "/api/v1" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no address", ErrNoAnswer, c.URL)
	}
	request.Header = header
	request.Header.Set("Authorization", "Bearer "+c.Token)
	client := c.HTTP
	if client == nil {
		client = own
	}
	response, err := client.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) { // its text has the whole question, and so a payee perhaps
			err = cause.Err
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrNoAnswer, c.URL, err)
	}
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return response, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostOfAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrNoAnswer, c.URL, err)
	}
	bad := &BadFile{}
	if response.StatusCode == http.StatusUnprocessableEntity && json.Unmarshal(text, bad) == nil && len(bad.Problems) > 0 {
		return nil, bad
	}
	problem := &Problem{Title: response.Status}
	_ = json.Unmarshal(text, problem) // a proxy's answer may be anything
	problem.Status = response.StatusCode
	return nil, problem
}

// Each asks for all pages of payouts, and answers one payout after the other. After an error nothing follows.
func (c Client) Each(ctx context.Context, query url.Values) iter.Seq2[Payout, error] {
	return each(ctx, c, "/payouts", query, func(page Payouts) ([]Payout, string) { return page.Payouts, page.Next })
}

// each asks for all pages of a list, and answers what stands on them. After an error nothing follows.
func each[P, T any](ctx context.Context, c Client, path string, query url.Values, of func(page P) (all []T, next string)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query.Set("limit", "1000")
		for {
			page, err := Get[P](ctx, c, path, query)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			all, next := of(page)
			for _, one := range all {
				if !yield(one, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			query.Set("cursor", next)
		}
	}
}
