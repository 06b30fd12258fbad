package paypro

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"disburser/payout"
	"disburser/payout/finding"
)

// writes is a connection whose writes return the given result.
type writes struct {
	net.Conn
	n   int
	err error
}

func (w writes) Write([]byte) (int, error) { return w.n, w.err }

func TestGuardedConn(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		do   func(o *guardedConn) error
		left bool
		want error
	}{
		{"nothing is written", func(*guardedConn) error { return nil }, false, nil},
		{"a write of nothing", func(o *guardedConn) error { return write(o, 0, nil) }, false, nil},
		{"a write that fails with nothing written", func(o *guardedConn) error { return write(o, 0, broken) }, false, broken},
		{"a byte leaves", func(o *guardedConn) error { return write(o, 1, nil) }, true, nil},
		{"a byte leaves, and it fails", func(o *guardedConn) error { return write(o, 1, broken) }, true, broken},
		{"a byte leaves, then a write of nothing", func(o *guardedConn) error { _ = write(o, 1, nil); return write(o, 0, broken) }, true, broken},
		{"a count that can't be", func(o *guardedConn) error { return write(o, -1, nil) }, true, nil},
		{"too late", func(o *guardedConn) error { o.beginRequest(limits{latest: time.Now()}); return write(o, 1, nil) }, false, errTooLate},
		{"too late for the rest", func(o *guardedConn) error {
			_ = write(o, 1, nil)
			o.latest = time.Now()
			return write(o, 1, nil)
		}, true, errTooLate},
	} {
		o := &guardedConn{}
		_ = write(o, 1, nil) // the handshake or the call before must not count
		o.beginRequest(limits{latest: time.Now().Add(time.Hour)})
		err := test.do(o)
		if left := o.endRequest(); left != test.left || !errors.Is(err, test.want) {
			t.Errorf("%s: left %v, %v", test.name, left, err)
		}
	}
}

func write(o *guardedConn, n int, err error) error {
	o.Conn = writes{n: n, err: err}
	_, err = o.Write(make([]byte, 9))
	return err
}

// A write that reports success for a part of the request makes the finding Unclear, whatever the answer.
func TestShortWrite(t *testing.T) {
	for _, n := range []int{0, 1, 100, -1} {
		synctest.Test(t, func(t *testing.T) {
			c := client(t, egypt(), func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				time.AfterFunc(time.Second, func() {
					_, _ = io.WriteString(theirs, ok(accepted))
				})
				return writes{Conn: ours, n: n}, nil
			})
			expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Unclear)
		})
	}
}

// closesLikeTLS writes a close message when it is closed, as TLS does.
type closesLikeTLS struct{ net.Conn }

func (p closesLikeTLS) Close() error {
	_ = p.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = p.Write([]byte("goodbye"))
	return p.Conn.Close()
}

// Not even TLS's close message leaves after the write deadline.
func TestNoGoodbyeAfterTheLastMoment(t *testing.T) {
	ours, theirs := net.Pipe()
	read := make(chan string)
	go func() { all, _ := io.ReadAll(theirs); read <- string(all) }()
	o := &guardedConn{Conn: ours}
	c := &conn{Conn: closesLikeTLS{o}, guarded: o, pool: &connPool{}, replies: make(chan reply, 1)}
	r, stale := c.roundTrip(t.Context(), []byte("POST"), limits{latest: time.Now().Add(-time.Second)}, time.Now().Add(time.Minute))
	if got := <-read; got != "" || !r.unsent || stale {
		t.Errorf("%q left; %+v, stale %v", got, r, stale)
	}
}

// A finding doesn't keep the whole answer in memory.
func TestLongAnswersAreNotKept(t *testing.T) {
	c := client(t, egypt(), nil)
	before := heap()
	var kept []finding.Finding
	for range 50 {
		body := fmt.Sprintf(`{"code":"0000","data":{"tradeNo":"t-1","status":"0000","platFormTradeNo":"p","successTime":"now","amount":"3","message":"paid","x":%q}}`, strings.Repeat("x", 900<<10))
		f := c.judge(c.queryVerdict, aboutOne, reply{status: http.StatusOK, body: []byte(body)})
		expect(t, f, finding.Paid)
		kept = append(kept, f)
	}
	if more := heap() - before; more > 5<<20 {
		t.Errorf("%d findings keep %d bytes", len(kept), more)
	}
	runtime.KeepAlive(kept)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a server sends between two calls is no answer to the second one.
func TestUnrequestedAnswers(t *testing.T) {
	stray := ok(`{"code":"0000","data":{"tradeNo":"test_00000001","status":"0000"}}`)
	for name, at := range map[string]time.Duration{"right behind the first answer": 0, "later": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				n.serveRequests(t, func(conn net.Conn) bool {
					if at == 0 {
						_, _ = io.WriteString(conn, ok(accepted)+stray)
						return true
					}
					_, _ = io.WriteString(conn, ok(accepted))
					time.Sleep(at)
					_, _ = io.WriteString(conn, stray)
					return true
				})
				c := client(t, egypt(), n.dial)
				for range 3 {
					expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "test_00000001"}, soon()), finding.Processing)
					time.Sleep(2 * time.Second)
				}
				if n.dialled() != 3 {
					t.Errorf("%d connections", n.dialled())
				}
			})
		})
	}
}

