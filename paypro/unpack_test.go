package paypro

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"disburser/payout/finding"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A gzip answer is read although none was requested. One that can't be unzipped is Unclear.
func TestPackedAnswers(t *testing.T) {
	paid := `{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`
	padded := strings.Replace(paid, `{"code"`, `{"x":"`+strings.Repeat("x", maxAnswer)+`","code"`, 1)
	var deflated bytes.Buffer
	d := zlib.NewWriter(&deflated)
	_, _ = io.WriteString(d, paid)
	_ = d.Close()
	for _, test := range []struct {
		name, encoding, body string
		want                 finding.Kind
		dials                int // for two calls
	}{
		{"none", "", paid, finding.Paid, 1},
		{"identity", "identity", paid, finding.Paid, 1},
		{"gzip", "gzip", zipped(t, paid), finding.Paid, 1},
		{"in capitals", "GZIP", zipped(t, paid), finding.Paid, 1},
		{"by its old name", "x-gzip", zipped(t, paid), finding.Paid, 1},
		{"and identity", "identity, gzip", zipped(t, paid), finding.Paid, 1},
		{"two members", "gzip", zipped(t, paid[:20]) + zipped(t, paid[20:]), finding.Paid, 1},
		{"not packed", "gzip", paid, finding.Unclear, 2},
		{"nothing", "gzip", "", finding.Unclear, 2},
		{"cut off", "gzip", zipped(t, paid)[:30], finding.Unclear, 2},
		{"without its checksum", "gzip", zipped(t, paid)[:len(zipped(t, paid))-8], finding.Unclear, 2},
		{"another checksum", "gzip", zipped(t, paid)[:len(zipped(t, paid))-8] + "01234567", finding.Unclear, 2},
		{"something behind it", "gzip", zipped(t, paid) + "x", finding.Unclear, 2},
		{"a bomb", "gzip", zipped(t, padded), finding.Unclear, 2},
		{"packed twice", "gzip, gzip", zipped(t, zipped(t, paid)), finding.Unclear, 2},
		{"deflate", "deflate", deflated.String(), finding.Unclear, 2},
		{"brotli, it says", "br", paid, finding.Unclear, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				n.serveRequests(t, func(conn net.Conn) bool {
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", test.encoding, len(test.body), test.body)
					return true
				})
				c := client(t, egypt(), n.dial)
				for range 2 {
					expect(t, c.Ask(t.Context(), aboutOne, soon()), test.want)
				}
				if n.dialled() != test.dials {
					t.Errorf("%d connections", n.dialled())
				}
			})
		})
	}
}

// A small gzip body that expands beyond the limit is not expanded fully.
func TestABombIsNotUnpacked(t *testing.T) {
	bomb := []byte(zipped(t, strings.Repeat(" ", 200<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, problem := unzip(bomb, []string{"gzip"}); problem != problemTooLong {
		t.Errorf("problem %q", problem)
	}
	runtime.ReadMemStats(&after)
	if made := after.TotalAlloc - before.TotalAlloc; made > 50<<20 {
		t.Errorf("%d bytes were made", made)
	}
}
