package paysim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxBody limits the body of a request, in bytes. It is far more than a payout needs, and keeps
// a broken client from filling the memory.
const maxBody = 64 << 10

// call is a request of a known merchant.
type call struct {
	op      op
	params  params
	sign    string // the header's
	problem string // why the body can't be read, "" if it can
}

// answer is a decided answer, and how it reaches the client.
type answer struct {
	status   int
	retry    string // Retry-After; "" = none
	body     []byte
	wait     time.Duration
	noAnswer bool // hangs until the client leaves
	cut      bool // closes the connection instead
}

// ServeHTTP is Paypro's API. HTTP status codes are [U]. The simulator answers 404 for a path of
// another country and 405 for another method, as web servers do. Every answer of Paypro itself
// has HTTP 200 and an outer code.
//
// A lost reply panics with http.ErrAbortHandler, as net/http requires: use an http.Server. A
// hang without HangFor ends with the request's context only.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.paths[r.URL.Path] {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	a := s.merchants[r.Header.Get("merchantNo")]
	if a == nil {
		refusal("merchantNo is unknown", time.Now()).deliver(w, r)
		return
	}
	if o, found := a.routes[r.URL.Path]; found {
		a.serve(o, r).deliver(w, r)
		return
	}
	http.NotFound(w, r)
}

// serve decides the answer to a call. It doesn't wait; only deliver does.
func (a *account) serve(o op, r *http.Request) answer {
	if refused, done := a.admit(o); done {
		return refused
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return answer{cut: true} // the client left in the middle of its request
	}
	c := call{op: o, sign: r.Header.Get("sign")}
	if !a.profile.calls[o].unsigned {
		c.params, c.problem = parse(body)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.handle(c, time.Now())
}

// admit records a call. It refuses the call in an outage or if calls come too fast.
func (a *account) admit(o op) (refused answer, done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.arrivals[o] = append(a.arrivals[o], now)
	if a.outage == Cut || a.outage == Unavailable {
		a.requests[o.String()+" down"]++
		return answer{status: http.StatusServiceUnavailable, body: []byte("Service Unavailable"), cut: a.outage == Cut}, true
	}
	if a.isTooFast(o, now) {
		a.requests[o.String()+" too fast"]++
		return a.behavior.tooFastAnswer(now), true
	}
	return answer{}, false
}

// isTooFast tells whether the limit of calls within a second is used up. Refused calls don't
// count, as in most gateways.
func (a *account) isTooFast(o op, now time.Time) bool {
	if a.behavior.TooFastAbove == 0 {
		return false
	}
	passed := slices.DeleteFunc(a.admitted[o], func(at time.Time) bool { return now.Sub(at) >= time.Second })
	fast := len(passed) >= a.behavior.TooFastAbove
	if !fast {
		passed = append(passed, now)
	}
	a.admitted[o] = passed
	return fast
}

// tooFastAnswer is what a gateway may answer [U]: no page mentions rates.
func (b *Behavior) tooFastAnswer(now time.Time) answer {
	ans := answer{status: http.StatusTooManyRequests, body: []byte("Too Many Requests")}
	if b.TooFastCode != "" {
		ans = envelope{Msg: "too many requests", Code: b.TooFastCode, Timestamp: now.UnixMilli(), Success: false}.answer()
	}
	if b.RetryAfter > 0 {
		ans.retry = strconv.Itoa(int((b.RetryAfter + time.Second - 1) / time.Second))
	}
	return ans
}

// parse reads a body. It keeps texts and numbers as they were written. Nested values are
// refused, because no page has them.
func parse(body []byte) (p params, problem string) {
	if len(body) > maxBody {
		return nil, "body is too large"
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&p); err != nil || p == nil {
		return nil, "body must be a JSON object"
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, "body must be a single JSON object"
	}
	for _, v := range p {
		switch v.(type) {
		case map[string]any, []any:
			return nil, "body must be a flat JSON object"
		}
	}
	return p, ""
}

// deliver sends the answer, after its wait or never.
func (ans answer) deliver(w http.ResponseWriter, r *http.Request) {
	if left := ans.pause(r.Context()); left || ans.cut {
		panic(http.ErrAbortHandler)
	}
	if ans.status == http.StatusOK {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	}
	if ans.retry != "" {
		w.Header().Set("Retry-After", ans.retry)
	}
	w.WriteHeader(ans.status)
	_, _ = w.Write(ans.body) // nobody is left to be told
}

// pause waits, and tells whether the client left meanwhile.
func (ans answer) pause(ctx context.Context) (left bool) {
	if ans.noAnswer {
		<-ctx.Done()
		return true
	}
	if ans.wait <= 0 {
		return false
	}
	t := time.NewTimer(ans.wait)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-ctx.Done():
		return true
	}
}
