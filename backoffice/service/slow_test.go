package service

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/config"
)

// pipes is a listener of connections in memory, whose time is virtual. A write waits until it is read.
type pipes struct{ incoming chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p.incoming
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// serve serves the API without books, until the test is over. It answers a way to connect, and an operator's token.
func serve(t *testing.T) (dial func() net.Conn, token string) {
	t.Helper()
	c := config.Default()
	token, sum := NewToken()
	c.Backoffice.Users = config.Users{{Name: "olga", SHA256: sum, Roles: []string{config.Viewer, config.Operator}}}
	s, err := New(c, nil, Options{LogTo: io.Discard, Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.handler()
	if err != nil {
		t.Fatal(err)
	}
	p := pipes{make(chan net.Conn)}
	server := newServer(h)
	go func() { _ = server.Serve(p) }()
	t.Cleanup(func() { close(p.incoming); _ = server.Close(); synctest.Wait() })
	return func() net.Conn {
		near, far := net.Pipe()
		p.incoming <- far
		return near
	}, token
}

// drip writes a byte each second, or nothing more where there is nothing left, and answers after how long the server gave up.
func drip(conn net.Conn, text string) time.Duration {
	began := time.Now()
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	}()
	for i := 0; ; i++ {
		if i < len(text) {
			_, _ = io.WriteString(conn, text[i:i+1])
		}
		select {
		case <-gone:
			return time.Since(began)
		case <-time.After(time.Second):
		}
	}
}

// Who asks too slowly is let go, however steadily.
func TestSlowQuestionsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		path, rest string // what comes at once, and what drips
		most       time.Duration
	}{
		"nothing":             {"", "", 6 * time.Second},
		"a slow header":       {"", "GET /api/v1/overview HTTP/1.1\r\nHost: " + strings.Repeat("x", 1000), 6 * time.Second},
		"a slow action":       {"/actions", strings.Repeat(" ", 1000), 7 * time.Second},
		"a file that stops":   {"/batches", "tradeNo,amount\n", steady + 20*time.Second},
		"a file that drips":   {"/batches", strings.Repeat("x", 10_000), fileFor + 20*time.Second},
		"a client that stays": {"/nowhere", "", 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, token := serve(t)
				conn := dial()
				defer conn.Close()
				if test.path != "" {
					length := 1_000_000
					if test.rest == "" {
						length = 0
					}
					fmt.Fprintf(conn, "POST /api/v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", test.path, token, length)
				}
				if took := drip(conn, test.rest); took > test.most {
					t.Errorf("the server waits for %v", took)
				}
			})
		})
	}
}

// Who doesn't take an answer is let go, with what was kept for it.
func TestAnswersThatNobodyTakesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, _ := serve(t)
		conn := dial()
		defer conn.Close()
		began := time.Now()
		fmt.Fprint(conn, "GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 3 * 60 { // it reads three bytes in as many minutes
			time.Sleep(time.Second)
			if time.Since(began)%time.Minute == 0 {
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					return
				}
			}
		}
		t.Error("the server still waits")
	})
}

// So many files at most are kept on the disk: the next one is told to come again.
func TestFilesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, token := serve(t)
		begin := func() net.Conn {
			conn := dial()
			fmt.Fprintf(conn, "POST /api/v1/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n", token)
			return conn
		}
		for range uploadsAtOnce {
			defer begin().Close()
		}
		synctest.Wait()
		conn := begin()
		defer conn.Close()
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%v %v", response, err)
		}
	})
}

// What has too many lines is refused, whatever stands on them.
func TestALineTooMany(t *testing.T) {
	l := &lineLimit{strings.NewReader(strings.Repeat("x\n", 5)), 4}
	if text, err := io.ReadAll(l); !errors.Is(err, errTooManyLines) {
		t.Errorf("%q %v", text, err)
	}
	l = &lineLimit{strings.NewReader(strings.Repeat("x\n", 4) + "x"), 4}
	if text, err := io.ReadAll(l); err != nil || len(text) != 9 {
		t.Errorf("%q %v", text, err)
	}
}
