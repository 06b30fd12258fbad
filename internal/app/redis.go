package app

import (
	"context"
	"crypto/tls"
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
		return redis.NewClusterClient(o.Cluster())
	}
	return redis.NewClient(o.Simple())
}
