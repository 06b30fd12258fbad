package chaos

import (
	"bufio"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers every line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if _, err := c.Write(append(lines.Bytes(), '\n')); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// asker asks through a link.
type asker struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func ask(t *testing.T, l *link) asker {
	t.Helper()
	c, err := net.Dial("tcp", l.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return asker{t, c, bufio.NewReader(c)}
}

// answered tells whether a reply comes in time, and whether the connection still lives.
func (a asker) answered(within time.Duration) (reply, alive bool) {
	a.t.Helper()
	_, _ = a.Write([]byte("hello\n")) // on a cut connection the reading tells
	_ = a.SetReadDeadline(time.Now().Add(within))
	_, err := a.in.ReadString('\n')
	return err == nil, err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

func newTestLink(t *testing.T) *link {
	t.Helper()
	l, err := newLink("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	l.point(echo(t))
	return l
}

const (
	soon   = 5 * time.Second
	moment = 100 * time.Millisecond
)

func want(t *testing.T, what string, a asker, within time.Duration, reply, alive bool) {
	t.Helper()
	if r, l := a.answered(within); r != reply || l != alive {
		t.Errorf("%s: answered %t and alive %t, want %t and %t", what, r, l, reply, alive)
	}
}

func TestLinkLosesRepliesWithAndWithoutTheConnection(t *testing.T) {
	l := newTestLink(t)
	a := ask(t, l)
	want(t, "before", a, soon, true, true)
	l.swallow(2)
	want(t, "the first lost reply", a, soon, false, false)
	b := ask(t, l)
	want(t, "the second lost reply", b, moment, false, true)
	want(t, "after it", ask(t, l), soon, true, true)
}

func TestLinkIsShutCutAndPointedElsewhere(t *testing.T) {
	l := newTestLink(t)
	a := ask(t, l)
	want(t, "before", a, soon, true, true)
	l.refuse(true)
	want(t, "cut by shutting", a, soon, false, false)
	want(t, "a new one while shut", ask(t, l), soon, false, false)
	l.heal()
	b := ask(t, l)
	want(t, "healed", b, soon, true, true)
	l.point(echo(t))
	want(t, "cut by pointing elsewhere", b, soon, false, false)
	want(t, "elsewhere", ask(t, l), soon, true, true)
}

func TestLinkStalls(t *testing.T) {
	for _, repliesOnly := range []bool{false, true} {
		l := newTestLink(t)
		l.repliesOnly = repliesOnly
		a := ask(t, l)
		want(t, "before", a, soon, true, true)
		l.stall()
		want(t, "stalled", a, moment, false, true)
		l.flow()
		want(t, "what was late arrives", a, soon, true, true)
	}
}
