package paypro

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// Tests of the write deadline and of the proof behind NotSent.

// Without a connection no byte leaves.
func TestNotSent(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for name, dial := range map[string]Dial{
		"refused": func(context.Context, string, string) (net.Conn, error) { return nil, refused },
		"hanging": func(ctx context.Context, _, _ string) (net.Conn, error) {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("a dial may hang for ever")
			}
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"write fails with nothing written": func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe()
			return &faulty{Conn: ours}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, egypt(), dial)
				expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.NotSent)
				expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "t-1"}, soon()), finding.Unclear)
			})
		})
	}
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := client(t, egypt(), func(context.Context, string, string) (net.Conn, error) { return nil, refused })
		expect(t, c.Send(ctx, egyptCommand(t), soon(), nil), finding.NotSent)
	})
}

// faulty reports some bytes as written, and an error.
type faulty struct {
	net.Conn
	bytes int
}

func (f *faulty) Write([]byte) (int, error) { return f.bytes, syscall.ECONNRESET }
func (f *faulty) Close() error              { return f.Conn.Close() }

func TestHalfWritten(t *testing.T) {
	for _, bytes := range []int{1, 100} {
		c := client(t, egypt(), func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe()
			return &faulty{ours, bytes}, nil
		})
		f := c.Send(t.Context(), egyptCommand(t), soon(), nil)
		expect(t, f, finding.Unclear)
	}
}

// S5: no byte is written from the write deadline on, whatever caused the delay.
func TestTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		requests := 0
		n.serve(t, func(w http.ResponseWriter, r *http.Request) { requests++; _, _ = io.WriteString(w, accepted) })
		slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(2 * time.Second)
			return n.dial(ctx, network, addr)
		}
		c := client(t, egypt(), slow)
		for name, latest := range map[string]time.Time{
			"zero": {}, "now": time.Now(), "past": time.Now().Add(-time.Hour), "while dialling": time.Now().Add(2 * time.Second),
			"past by the wall clock only": time.Now().Add(time.Second).Round(0),
		} {
			f := c.Send(t.Context(), egyptCommand(t), latest, nil)
			expect(t, f, finding.NotSent)
			if !strings.Contains(f.Detail, "too late") {
				t.Errorf("%s: %s", name, f.Detail)
			}
		}
		if requests != 0 {
			t.Errorf("%d requests left too late", requests)
		}
		expect(t, c.Send(t.Context(), egyptCommand(t), time.Now().Add(time.Hour), nil), finding.Accepted)
	})
}

// A request that was written in part before the write deadline may have arrived. The rest of it
// is not written.
func TestTooLateHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var got atomic.Int64
		n.serveRaw(t, func(conn net.Conn) {
			first, _ := conn.Read(make([]byte, 4096))
			time.Sleep(2 * time.Second)
			rest, _ := io.Copy(io.Discard, conn)
			got.Store(int64(first) + rest)
		})
		cmd := egyptCommand(t)
		cmd.Remark = strings.Repeat("long ", 5000)
		expect(t, client(t, egypt(), n.dial).Send(t.Context(), cmd, time.Now().Add(time.Second), nil), finding.Unclear)
		time.Sleep(5 * time.Second)
		if got.Load() != 4096 {
			t.Errorf("the server got %d bytes", got.Load())
		}
	})
}

// A request that was reported as NotSent never arrives later. The transport of net/http could
// still write it after it returned an error.
func TestNotSentIsAProof(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	var received sync.Map
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received.Store(strings.Split(strings.SplitAfter(string(body), `"tradeNo":"`)[1], `"`)[0], true)
		_, _ = io.WriteString(w, `{"code":"0000","data":{"status":"0015"}}`)
	})
	s := egypt()
	s.BaseURL = server.URL
	c := client(t, s, nil)
	kinds := map[finding.Kind]int{}
	for i := range 400 {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := egyptCommand(t)
		cmd.TradeNo = fmt.Sprintf("race-%d", i)
		time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
		f := c.Send(ctx, cmd, soon(), nil)
		cancel()
		kinds[f.Kind]++
		if f.Kind == finding.NotSent {
			cmd.Remark = "not sent"
			defer func() {
				if _, found := received.Load(cmd.TradeNo); found {
					t.Errorf("%s arrived, and was said not to be sent", cmd.TradeNo)
				}
			}()
		}
	}
	t.Log(kinds)
}

// Over TLS: the certificate is verified, HTTP/1.1 is spoken, and NotSent is still a proof.
func TestTLS(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.ProtoMajor != 1 {
			t.Errorf("protocol %s", r.Proto)
		}
		_, _ = io.WriteString(w, accepted)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	s := egypt()
	s.BaseURL = server.URL

	stranger := client(t, s, nil)
	expect(t, stranger.Send(t.Context(), egyptCommand(t), soon(), nil), finding.NotSent)

	var last *faultyLater
	c := client(t, s, func(ctx context.Context, network, addr string) (net.Conn, error) {
		inner, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		last = &faultyLater{Conn: inner}
		return last, err
	})
	c.pool.tls.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
	if f := c.Send(t.Context(), egyptCommand(t), time.Now().Add(-time.Second), nil); f.Kind != finding.NotSent {
		t.Errorf("late: %+v", f)
	}
	last.broken.Store(true)
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.NotSent)
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
	last.broken.Store(true)
	last.bytes.Store(7)
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Unclear)
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
}

// faultyLater fails its writes as soon as broken is set.
type faultyLater struct {
	net.Conn
	broken atomic.Bool
	bytes  atomic.Int64
}

func (f *faultyLater) Write(p []byte) (int, error) {
	if f.broken.Load() {
		return int(f.bytes.Load()), errors.New("broken")
	}
	return f.Conn.Write(p)
}

// An answer that comes before the request was written is not an answer to it.
func TestAnswerBeforeTheRequest(t *testing.T) {
	for _, bytes := range []int{0, 1, 200} {
		synctest.Test(t, func(t *testing.T) {
			answer := `{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`
			n := newNetwork()
			n.serveRaw(t, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, bytes))
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
				time.Sleep(time.Minute) // the rest is never read
			})
			c := client(t, egypt(), n.dial)
			ask := c.Ask(t.Context(), payout.Command{TradeNo: "t-1"}, soon())
			expect(t, ask, finding.Unclear)
			if ask.Served {
				t.Error("served by an answer to nothing")
			}
			if send := c.Send(t.Context(), egyptCommand(t), soon(), nil); send.Kind != finding.Unclear && (bytes > 0 || send.Kind != finding.NotSent) {
				t.Errorf("send: %v", send.Kind)
			}
		})
	}
}
