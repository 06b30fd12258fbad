package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
)

var (
	scriptCall   = regexp.MustCompile(`\bp?call\('([A-Z]+)'(.*)`)
	scriptOption = regexp.MustCompile(`'([A-Z]{2,})'`)
)

// The rehearsal uses what the scripts use, and nothing else. A command that it lacks would be
// found when money moves. One too many would refuse a good Redis.
func TestTheRehearsalUsesWhatTheScriptsUse(t *testing.T) {
	used := map[string]string{}
	for _, c := range scriptCommands {
		name, options, _ := strings.Cut(c, " ")
		used[name] += " " + options + " "
	}
	called := map[string]bool{}
	for _, file := range scriptFiles(t) {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			code, _, _ := strings.Cut(line, "--")
			for rest := code; ; {
				m := scriptCall.FindStringSubmatch(rest)
				if m == nil {
					break
				}
				name := m[1]
				rest = m[2]
				called[name] = true
				own := scriptCall.ReplaceAllString(rest, "") // up to the next call
				if used[name] == "" {
					t.Errorf("%s calls %s, which the rehearsal doesn't try", filepath.Base(file), name)
				}
				for _, option := range scriptOption.FindAllStringSubmatch(own, -1) {
					if !strings.Contains(used[name], " "+option[1]+" ") {
						t.Errorf("%s calls %s with %s, which the rehearsal doesn't try", filepath.Base(file), name, option[1])
					}
				}
			}
		}
	}
	for name := range used {
		if !called[name] {
			t.Errorf("the rehearsal wants %s, which no script uses", name)
		}
	}
	if len(called) < 25 {
		t.Errorf("only %d commands were found in the scripts", len(called))
	}
}

func scriptFiles(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"../../journal/lua/*.lua", "../../ratelimit/lua/*.lua"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		all = append(all, files...)
	}
	return all
}

// on makes an instance that looks at a Redis through dial.
func on(t *testing.T, dial Dial, change func(*Options)) *App {
	t.Helper()
	o := Options{DialRedis: dial, LogTo: t.Output()}
	if change != nil {
		change(&o)
	}
	a, err := New(testConfig(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	return a
}

func TestARedisThatLacksACommandIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name, command, says string
		want                []string // in the error
		waits               bool     // it isn't for somebody to mend
	}{
		{"all is well", "", "", nil, false},
		{"renamed", "INFO", "ERR unknown command 'INFO', with args beginning with: ", []string{"INFO", "unknown command", "+info", "rename-command"}, false},
		{"a right that is missing", "INFO", "NOPERM this user has no permissions to run the 'info' command", []string{"INFO", "NOPERM", "+info"}, false},
		{"refused inside of scripts", "ZRANGE", "ERR This Redis command is not allowed from script", []string{"ZRANGE", "not allowed", "+zrange", "inside of scripts"}, false},
		{"no scripts at all", "EVAL", "ERR unknown command 'EVAL'", []string{"EVAL", "+eval"}, false},
		{"no scripts by their sum", "EVALSHA", "NOPERM this user has no permissions to run the 'evalsha' command", []string{"EVALSHA", "+evalsha"}, false},
		{"nobody may write", "HSET", "READONLY You can't write against a read only replica.", []string{"HSET", "READONLY"}, true},
		{"it is full", "HSET", "OOM command not allowed when used memory > 'maxmemory'.", nil, false},
		{"it still reads its file", "PING", "LOADING Redis is loading the dataset in memory", []string{"LOADING"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := embedded.NewRedis()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Close)
			if c.command != "" {
				r.Refuse(c.command, c.says)
			}
			err = on(t, r.Dial, nil).checkRedis(t.Context())
			if (err == nil) != (c.want == nil) || errors.Is(err, ErrSetup) != (c.want != nil && !c.waits) {
				t.Fatalf("%v", err)
			}
			for _, word := range c.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error doesn't say %q: %v", word, err)
				}
			}
			if keys := r.Keys(); len(keys) > 0 {
				t.Errorf("the rehearsal left %q behind", keys)
			}
		})
	}
}

