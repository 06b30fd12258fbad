//go:build real

package e2e

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/harness"
)

// redisPassword is that of all servers here, of the default user and the service's.
const redisPassword = "e2e-redis-4711"

// server is a redis-server or redis-sentinel of a test's own.
type server struct {
	*harness.Redis
	t *testing.T
}

// startServer runs a program with its settings on a port and in a directory of its own
// until the test ends.
func startServer(t *testing.T, program string, settings ...string) *server {
	t.Helper()
	all := append([]string{"requirepass " + redisPassword}, settings...)
	one, err := harness.NewRedis(program, t.TempDir(), redis.Options{Password: redisPassword, DialTimeout: time.Second, ReadTimeout: 5 * time.Second}, all...)
	if err != nil {
		t.Fatal(err)
	}
	r := &server{one, t}
	t.Cleanup(func() {
		r.Close()
		if t.Failed() && r.Process != nil {
			t.Logf("the end of what %s on port %d printed:\n%s", program, r.Port, r.Tail())
		}
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
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

func freePort(t *testing.T) int {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// pause stops the process as it is, or lets it go on.
func (r *server) pause(yes bool) {
	r.t.Helper()
	signal := syscall.SIGCONT
	if yes {
		signal = syscall.SIGSTOP
	}
	r.Signal(signal)
}

// do sends a command that must succeed.
func (r *server) do(args ...any) any {
	r.t.Helper()
	answer, err := r.Client.Do(r.t.Context(), args...).Result()
	if err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
	return answer
}

// info reads one field of a section of INFO, "" if there is none.
func (r *server) info(section, field string) string {
	text, _ := r.Client.Info(r.t.Context(), section).Result() // who waits for a field asks again
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
