package paypro

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

const accepted = `{"msg":"success","code":"0000","data":{"tradeNo":"test_00000001","platFormTradeNo":"p1","status":"0015","desc":"CREATED"}}`

// expect checks the kind of a finding, and that it contains no payee data and no secret.
func expect(t *testing.T, f finding.Finding, want finding.Kind) {
	t.Helper()
	if f.Kind != want {
		t.Errorf("got %v (%s), want %v", f.Kind, f.Detail, want)
	}
	if leaks(f.Detail) || leaks(f.StatusText) || strings.Contains(f.Detail, "\n") {
		t.Errorf("detail %q, text %q", f.Detail, f.StatusText)
	}
	if f.Detail == "" {
		t.Error("a finding without a detail")
	}
}

func TestSendAndAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var seen []string
		n.serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen = append(seen, fmt.Sprintf("%s %s %s %s %q %s", r.Method, r.URL, r.Header.Get("merchantNo"), r.Header.Get("Content-Type"), r.Header.Values("sign"), body))
			_, _ = io.WriteString(w, accepted)
		})
		c := client(t, egypt(), n.dial)
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
		expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "test_00000001"}, time.Time{}), finding.Processing)
		// virtual time begins at 2000-01-01 00:00 UTC
		want := []string{
			`POST /egy-pay/v1/paypro/payOut 0000000001 application/json [] {"amount":"300","customerName":"Kevin Quatermain",` +
				`"notifyUrl":"https://example.com/notify?a=1&b=2","remark":"salary","sign":"` +
				c.signed(c.payoutRequest(egyptCommand(t), time.Now())) + `","timestamp":"946684800000","tradeNo":"test_00000001","walletId":"01123456789"}`,
			`POST /egy-pay/v1/paypro/queryPayOutResult 0000000001 application/json [] {"sign":"` +
				c.signed(c.queryRequest("test_00000001", time.Now())) + `","timestamp":"946684800000","tradeNo":"test_00000001"}`,
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
		}
		if n.dialled() != 1 {
			t.Errorf("%d connections for two calls", n.dialled())
		}
	})
}

// S6: a redirect would repeat the POST, and so would an Idempotency-Key.
func TestNeverRepeats(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308, 408, 425, 429, 500, 502, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork()
			requests := 0
			n.serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				for name := range r.Header {
					if strings.Contains(strings.ToLower(name), "idempotency") {
						t.Errorf("header %s", name)
					}
				}
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
			})
			f := client(t, egypt(), n.dial).Send(t.Context(), egyptCommand(t), soon(), nil)
			expect(t, f, finding.Unclear)
			if f.HTTPStatus != status || requests != 1 {
				t.Errorf("HTTP %d: %d requests, finding %+v", status, requests, f)
			}
		})
	}
}

// A reused connection that ends during the request is no reason to repeat it: the server may have it.
func TestNeverRepeatsOnAnOldConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var requests atomic.Int64
		n.serveRequests(t, func(conn net.Conn) bool {
			if requests.Add(1) > 1 {
				return false
			}
			_, _ = io.WriteString(conn, ok(accepted))
			return true
		})
		c := client(t, egypt(), n.dial)
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Unclear)
		if requests.Load() != 2 || n.dialled() != 1 {
			t.Errorf("%d requests on %d connections for two sends", requests.Load(), n.dialled())
		}
		synctest.Wait()
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Unclear) // the server is silent now, and nobody uses what it closed
		if n.dialled() != 2 {
			t.Errorf("%d connections", n.dialled())
		}
	})
}

// The server closes idle connections at any moment. It sees each payout at most once, and never
// one that the client reported as NotSent.
func TestStaleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var mu sync.Mutex
		seen := map[string]int{}
		n.serveRaw(t, func(conn net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			for i := range 200 {
				if tradeNo := fmt.Sprintf("stale-%03d", i); strings.Contains(string(body), tradeNo) {
					seen[tradeNo]++
				}
			}
			answer := `{"code":"0000","data":{"status":"0015"}}`
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer) // keep-alive, and closed
		})
		c := client(t, egypt(), n.dial)
		for i := range 200 {
			cmd := egyptCommand(t)
			cmd.TradeNo = fmt.Sprintf("stale-%03d", i)
			f := c.Send(t.Context(), cmd, soon(), nil)
			mu.Lock()
			got := seen[cmd.TradeNo]
			mu.Unlock()
			if f.Kind == finding.NotSent && got != 0 || f.Kind == finding.Accepted && got != 1 || got > 1 {
				t.Fatalf("%s: %v (%s), and the server saw it %d times", cmd.TradeNo, f.Kind, f.Detail, got)
			}
		}
	})
}

