//go:build real

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// silent is a logger for the library: that a server is away is what is wanted here.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }

// redisPassword is that of all servers here, of the default user and the service's.
const redisPassword = "e2e-redis-4711"

// server is a redis-server or redis-sentinel of a test's own.
type server struct {
	t      *testing.T
	port   int
	dir    string
	client *redis.Client
	run    *exec.Cmd
	exited chan struct{}
}

// startServer runs a program with its settings on a port and in a directory of its own
// until the test ends.
func startServer(t *testing.T, program string, settings ...string) *server {
	t.Helper()
	r := &server{t: t, port: freePort(t), dir: t.TempDir(), exited: make(chan struct{})}
	r.client = redis.NewClient(&redis.Options{Addr: r.address(), Password: redisPassword, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: 5 * time.Second})
	file := filepath.Join(r.dir, "conf") // sentinels and clusters write into it
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nrequirepass %s\n%s\n", r.port, r.dir, redisPassword, strings.Join(settings, "\n"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.run = exec.Command(program, file)
	r.run.Stdout, r.run.Stderr = log, log
	if err := r.run.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.exited)
		_ = r.run.Wait() // killed, most of the time
	}()
	t.Cleanup(func() {
		r.kill()
		_ = r.client.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of what %s on port %d printed:\n%s", program, r.port, text[max(0, len(text)-3000):])
		}
	})
	until(t, 20*time.Second, program+" answers", func() bool {
		select {
		case <-r.exited:
			t.Fatalf("%s died while starting", program)
		default:
		}
		return r.client.Ping(t.Context()).Err() == nil
	})
	return r
}

// startRedis runs a redis-server as it should be for payouts.
func startRedis(t *testing.T, settings ...string) *server {
	t.Helper()
	return startServer(t, "redis-server", append([]string{
		documentedUser(t), "masterauth " + redisPassword, "save \"\"", "appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "repl-diskless-sync-delay 0",
	}, settings...)...)
}

// documentedUser is the one that docs/operations.md says suffices, for the namespaces of
// these tests.
func documentedUser(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "ACL SETUSER disburser ")
	rules, _, _ := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/operations.md shows no user")
	}
	rules = strings.NewReplacer(">PASSWORD", ">"+redisPassword, "~disburser:*", "~e2e-*").Replace(rules)
	return "user disburser " + strings.Join(strings.Fields(rules), " ")
}

// freePort looks below the ephemeral range, where no outgoing connection can sit.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func (r *server) address() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

func (r *server) kill() {
	_ = r.run.Process.Kill()
	<-r.exited
}

// pause stops the process as it is, or lets it go on.
func (r *server) pause(yes bool) {
	r.t.Helper()
	signal := syscall.SIGCONT
	if yes {
		signal = syscall.SIGSTOP
	}
	if err := r.run.Process.Signal(signal); err != nil {
		r.t.Fatal(err)
	}
}

// do sends a command that must succeed.
func (r *server) do(args ...any) any {
	r.t.Helper()
	answer, err := r.client.Do(r.t.Context(), args...).Result()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return answer
}

// info reads one field of a section of INFO, "" if there is none.
func (r *server) info(section, field string) string {
	text, _ := r.client.Info(r.t.Context(), section).Result() // who waits for a field asks again
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (r *server) number(section, field string) int {
	n, _ := strconv.Atoi(r.info(section, field))
	return n
}

func (r *server) isPrimary() bool { return r.info("replication", "role") == "master" }

// follows waits until a replica has all that its primary has.
func (r *server) follows() {
	r.t.Helper()
	until(r.t, 20*time.Second, "the replica follows", func() bool {
		return r.info("replication", "role") == "slave" && r.info("replication", "master_link_status") == "up"
	})
}

// loseReplica cuts the replication and nothing else: whatever is written from here on is
// on the primary alone. A paused replica would find it in its socket when it wakes up.
func (r *server) loseReplica() {
	r.t.Helper()
	r.do("acl", "setuser", "default", "-psync", "-sync")
	r.do("client", "kill", "type", "replica")
	until(r.t, 10*time.Second, "the primary has no replica", func() bool { return r.info("replication", "connected_slaves") == "0" })
}

// offset is how many bytes of writes a server has made or taken over.
func (r *server) offset() int { return r.number("replication", "master_repl_offset") }
