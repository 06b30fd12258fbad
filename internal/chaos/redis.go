package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisLimit is how long a redis-server may take to answer.
const redisLimit = 20 * time.Second

// redisServer is a redis-server of ours on a port and in a directory of its own.
type redisServer struct {
	dir, port, address string
	appendOnly         string // yes, no
	process            *process
	client             *redis.Client
}

// newRedis starts a server; as a replica of another one if replicaOf is an address.
func newRedis(ctx context.Context, dir, name string, appendOnly bool, replicaOf string) (*redisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &redisServer{dir: filepath.Join(dir, name), port: port, address: "127.0.0.1:" + port, appendOnly: "no"}
	if appendOnly {
		r.appendOnly = "yes"
	}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		return nil, err
	}
	redis.SetLogger(silent{}) // that a server is away is what is wanted here
	r.client = redis.NewClient(&redis.Options{Addr: r.address, MaxRetries: -1, DialerRetries: 1, ReadTimeout: time.Second})
	return r, r.start(ctx, replicaOf)
}

// silent is a logger for the library.
type silent struct{}

// Printf prints nothing.
func (silent) Printf(context.Context, string, ...any) {}

// start runs the server on what it stored, if anything, and waits until it serves.
func (r *redisServer) start(ctx context.Context, replicaOf string) error {
	argv := []string{
		"redis-server", "--bind", "127.0.0.1", "--port", r.port, "--dir", r.dir, "--save", "",
		"--appendonly", r.appendOnly, "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
	}
	if replicaOf != "" {
		host, port, err := net.SplitHostPort(replicaOf)
		if err != nil {
			return err
		}
		argv = append(argv, "--replicaof", host, port)
	}
	p, err := start("redis-server", filepath.Join(r.dir, "log"), argv...)
	if err != nil {
		return err
	}
	r.process = p
	err = until(ctx, redisLimit, "redis answers", func() bool { return !p.running() || r.client.Ping(ctx).Err() == nil })
	if err == nil && !p.running() {
		err = fmt.Errorf("redis-server died while starting:\n%s", p.tail())
	}
	return err
}

// restart kills the server and starts it on what is on its disk.
func (r *redisServer) restart(ctx context.Context, down time.Duration, meanwhile func() error) error {
	r.process.kill()
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	pause(ctx, down)
	return r.start(ctx, "")
}

// loseTail cuts the end off the append-only file of a server that doesn't run, as a
// machine that died before it synced does.
func (r *redisServer) loseTail(bytes int64) error {
	files, err := filepath.Glob(filepath.Join(r.dir, "appendonlydir/*.incr.aof"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("redis: no append-only file in %s: %w", r.dir, err)
	}
	info, err := os.Stat(files[len(files)-1])
	if err != nil {
		return err
	}
	return os.Truncate(files[len(files)-1], max(0, info.Size()-bytes))
}

// inSync tells whether a replica follows its primary.
func (r *redisServer) inSync(ctx context.Context) bool {
	text, err := r.client.Info(ctx, "replication").Result()
	return err == nil && strings.Contains(text, "master_link_status:up")
}

// promote makes a primary of a replica.
func (r *redisServer) promote(ctx context.Context) error {
	return r.client.ReplicaOf(ctx, "NO", "ONE").Err()
}

func (r *redisServer) close() {
	if r == nil {
		return
	}
	r.process.kill()
	_ = r.client.Close()
}
