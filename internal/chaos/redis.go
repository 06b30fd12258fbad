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

	"disburser/internal/harness"
)

// redisServer is a redis-server of ours on a port and in a directory of its own.
type redisServer struct{ *harness.Redis }

// newRedis starts a server; as a replica of another one if replicaOf is an address.
func newRedis(ctx context.Context, dir, name string, appendOnly bool, replicaOf string) (*redisServer, error) {
	kept := "no"
	if appendOnly {
		kept = "yes"
	}
	r, err := harness.NewRedis("redis-server", filepath.Join(dir, name), redis.Options{ReadTimeout: time.Second},
		`save ""`, "appendonly "+kept, "appendfsync everysec", "maxmemory-policy noeviction", "repl-diskless-sync-delay 0")
	if err != nil {
		return nil, err
	}
	var follow []string
	if replicaOf != "" {
		host, port, err := net.SplitHostPort(replicaOf)
		if err != nil {
			return nil, err
		}
		follow = []string{"--replicaof", host, port}
	}
	return &redisServer{r}, r.Start(ctx, follow...)
}

// restart kills the server and starts it on what is on its disk.
func (r *redisServer) restart(ctx context.Context, down time.Duration, meanwhile func() error) error {
	r.Kill()
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			return err
		}
	}
	harness.Pause(ctx, down)
	return r.Start(ctx)
}

// loseTail cuts the end off the append-only file of a server that doesn't run, as a
// machine that died before it synced does.
func (r *redisServer) loseTail(bytes int64) error {
	files, err := filepath.Glob(filepath.Join(r.Dir, "appendonlydir/*.incr.aof"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("redis: no append-only file in %s: %w", r.Dir, err)
	}
	info, err := os.Stat(files[len(files)-1])
	if err != nil {
		return err
	}
	return os.Truncate(files[len(files)-1], max(0, info.Size()-bytes))
}

// inSync tells whether a replica follows its primary.
func (r *redisServer) inSync(ctx context.Context) bool {
	text, err := r.Client.Info(ctx, "replication").Result()
	return err == nil && strings.Contains(text, "master_link_status:up")
}

// promote makes a primary of a replica.
func (r *redisServer) promote(ctx context.Context) error {
	return r.Client.ReplicaOf(ctx, "NO", "ONE").Err()
}

func (r *redisServer) close() {
	if r != nil {
		r.Close()
	}
}
