package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"disburser/config"
	"disburser/internal/socket"
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
		Protocol:                 2,    // with version 3 the client looks for messages that nobody asked for before and after each command
		DisableIdentity:          true, // CLIENT SETINFO: old proxies and strict ACLs refuse it
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case c.TLS:
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	case dial == nil:
		o.Dialer = socket.Over(redis.NewDialer(&redis.Options{DialTimeout: o.DialTimeout}))
	}
	client := connect(c, o)
	client.AddHook(naming{strings.Join(c.Addresses, ",")})
	return client
}

func connect(c config.Redis, o *redis.UniversalOptions) redis.UniversalClient {
	switch {
	case c.MasterName != "":
		return redis.NewFailoverClient(o.Failover())
	case c.IsCluster():
		cluster := o.Cluster()
		// A master that is dead says nothing of its successor. go-redis asks the others by
		// itself, but not before a minute is over unless it is told to.
		cluster.ClusterStateReloadInterval = time.Second
		// The client would ask for COMMAND to find out where our commands go. We only send
		// scripts, whose keys say it. For a user who may not run COMMAND it would ask again for
		// each script, and ask dead servers too.
		cluster.DisableRoutingPolicies = true
		return redis.NewClusterClient(cluster)
	}
	return redis.NewClient(o.Simple())
}

// naming says in each error whose it is: what comes from the network doesn't always.
type naming struct{ addresses string }

// DialHook leaves dialling as it is.
func (n naming) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook names the servers in a command's error. What the server itself answers, and
// what the caller gave up, stays as it is.
func (n naming) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error { return n.named(next(ctx, command)) }
}

// ProcessPipelineHook does the same for several at once.
func (n naming) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error { return n.named(next(ctx, commands)) }
}

func (n naming) named(err error) error {
	var answer redis.Error
	if err == nil || errors.As(err, &answer) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("redis at %s: %w", n.addresses, err)
}

// checkRedis looks at Redis before money moves, and says which servers don't tell whether
// they evict.
func (a *App) checkRedis(ctx context.Context) error {
	silent, err := a.lookAtRedis(ctx)
	for _, server := range silent { // hosted Redis often forbids CONFIG
		a.logger.Warn().Str("server", server).Msg("redis doesn't tell its maxmemory-policy: see to it that it is noeviction")
	}
	return err
}

// redisSentence is checkRedis for check --connect: it answers what is well.
func (a *App) redisSentence(ctx context.Context) (string, error) {
	silent, err := a.lookAtRedis(ctx)
	sentence := fmt.Sprintf("%s answers and lets us use every command that is needed; ", a.redisAddresses())
	if len(silent) == 0 {
		return sentence + "its maxmemory-policy is noeviction", err
	}
	return sentence + fmt.Sprintf("%s doesn't tell its maxmemory-policy: see to it that it is noeviction", strings.Join(silent, " and ")), err
}

func (a *App) redisAddresses() string { return strings.Join(a.config.Redis.Addresses, ",") }

// lookAtRedis refuses a Redis that lacks a command, or may evict: a forgotten payout is a
// payout paid twice. It looks at every server that serves payouts, or may after a
// failover. silent are those that don't tell whether they evict.
func (a *App) lookAtRedis(ctx context.Context) (silent []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	defer func() {
		if err != nil && !errors.Is(err, ErrSetup) {
			err = away(err, "", "redis.tls", a.config.Redis.TLS)
		}
	}()
	cluster, isCluster := a.redis.(*redis.ClusterClient)
	if !isCluster && infoOf(ctx, a.redis, "cluster", "cluster_enabled:") == "1" {
		return nil, fmt.Errorf("%w: redis is a node of a cluster: name several of its nodes in redis.addresses, without master_name", ErrSetup)
	}
	if err := a.checkCommands(ctx); err != nil {
		return nil, err
	}
	var mu sync.Mutex // the servers of a cluster are asked together
	policy := func(ctx context.Context, server redis.UniversalClient, name string) error {
		told, err := checkPolicy(ctx, server, name)
		if !told {
			mu.Lock()
			defer mu.Unlock()
			silent = append(silent, name)
		}
		return err
	}
	if isCluster {
		err = cluster.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error { return policy(ctx, node, node.Options().Addr) })
		return silent, err
	}
	if err := policy(ctx, a.redis, a.redisAddresses()); err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		line := infoOf(ctx, a.redis, "replication", fmt.Sprintf("slave%d:", n))
		if line == "" {
			return silent, nil
		}
		if err := a.withReplica(ctx, line, policy); err != nil {
			return nil, err
		}
	}
}

// withReplica looks at the server that a line of INFO names: ip=…,port=…,state=….
func (a *App) withReplica(ctx context.Context, line string, look func(context.Context, redis.UniversalClient, string) error) error {
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
	return look(ctx, replica, c.Addresses[0])
}

// checkPolicy refuses a server that may evict; told is whether it says so at all.
func checkPolicy(ctx context.Context, server redis.UniversalClient, name string) (told bool, err error) {
	set, err := server.ConfigGet(ctx, "maxmemory-policy").Result()
	policy := set["maxmemory-policy"]
	if err != nil || policy == "" {
		return false, nil
	}
	if policy != "noeviction" {
		return true, fmt.Errorf("%w: redis may evict (maxmemory-policy of %s is %s): set it to noeviction", ErrSetup, name, policy)
	}
	return true, nil
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