// With many merchants the start tries the commands on each slot too, with several at a time.
func TestTheStartTriesEachSlotOfManyMerchants(t *testing.T) {
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	c := testConfig()
	for i := range 50 {
		c.Merchants[fmt.Sprintf("m%03d", i)] = c.Merchants["eg-main"]
	}
	a, err := New(c, Options{DialRedis: r.Dial, LogTo: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	slots := a.slots()
	if err := a.checkRedis(t.Context()); err != nil || len(slots) < 100 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	if keys := r.Keys(); len(keys) > 0 {
		t.Errorf("the rehearsals left %d keys behind", len(keys))
	}
	for _, prefix := range []string{slots[0], slots[len(slots)/2], slots[len(slots)-1]} {
		r.Server().SetPreHook(func(peer *server.Peer, command string, args ...string) bool {
			if strings.EqualFold(command, "EVAL") && slices.Contains(args, prefix) {
				peer.WriteError("NOPERM this user has no permissions to access one of the keys")
				return true
			}
			return false
		})
		if err := a.checkRedis(t.Context()); !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%s is not tried: %v", prefix, err)
		}
	}
}

// hungUp is a connection that the server has closed.
type hungUp struct{ net.Conn }

func (hungUp) Read([]byte) (int, error)       { return 0, io.EOF }
func (hungUp) Write(text []byte) (int, error) { return len(text), nil }

// What is away is named: EOF alone could be anybody's.
func TestWhatIsAwayIsNamed(t *testing.T) {
	hangsUp := func(context.Context, string, string) (net.Conn, error) {
		ours, _ := net.Pipe()
		return hungUp{ours}, nil
	}
	a := on(t, hangsUp, func(o *Options) { o.DialKafka = hangsUp })
	for _, c := range []struct {
		check func(context.Context) error
		words []string
	}{
		{a.checkRedis, []string{"redis:6379", "EOF", "redis.tls"}},
		{a.checkTopics, []string{"kafka:9092", "EOF", "kafka.tls"}},
	} {
		err := c.check(t.Context())
		for _, word := range c.words {
			if err == nil || errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), word) {
				t.Errorf("%v doesn't say %q", err, word)
			}
		}
	}
}

// A service in front of Redis that answers INFO without naming a server.
func TestARedisThatTellsNoRunIDIsRefused(t *testing.T) {
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if strings.EqualFold(command, "INFO") {
			peer.WriteBulk("# Server\r\nredis_version:7.0.15\r\n")
			return true
		}
		return false
	})
	err = on(t, r.Dial, nil).checkRedis(t.Context())
	if !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "it tells no run_id") {
		t.Fatal(err)
	}
}

// The same on a real redis-server, where renamed commands, rights and memory are its own.
func TestARealRedisThatLacksACommandIsRefusedByName(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed; miniredis has shown the same")
	}
	for _, c := range []struct {
		name  string
		args  []string
		setup []any // a command that is run first
		want  string
	}{
		{"as it comes", nil, nil, ""},
		{"INFO is renamed", []string{"--rename-command", "INFO", ""}, nil, "INFO"},
		{"INFO has another name", []string{"--rename-command", "INFO", "TELL"}, nil, "INFO"},
		{"PEXPIREAT is renamed", []string{"--rename-command", "PEXPIREAT", ""}, nil, "PEXPIREAT"},
		{"no right to ZADD", nil, []any{"ACL", "SETUSER", "default", "-zadd"}, "ZADD"},
		{"no right to EVALSHA", nil, []any{"ACL", "SETUSER", "default", "-evalsha"}, "EVALSHA"},
		{"no right to the keys", nil, []any{"ACL", "SETUSER", "default", "resetkeys", "~others:*"}, "~disburser:*"},
		{"no memory", nil, []any{"CONFIG", "SET", "maxmemory", "1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, dial := realRedis(t, c.args)
			if c.setup != nil {
				if err := client.Do(t.Context(), c.setup...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			err := on(t, dial, nil).checkRedis(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (!errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), c.want)):
				t.Fatal(err)
			case strings.Contains(fmt.Sprint(err), "user_script"):
				t.Errorf("where in the script is nobody's business: %v", err)
			}
			t.Log(err)
		})
	}
}

// realRedis starts a redis-server on a socket of its own.
func realRedis(t *testing.T, args []string) (*redis.Client, Dial) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	command := exec.Command("redis-server", slices.Concat([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", t.TempDir()}, args)...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	var d net.Dialer
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) }
	client := redis.NewClient(&redis.Options{Dialer: dial})
	t.Cleanup(func() { _ = client.Close() })
	for began := time.Now(); client.Ping(t.Context()).Err() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("redis-server doesn't answer")
		}
	}
	return client, dial
}