// Which connections are reused for another call.
func TestConnectionReuse(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		pause        time.Duration // between two calls
		dials        int           // for three of them
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", 0, 1},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHEX\r\nBODY\r\n0\r\n\r\n", 0, 1},
		{"a word in advance", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", 0, 1},
		{"asked to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: LEN\r\n\r\nBODY", 0, 3},
		{"an old server", "HTTP/1.0 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", 0, 3},
		{"up to the end", "HTTP/1.1 200 OK\r\n\r\nBODY", 0, 3},
		{"for less than the idle time", "HTTP/1.1 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", idleTimeout - time.Second, 1},
		{"just when the idle time ends", "HTTP/1.1 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", idleTimeout, 0},
		{"for longer", "HTTP/1.1 200 OK\r\nContent-Length: LEN\r\n\r\nBODY", idleTimeout + time.Second, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				answer := strings.NewReplacer("LEN", fmt.Sprint(len(accepted)), "HEX", fmt.Sprintf("%x", len(accepted)), "BODY", accepted).Replace(test.answer)
				n.serveRequests(t, func(conn net.Conn) bool {
					_, _ = io.WriteString(conn, answer)
					return test.dials != 3 || test.pause > 0
				})
				c := client(t, egypt(), n.dial)
				for range 3 {
					expect(t, c.Ask(t.Context(), payout.Command{TradeNo: "test_00000001"}, soon()), finding.Processing)
					time.Sleep(test.pause)
				}
				if n.dialled() != test.dials && test.dials > 0 {
					t.Errorf("%d connections, want %d", n.dialled(), test.dials)
				}
			})
		})
	}
}

// What a read means in each phase of a connection.
func TestReadEvents(t *testing.T) {
	p := &connPool{}
	for _, test := range []struct {
		phase connPhase
		begun bool // a byte may have left
		err   error
		until time.Duration
		want  readEvent
	}{
		{phaseRequesting, false, os.ErrDeadlineExceeded, time.Minute, eventOldDeadline},
		{phaseRequesting, true, os.ErrDeadlineExceeded, time.Minute, eventOldDeadline},
		{phaseRequesting, true, os.ErrDeadlineExceeded, 0, eventFailed},
		{phaseRequesting, true, io.EOF, time.Minute, eventFailed},
		{phaseRequesting, false, io.EOF, time.Minute, eventFailed},
		{phaseRequesting, true, nil, time.Minute, eventAnswer},
		{phaseRequesting, false, nil, time.Minute, eventTooEarly},
		{phaseIdle, true, os.ErrDeadlineExceeded, time.Minute, eventUnrequested},
		{phaseIdle, true, nil, time.Minute, eventUnrequested},
		{phaseAnswering, true, nil, time.Minute, eventUnrequested},
	} {
		c := &conn{pool: p, phase: test.phase, guarded: &guardedConn{writeBegun: test.begun}, deadline: time.Now().Add(test.until)}
		if got := p.classify(c, test.err); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
		if begins := p.beginRequest(c, time.Now()); begins {
			t.Errorf("%+v: another call begins", test)
		}
	}
}

// A call ends at once when its context is cancelled, in any phase.
func TestTheCallerStops(t *testing.T) {
	for name, reads := range map[string]int{"while it is written": 100, "while the answer is waited for": 4096} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				n.serveRaw(t, func(conn net.Conn) {
					_, _ = conn.Read(make([]byte, reads))
					time.Sleep(time.Minute)
				})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				began := time.Now()
				f := client(t, egypt(), n.dial).Send(ctx, egyptCommand(t), soon(), nil)
				expect(t, f, finding.Unclear)
				if took := time.Since(began); took != time.Second || !strings.Contains(f.Detail, "stopped waiting") {
					t.Errorf("took %v: %s", took, f.Detail)
				}
			})
		})
	}
}

// Many calls share connections that end all the time: each call gets its own answer.
func TestConnectionsThatEnd(t *testing.T) {
	var count atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ TradeNo string }
		body, _ := io.ReadAll(r.Body)
		_, asked.TradeNo, _ = strings.Cut(string(body), `"tradeNo":"`)
		asked.TradeNo, _, _ = strings.Cut(asked.TradeNo, `"`)
		if count.Add(1)%3 == 0 {
			w.Header().Set("Connection", "close")
		}
		_, _ = fmt.Fprintf(w, `{"code":"0000","data":{"tradeNo":%q,"status":"0000","platFormTradeNo":%q}}`, asked.TradeNo, "of "+asked.TradeNo)
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	s := egypt()
	s.BaseURL = "http://" + listener.Addr().String()
	c := client(t, s, nil)
	done := make(chan struct{})
	for worker := range 16 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 100 {
				tradeNo := fmt.Sprintf("t-%d-%d", worker, i)
				if f := c.Ask(t.Context(), payout.Command{TradeNo: tradeNo}, soon()); f.Kind != finding.Paid || f.PlatformTradeNo != "of "+tradeNo {
					t.Errorf("%s: %v %s (%s)", tradeNo, f.Kind, f.PlatformTradeNo, f.Detail)
				}
			}
		}()
	}
	for range 16 {
		<-done
	}
}

// skewed moves only the monotonic reading of a time, as if the two clocks differed. A suspended
// machine stops the monotonic clock, and the wall clock can be set.
func skewed(t time.Time, monotonic time.Duration) time.Time {
	words := (*[2]int64)(unsafe.Pointer(&t)) // wall and ext, see the comments in package time
	words[1] += int64(monotonic)
	return t
}

func TestIsPast(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name   string
		latest time.Time
		want   bool
	}{
		{"no limit", time.Time{}, false},
		{"both clocks say no", now.Add(time.Minute), false},
		{"both say yes", now.Add(-time.Minute), true},
		{"the machine slept: the wall clock is past it, the monotonic one is not", skewed(now.Add(-time.Minute), time.Hour), true},
		{"the wall clock was set back: only the monotonic one is past it", skewed(now.Add(time.Minute), -time.Hour), true},
		{"the wall clock alone says no", now.Add(time.Minute).Round(0), false},
		{"the wall clock alone says yes", now.Add(-time.Minute).Round(0), true},
	} {
		if got := isPast(test.latest); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
