package paypro

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"disburser/payout"
	"disburser/payout/money"
	"disburser/payout/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Distinctive values: tests search for them where they must not occur.
const (
	testSecret = "test-secret-123"
	testName   = "Kevin Quatermain"
	testWallet = "01123456789"
)

func egypt() Settings {
	return Settings{
		Name: "eg-main", Country: "egypt", BaseURL: "http://paypro.test/egy-pay/", MerchantNo: "0000000001",
		Secret: secrets.New(testSecret), NotifyURL: "https://example.com/notify?a=1&b=2",
	}
}

func merchant(country string) Settings {
	s := egypt()
	s.Country, s.AcceptUnverified = country, true
	return s
}

func amount(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func egyptCommand(t testing.TB) payout.Command {
	return payout.Command{
		TradeNo: "test_00000001", Amount: amount(t, "300"), Remark: "salary",
		Payee: payout.NewPayee(map[string]string{"customerName": testName, "walletId": testWallet}),
	}
}

// client makes a client and closes it at the end of the test.
func client(t testing.TB, s Settings, dial Dial) *Client {
	t.Helper()
	c, err := New(s, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// signed returns the signature of a request.
func (c *Client) signed(o apiRequest) string { return c.signer.sign(slices.Clone(o.params).inOrder()) }

// paramsOf are parameters in canonical order.
func paramsOf(values map[string]string) (p params) {
	p.setAll(values)
	return p.inOrder()
}

// value is what is sent under a name, "" if nothing is.
func (p params) value(name string) string {
	for _, each := range slices.Clone(p).inOrder() {
		if each.name == name {
			return each.value
		}
	}
	return ""
}

// soon is a write deadline that doesn't pass during a test.
func soon() time.Time { return time.Now().Add(time.Minute) }

// network is an in-memory network with one server. It works in virtual time.
type network struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	dials int
}

func newNetwork() *network {
	return &network{conns: make(chan net.Conn), done: make(chan struct{})}
}

// serve answers every request with the handler until the test ends.
func (n *network) serve(t testing.TB, handler http.HandlerFunc) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Hour}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(n) })
	t.Cleanup(func() { _ = server.Close(); running.Wait() })
}

// serveRaw gives every connection to the function, which may do what no http.Server does. The
// connection is closed when the function returns.
func (n *network) serveRaw(t testing.TB, each func(conn net.Conn)) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := n.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer conn.Close(); each(conn) })
		}
	})
	t.Cleanup(func() { _ = n.Close(); running.Wait() })
}

// serveRequests reads whole requests from each connection, one after the other. It closes the
// connection when respond returns false.
func (n *network) serveRequests(t testing.TB, respond func(conn net.Conn) (more bool)) {
	n.serveRaw(t, func(conn net.Conn) {
		text := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(text)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if !respond(conn) {
				return
			}
		}
	})
}

// ok is an HTTP answer with a body.
func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-n.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return conn, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.once.Do(func() { close(n.done) }); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }
