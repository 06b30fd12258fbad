package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"disburser/config"
)

// quiet drops what go-redis prints by itself, past our logger and unstructured; what
// fails reaches us as an error anyway.
type quiet struct{}

// Printf drops it.
func (quiet) Printf(context.Context, string, ...any) {}

var quieten = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// newRedis connects to a server, a cluster, or what sentinels point to. Retries are on:
// every script is idempotent for its caller.
func newRedis(c config.Redis, instance string, dial Dial) redis.UniversalClient {
	quieten()
	o := &redis.UniversalOptions{
		Addrs: c.Addresses, MasterName: c.MasterName, DB: c.DB, Username: c.Username, Password: c.Password.Reveal(),
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword.Reveal(),
		ClientName: instance, Dialer: dial,
		DialTimeout: time.Second, DialerRetries: 1, ReadTimeout: time.Second, WriteTimeout: time.Second, PoolTimeout: time.Second,
		ContextTimeoutEnabled: true, MaxRetries: 2, PoolSize: 32,
		DisableIdentity:          true, // CLIENT SETINFO: old proxies and strict ACLs refuse it
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case c.MasterName != "":
		return redis.NewFailoverClient(o.Failover())
	case c.IsCluster():
		cluster := o.Cluster()
		// A master that is dead says nothing of its successor. go-redis asks the others by
		// itself, but not before a minute is over unless it is told to.
		cluster.ClusterStateReloadInterval = time.Second
		// It would ask for COMMAND to find out where our commands go. All that we send are
		// scripts, whose keys say it; and a user who may not run COMMAND would make it ask anew
		// for each script, the dead servers too.
		cluster.DisableRoutingPolicies = true
		return redis.NewClusterClient(cluster)
	}
	return redis.NewClient(o.Simple())
}

// checkRedis refuses a Redis that may evict: a forgotten payout is a payout paid twice.
// It looks at every server that serves payouts, or may after a failover.
func (a *App) checkRedis(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := a.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	if err := a.redis.Info(ctx, "server").Err(); err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
		return fmt.Errorf("%w: redis doesn't let redis.username use INFO, by which a restart is noticed: grant +info", ErrSetup)
	}
	if cluster, ok := a.redis.(*redis.ClusterClient); ok {
		return cluster.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error {
			return a.checkPolicy(ctx, node, node.Options().Addr)
		})
	}
	if infoOf(ctx, a.redis, "cluster", "cluster_enabled:") == "1" {
		return fmt.Errorf("%w: redis is a node of a cluster: name several of its nodes in redis.addresses, without master_name", ErrSetup)
	}
	if err := a.checkPolicy(ctx, a.redis, strings.Join(a.config.Redis.Addresses, ",")); err != nil {
		return err
	}
	for n := 0; ; n++ {
		replica := infoOf(ctx, a.redis, "replication", fmt.Sprintf("slave%d:", n))
		if replica == "" {
			return nil
		}
		if err := a.checkReplica(ctx, replica); err != nil {
			return err
		}
	}
}

// checkReplica reads a line of INFO: ip=…,port=…,state=….
func (a *App) checkReplica(ctx context.Context, line string) error {
	fields := map[string]string{}
	for pair := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(pair, "=")
		fields[name] = value
	}
	c := a.config.Redis
	c.Addresses, c.MasterName = []string{net.JoinHostPort(fields["ip"], fields["port"])}, ""
	replica := newRedis(c, a.options.Instance, a.options.DialRedis)
	defer func() { _ = replica.Close() }()
	ctx, cancel := context.WithTimeout(ctx, time.Second) // it may be out of reach from here
	defer cancel()
	return a.checkPolicy(ctx, replica, c.Addresses[0])
}

func (a *App) checkPolicy(ctx context.Context, server redis.UniversalClient, name string) error {
	set, err := server.ConfigGet(ctx, "maxmemory-policy").Result()
	policy := set["maxmemory-policy"]
	switch {
	case err != nil || policy == "": // hosted Redis often forbids CONFIG
		a.logger.Warn().Str("server", name).Msg("redis doesn't tell its maxmemory-policy: see to it that it is noeviction")
	case policy != "noeviction":
		return fmt.Errorf("%w: redis may evict (maxmemory-policy of %s is %s): set it to noeviction", ErrSetup, name, policy)
	}
	return nil
}

// infoOf reads what stands behind a prefix in a section of INFO, "" where nothing does.
func infoOf(ctx context.Context, server redis.UniversalClient, section, prefix string) string {
	text, _ := server.Info(ctx, section).Result() // checked by the caller, as far as it matters
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, prefix); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