// How a connection can break, and which finding each case allows.
func TestBrokenConnections(t *testing.T) {
	read := func(conn net.Conn) { // the whole request
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}
	say := func(text string) func(net.Conn) {
		return func(conn net.Conn) { read(conn); _, _ = io.WriteString(conn, text) }
	}
	for name, each := range map[string]func(net.Conn){
		"closed before the request is read": func(conn net.Conn) {},
		"closed after one byte":             func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) },
		"closed after half the request":     func(conn net.Conn) { _, _ = conn.Read(make([]byte, 200)) },
		"closed after the request":          read,
		"half a status line":                say("HTTP/1.1 20"),
		"no HTTP, and people's data":        say("Kevin Quatermain 01123456789\r\n\r\n"),
		"a bad header with people's data":   say("HTTP/1.1 200 OK\r\nKevin Quatermain 01123456789\r\n\r\n"),
		"half a body":                       say("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"code\":\"0000\",\"data\":{\"tradeNo\":\"test_00000001\",\"status\":\"0000\"}}"),
		"half a chunk":                      say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\n{\"code\":\"0000\",\"data\":{\"tradeNo\":\"test_00000001\",\"status\":\"0000\"}}"),
		"a bad chunk":                       say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKevin Quatermain\r\n"),
		"another protocol": func(conn net.Conn) {
			say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")(conn)
			time.Sleep(time.Minute)
		},
		"only informational answers": func(conn net.Conn) { say("HTTP/1.1 103 Early Hints\r\n\r\n")(conn); time.Sleep(time.Minute) },
		"an endless header":          say("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n{}"),
		"silence":                    func(conn net.Conn) { read(conn); time.Sleep(time.Minute) },
		"silence in the body": func(conn net.Conn) {
			say("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")(conn)
			time.Sleep(time.Minute)
		},
		"a body above the limit": func(conn net.Conn) {
			say("HTTP/1.1 200 OK\r\n\r\n" + `{"code":"0000","data":{"tradeNo":"test_00000001","status":"0000","x":"` + strings.Repeat("x", maxAnswer) + `"}}`)(conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				n.serveRaw(t, each)
				c := client(t, egypt(), n.dial)
				start := time.Now()
				want := finding.Unclear
				if name == "closed before the request is read" {
					want = finding.NotSent // a pipe takes no byte that nobody reads
				}
				f := c.Send(t.Context(), egyptCommand(t), soon(), nil)
				expect(t, f, want)
				expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "test_00000001"}, soon()), finding.Unclear)
				if took := time.Since(start); took > 2*defaultTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	const many, rounds = 128, 4
	var arrived atomic.Int64
	gates := [rounds]chan struct{}{}
	for i := range gates {
		gates[i] = make(chan struct{})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := arrived.Add(1)
		gate := gates[(n-1)/many]
		if n%many == 0 {
			close(gate) // all of the round are here at the same time
		}
		<-gate
		_, _ = io.WriteString(w, accepted)
	}))
	defer server.Close()
	var dials atomic.Int64
	s := egypt()
	s.BaseURL = server.URL
	c := client(t, s, func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	})
	for range rounds {
		var calls sync.WaitGroup
		for range many {
			calls.Go(func() { expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted) })
		}
		calls.Wait()
	}
	if dials.Load() != many {
		t.Errorf("%d connections for %d rounds of %d calls", dials.Load(), rounds, many)
	}
}

// An answer above the size limit is not read to its end.
func TestEndlessAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.serveRaw(t, func(conn net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", maxAnswer+1))
			time.Sleep(time.Minute)
		})
		start := time.Now()
		f := client(t, egypt(), n.dial).Ask(t.Context(), payout.Command{TradeNo: "t-1"}, soon())
		expect(t, f, finding.Unclear)
		if took := time.Since(start); took > time.Second || !strings.Contains(f.Detail, "1 MiB") {
			t.Errorf("took %v: %s", took, f.Detail)
		}
	})
}

func TestCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client went away
			<-r.Context().Done()
		})
		c := client(t, egypt(), n.dial)
		for callers, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: defaultTimeout} {
			ctx, cancel := context.WithTimeout(t.Context(), callers)
			start := time.Now()
			expect(t, c.Send(ctx, egyptCommand(t), start.Add(time.Hour), nil), finding.Unclear)
			if took := time.Since(start); took != want {
				t.Errorf("caller's deadline %v: took %v, want %v", callers, took, want)
			}
			cancel()
		}
	})
}
