package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisLimit is how long a redis-server may take to answer.
const redisLimit = 20 * time.Second

// Redis is a redis-server, or a redis-sentinel, on a port and in a folder of its own.
type Redis struct {
	*Process // of the last start, nil before the first
	Dir      string
	Port     int
	Client   *redis.Client
	program  string
}

// silent is a logger for the library: that a server is away is what is wanted here.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

var quiet = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

// NewRedis prepares a server with settings as they stand in its file. Start starts it. The
// client's address is filled in.
func NewRedis(program, dir string, client redis.Options, settings ...string) (*Redis, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &Redis{Dir: dir, Port: port, program: program}
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\n%s\n", port, dir, strings.Join(settings, "\n"))
	if err := os.WriteFile(r.conf(), []byte(text), 0o600); err != nil { // sentinels and clusters write into it
		return nil, err
	}
	quiet()
	client.Addr, client.MaxRetries, client.DialerRetries = r.Address(), -1, 1
	r.Client = redis.NewClient(&client)
	return r, nil
}

func (r *Redis) conf() string { return filepath.Join(r.Dir, "conf") }

// Address is where it listens.
func (r *Redis) Address() string { return fmt.Sprintf("127.0.0.1:%d", r.Port) }

// Start runs the server on what it stored, if anything, with further arguments, and waits
// until it answers.
func (r *Redis) Start(ctx context.Context, more ...string) error {
	p, err := Start(r.program, filepath.Join(r.Dir, "log"), append([]string{r.program, r.conf()}, more...)...)
	if err != nil {
		return err
	}
	r.Process = p
	err = Until(ctx, redisLimit, r.program+" answers", func() bool { return !p.Running() || r.Client.Ping(ctx).Err() == nil })
	if err == nil && !p.Running() {
		err = fmt.Errorf("%s died while starting:\n%s", r.program, p.Tail())
	}
	return err
}

// Close ends it at once. What it stored stays. It may be nil.
func (r *Redis) Close() {
	if r == nil {
		return
	}
	r.Kill()
	_ = r.Client.Close()
}
