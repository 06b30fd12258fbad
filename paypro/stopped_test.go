package paypro

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"disburser/payout/finding"
)

// A person's action that comes while the connection is opened stops the request before its first byte (A3).
func TestStoppedBeforeTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		requests := 0
		n.serve(t, func(w http.ResponseWriter, r *http.Request) { requests++; _, _ = io.WriteString(w, accepted) })
		slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(2 * time.Second)
			return n.dial(ctx, network, addr)
		}
		c, began := client(t, egypt(), slow), time.Now()
		paused := func() string {
			if time.Since(began) < time.Second {
				return ""
			}
			return "paused by alice"
		}
		f := c.Send(t.Context(), egyptCommand(t), soon(), paused)
		expect(t, f, finding.Stopped)
		if requests != 0 || !strings.Contains(f.Detail, "paused by alice") {
			t.Errorf("%d requests, %s", requests, f.Detail)
		}
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), func() string { return "" }), finding.Accepted)
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), paused), finding.Stopped) // on the connection that is there
		if requests != 1 {
			t.Errorf("%d requests", requests)
		}
		expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
	})
}

// Over TLS nothing of the request leaves either.
func TestStoppedOverTLS(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, accepted)
	}))
	defer server.Close()
	s := egypt()
	s.BaseURL = server.URL
	c := client(t, s, nil)
	transport, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("not a transport")
	}
	c.pool.tls.RootCAs = transport.TLSClientConfig.RootCAs
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), func() string { return "paused" }), finding.Stopped)
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), nil), finding.Accepted)
	expect(t, c.Send(t.Context(), egyptCommand(t), soon(), func() string { return "paused" }), finding.Stopped)
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}

	// What is stopped after a byte left may have arrived.
	long, writes := egyptCommand(t), 0
	long.Remark = strings.Repeat("long ", 20_000)
	f := c.Send(t.Context(), long, soon(), func() string {
		if writes++; writes > 1 {
			return "paused"
		}
		return ""
	})
	expect(t, f, finding.Unclear)
	if !strings.Contains(f.Detail, "paused") {
		t.Error(f.Detail)
	}
}

func TestAGuardedConnIsStopped(t *testing.T) {
	paused := func() string { return "paused" }
	o := &guardedConn{}
	o.beginRequest(limits{time.Now().Add(time.Hour), paused})
	if err := write(o, 1, nil); !isStopped(err) || o.requestBegun() || o.endRequest() {
		t.Errorf("%v", err)
	}
	o.beginRequest(limits{time.Now(), paused})
	if err := write(o, 1, nil); !errors.Is(err, errTooLate) {
		t.Errorf("late and paused: %v", err)
	}
	o.beginRequest(limits{time.Now().Add(time.Hour), func() string { return "" }})
	_ = write(o, 1, nil)
	o.stopped = paused
	if err := write(o, 1, nil); !isStopped(err) || !o.endRequest() {
		t.Errorf("for the rest: %v", err)
	}
	if err := write(o, 1, nil); err != nil {
		t.Errorf("the next request is stopped too: %v", err)
	}
}
