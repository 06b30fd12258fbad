package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"disburser/backoffice/service"
	"disburser/internal/cli"
)

// asProgram makes the test's program the back office: a process of its own, whose memory can be measured.
const asProgram = "BACKOFFICE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(program()))
	}
	os.Exit(m.Run())
}

// officeProcess is a back office that runs as a program.
type officeProcess struct {
	url, token string
	command    *exec.Cmd
}

func startProcess(t *testing.T) *officeProcess {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "payout.commands", "payout.results", "payout.decisions", "payout.dead-letter", "payout.actions", "payout.batches"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	token, sum := service.NewToken()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	text := fmt.Sprintf("kafka: {brokers: [%q]}\nmerchants: {eg-main: {country: egypt, base_url: https://example.com, merchant_no: '1', secret: '1', notify_url: https://example.com/n}}\n"+
		"backoffice:\n  listen: %q\n  database: 'sqlite:%s'\n  payee_key: a key of thirty-two bytes or more\n  users: [{name: alice, token_sha256: %s, roles: [viewer, operator]}]\n",
		cluster.ListenAddrs()[0], address, filepath.Join(dir, "books.db"), sum)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &officeProcess{url: "http://" + address, token: token, command: exec.Command(os.Args[0], "run", "--config", file)} //nolint:gosec // it is the test itself
	o.command.Env = append(os.Environ(), asProgram+"=1")
	var log strings.Builder
	o.command.Stderr = &log
	if err := o.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = o.command.Process.Signal(syscall.SIGTERM)
		if err := o.command.Wait(); err != nil {
			t.Errorf("%v: %s", err, log.String())
		}
	})
	o.until(t, "it is ready", func() bool {
		status, _ := o.get("/readyz")
		return status == http.StatusOK
	})
	return o
}

// until waits for something that comes soon.
func (o *officeProcess) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after two minutes: %s", what)
		}
	}
}

func (o *officeProcess) get(path string) (int, string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, o.url+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// memory is what of the process stands in memory, and the most that ever stood there.
func (o *officeProcess) memory() (now, most int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.command.Process.Pid))
	number := func(name string) int {
		found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
		if found == nil {
			return 0
		}
		n, _ := strconv.Atoi(string(found[1]))
		return n
	}
	return number("VmRSS") >> 10, number("VmHWM") >> 10
}

// seconds is how much of a processor the process has used.
func (o *officeProcess) seconds() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.command.Process.Pid))
	fields := strings.Fields(string(text))
	if len(fields) < 15 {
		return 0
	}
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	return float64(user+system) / 100
}

// Many listen, and others are still answered. LISTENERS=10000 asks for more, and -v tells the memory.
func TestManyListen(t *testing.T) {
	listeners := 200
	if n, err := strconv.Atoi(os.Getenv("LISTENERS")); err == nil {
		listeners = n
	}
	o := startProcess(t)
	before, _ := o.memory()
	var overviews atomic.Int64
	host := strings.TrimPrefix(o.url, "http://")
	for range listeners {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", host, o.token)
		go func() {
			in := bufio.NewReaderSize(conn, 512)
			for {
				line, err := in.ReadSlice('\n')
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					return
				}
				if string(line) == "event: overview\n" {
					overviews.Add(1)
				}
			}
		}()
	}
	o.until(t, "all listen", func() bool {
		_, text := o.get("/metrics")
		return strings.Contains(text, fmt.Sprintf("\nbackoffice_event_listeners %s\n", strconv.FormatFloat(float64(listeners), 'g', -1, 64)))
	})
	told, used, began := overviews.Load(), o.seconds(), time.Now()
	o.until(t, "each is told three overviews more", func() bool { return overviews.Load() >= told+int64(3*listeners) })
	took := time.Since(began).Seconds()
	now, most := o.memory()
	t.Logf("%d listeners: %d MiB before, %d MiB with them, %d MiB at most; %.1f overviews/s each, %.2f of a processor", listeners, before, now, most, float64(overviews.Load()-told)/float64(listeners)/took, (o.seconds()-used)/took)
	if status, body := o.get("/api/v1/overview"); status != http.StatusOK {
		t.Error(status, body)
	}
}
