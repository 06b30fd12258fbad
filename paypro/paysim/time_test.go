package paysim

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// provider is a Sim behind a real http.Server on in-memory connections, as the
// simulation of the whole program runs it.
type provider struct {
	*Sim
	client *http.Client
}

// pipes is a net.Listener of net.Pipe ends.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.conns <- far
	return near, nil
}

func virtual(t *testing.T, b Behavior) provider {
	s := New(egypt(b))
	p := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: s.Handler()}
	go func() { _ = server.Serve(p) }()
	transport := &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		synctest.Wait()
	})
	return provider{s, &http.Client{Transport: transport}}
}

// send posts over the connection and gives up after the timeout.
func (p provider) send(path, body string, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://paypro"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("merchantNo", testNo)
	got, err := p.client.Do(request)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return string(text), err
}

func (p provider) pays(timeout time.Duration) (string, error) {
	return p.send(capitalPayout, signedText(egyptBody("t")), timeout)
}

func TestSettlesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(egypt(Behavior{SettleMin: 2 * time.Hour, SettleMax: 2 * time.Hour, NoRecordLag: time.Minute}))
		s.pay("t").want(t, "0000", "0015")
		s.query("t").want(t, "8000", "")
		time.Sleep(time.Minute)
		s.query("t").want(t, "0000", "0015")
		if e := s.Ledger().Entry(testNo, "t"); e.Outcome != "" || s.Ledger().Executed(testNo, "t") != 1 {
			t.Errorf("before the settlement: %+v", e)
		}
		time.Sleep(2*time.Hour - time.Minute - 1)
		s.query("t").want(t, "0000", "0015")
		time.Sleep(time.Nanosecond)
		r := s.query("t")
		r.want(t, "0000", "0000")
		if got := r.field("successTime"); got != "2000-01-01 04:00:00" { // the bubble begins at midnight UTC; Egypt is two hours ahead
			t.Errorf("successTime: %s", got)
		}
		if e := s.Ledger().Entry(testNo, "t"); e.Outcome != "paid" || e.Queries != 4 {
			t.Errorf("after the settlement: %+v", e)
		}
	})
}

func TestLostReplyOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual(t, Behavior{LostReply: 1, Latency: time.Second, LatencyMax: 2 * time.Second})
		began := time.Now()
		if body, err := p.pays(time.Minute); err == nil {
			t.Errorf("got an answer: %s", body)
		}
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("cut after %v", took)
		}
		if p.Ledger().Executed(testNo, "t") != 1 {
			t.Error("the payout of a lost reply was not executed")
		}
	})
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(egypt(Behavior{Latency: time.Second, LatencyMax: 2 * time.Second}))
		shortest, longest := time.Hour, time.Duration(0)
		for _, no := range numbers(50) {
			began := time.Now()
			s.pay(no)
			took := time.Since(began)
			shortest, longest = min(shortest, took), max(longest, took)
		}
		if shortest < time.Second || shortest > 1200*time.Millisecond || longest > 2*time.Second || longest < 1800*time.Millisecond {
			t.Errorf("between %v and %v", shortest, longest)
		}
	})
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual(t, Behavior{Hang: 1, HangFor: 30 * time.Second})
		if _, err := p.pays(10 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within 10 s: %v", err)
		}
		if body, err := p.pays(time.Minute); err != nil || !strings.Contains(body, `"0015"`) {
			t.Errorf("within a minute: %s %v", body, err)
		}
		if p.Ledger().Executed(testNo, "t") != 2 {
			t.Error("hanging calls are executed")
		}
	})
}

// A hang without HangFor ends when the client leaves. synctest would report a goroutine that
// stays.
func TestHangOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual(t, Behavior{})
		p.SetHang(testNo, true)
		for range 20 {
			if body, err := p.pays(time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %s %v", body, err)
			}
		}
		if n := p.Ledger().Executed(testNo, "t"); n < 3 || n > 17 {
			t.Errorf("%d of 20 executed, want about half", n)
		}
		query := signedText(params{"timestamp": testStamp, "tradeNo": "t"})
		if _, err := p.send(commonQuery, query, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("query: %v", err)
		}
		p.SetHang(testNo, false)
		if _, err := p.pays(time.Second); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

func TestPendingIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(egypt(Behavior{SettleMin: time.Hour, SettleMax: time.Hour, Failed: 1}))
		s.pay("t")
		balance := func() string {
			return post(s, commonBalance, merchantHeader(testNo), signedText(params{"timestamp": testStamp})).body
		}
		if got := balance(); !strings.Contains(got, `"availableAmount":"9998689.0000","freezeAmount":"300.0000"`) {
			t.Errorf("pending: %s", got)
		}
		time.Sleep(time.Hour)
		if got := balance(); !strings.Contains(got, `"availableAmount":"9998989.0000","freezeAmount":"0.0000"`) {
			t.Errorf("failed: %s", got)
		}
	})
}
