package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// A call must be over a margin before its lease is (protocol S5): two seconds, or an
	// eighth of a shorter lease. Before it the decision must be written, which takes
	// milliseconds; decisionTime is what a slow Kafka is given at least.
	mostMargin   = 2 * time.Second
	decisionTime = 500 * time.Millisecond

	// A broker's own lower bound (group.min.session.timeout.ms) is 6 s unless it was
	// changed; below a second the heartbeats themselves come too late.
	leastSession, usualSession, mostSession = time.Second, 6 * time.Second, 5 * time.Minute

	mostGrace = 24 * time.Hour

	// Nobody keeps more copies of a topic.
	mostReplicas = 32

	// Below a minute a tradeNo could be forgotten while it is still on its way.
	leastMemory, usualMemory = time.Minute, time.Hour

	// Every shard costs every instance its own scripts each round.
	mostShards = 64
)

const aboveZero = "must be more than 0"

var (
	topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	spaceName = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

// check looks at what was read, one section after the other.
func (r *reader) check(c Config) {
	r.checkKafka(c.Kafka)
	r.checkSecurity(c.Kafka)
	r.checkRedis(c.Redis)
	r.checkMerchants(c.Merchants)
	r.checkBreaker(c.Breaker)
	r.checkDisburse(c.Disburse, c.Merchants)
	r.checkAdmin(c.Admin)
	r.must(c.UnknownMerchantGrace >= 0 && c.UnknownMerchantGrace <= mostGrace, "unknown_merchant_grace", "must be from 0s to 24h")
	r.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	r.oneOf("log.format", c.Log.Format, "json", "console")
}

func (r *reader) checkKafka(k Kafka) {
	r.required("kafka.brokers", len(k.Brokers) > 0)
	r.required("kafka.group", k.Group != "")
	const session = "kafka.session_timeout"
	r.must(k.SessionTimeout >= leastSession && k.SessionTimeout <= mostSession, session, "must be from 1s to 5m")
	if k.SessionTimeout >= leastSession && k.SessionTimeout < usualSession {
		r.warn(session, "is below 6s, which brokers refuse unless their group.min.session.timeout.ms says otherwise")
	}
	r.must(k.RequireReplicas >= 0 && k.RequireReplicas <= mostReplicas, "kafka.require_replicas", "must be from 0 to %d", mostReplicas)
	uses := map[string]string{}
	for _, t := range [][2]string{
		{"commands", k.Topics.Commands}, {"results", k.Topics.Results},
		{"decisions", k.Topics.Decisions}, {"dead_letter", k.Topics.DeadLetter},
	} {
		key, topic := "kafka.topics."+t[0], t[1]
		r.must(topicName.MatchString(topic) && strings.Trim(topic, ".") != "", key, "must be a topic name: 1 to 249 of A-Z a-z 0-9 . _ -")
		r.must(uses[topic] == "", key, "must differ from "+uses[topic])
		uses[topic] = key
	}
}

func (r *reader) checkSecurity(k Kafka) {
	pair := (k.TLS.CertFile == "") == (k.TLS.KeyFile == "")
	r.must(pair, "kafka.tls", "must have cert_file and key_file together, or neither")
	if !k.TLS.Enabled && k.TLS != (KafkaTLS{}) {
		r.warn("kafka.tls", "names files but is not used: enabled is false")
	}
	s := k.SASL
	r.oneOf("kafka.sasl.mechanism", s.Mechanism, "", "plain", "scram-sha-256", "scram-sha-512")
	if s.Mechanism == "" {
		return
	}
	r.required("kafka.sasl.username", s.Username != "")
	if why, unset := r.unset["kafka.sasl.password"]; unset {
		r.bad("kafka.sasl.password", "%s", why)
	} else {
		r.required("kafka.sasl.password", !s.Password.IsEmpty())
	}
	if s.Mechanism == "plain" && !k.TLS.Enabled {
		r.warn("kafka.sasl.mechanism", "plain without kafka.tls sends the password in clear")
	}
}

func (r *reader) checkRedis(c Redis) {
	r.required("redis.addresses", len(c.Addresses) > 0)
	r.must(c.DB >= 0, "redis.db", "must be 0 or more")
	r.must(c.DB <= 0 || !c.IsCluster(), "redis.db", "must be 0 (several addresses without master_name are a cluster, which has one database only)")
	r.must(spaceName.MatchString(c.Namespace), "redis.namespace", "must be 1 to 64 of A-Z a-z 0-9 . _ : -")
	r.must(c.Shards >= 1 && c.Shards <= mostShards, "redis.shards", "must be from 1 to %d", mostShards)
	const window = "redis.dedup_window"
	r.must(c.DedupWindow >= leastMemory, window, "must be 1m or more")
	if c.DedupWindow >= leastMemory && c.DedupWindow < usualMemory {
		r.warn(window, "is below 1h: a tradeNo that comes again later than that is paid again")
	}
}

func (r *reader) checkBreaker(b Breaker) {
	r.must(b.FailureRatio > 0 && b.FailureRatio <= 1, "breaker.failure_ratio", "must be more than 0 and at most 1")
	r.must(b.MinRequests >= 1, "breaker.min_requests", aboveZero)
	r.must(b.Window > 0, "breaker.window", aboveZero)
	r.must(b.OpenFor > 0, "breaker.open_for", aboveZero)
	r.must(b.MaxOpenFor >= b.OpenFor, "breaker.max_open_for", "must not be less than open_for (%v)", brief(b.OpenFor))
	r.must(b.Probes >= 1, "breaker.probes", aboveZero)
	r.must(b.Refusals >= 1, "breaker.refusals", aboveZero)
}

func (r *reader) checkDisburse(d Disburse, merchants map[string]Merchant) {
	r.must(d.Slots >= 1, "disburse.slots", aboveZero)
	r.must(d.MaxOpen >= 1, "disburse.max_open", aboveZero)
	r.must(d.Drain > 0, "disburse.drain", aboveZero)
	r.must(d.Lease > 0, "disburse.lease", aboveZero)
	slowest, timeout := "", time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		if m := merchants[name]; m.Timeout > timeout {
			slowest, timeout = name, m.Timeout
		}
	}
	if _, given := r.places["disburse.lease"]; !given && slowest != "" {
		r.places["disburse.lease"] = place{line: r.lineOf("merchants." + slowest + ".timeout")}
	}
	least := leastLease(timeout)
	r.must(d.Lease >= least, "disburse.lease",
		"must be at least %v (merchants.%s.timeout of %v, and time to decide before it and to write after it: raise the lease or lower the timeout)",
		brief(least), slowest, brief(timeout))
}

// leastLease is the shortest lease that leaves room for a call of a timeout, for the
// decision before it and the margin after it, in whole tenths of a second.
func leastLease(timeout time.Duration) time.Duration {
	need := timeout + decisionTime
	lease := min(need*8/7, need+mostMargin) + 1 // the margin is an eighth of the whole, two seconds at most
	return (lease + 99*time.Millisecond).Truncate(100 * time.Millisecond)
}

func (r *reader) checkAdmin(a Admin) {
	host, port, err := net.SplitHostPort(a.Listen)
	ok := err == nil && isPort(port, 0) // 0 = any free one, for tests
	r.must(ok, "admin.listen", "must be host:port or :port")
	if ok && a.Token.IsEmpty() && !isLoopback(host) {
		r.warn("admin.listen", "is open to other machines, and there is no admin.token")
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// must tells a problem with what was read unless ok, and adds what the file has
// there.
func (r *reader) must(ok bool, path, text string, args ...any) {
	if ok {
		return
	}
	if p := r.places[path]; p.shown != "" {
		text, args = text+", is %s", append(args, p.shown)
	}
	r.bad(path, text, args...)
}

// required tells that a key is missing, or empty, unless given.
func (r *reader) required(path string, given bool) {
	if !given {
		r.bad(path, "is required")
	}
}

// bad tells a problem with path. A key that has its problem already gets no second.
func (r *reader) bad(path, text string, args ...any) {
	if !r.silenced(path) {
		r.told[path] = true
		r.add(r.lineOf(path), path, fmt.Sprintf(text, args...))
	}
}

func (r *reader) oneOf(path, got string, known ...string) {
	names := strings.Join(known, ", ")
	if known[0] == "" {
		names = `""` + names
	}
	r.must(slices.Contains(known, got), path, "must be one of "+names)
}

func (r *reader) warn(path, text string) {
	r.warnings = append(r.warnings, Problem{File: r.file, Line: r.lineOf(path), Key: path, Text: text})
}

// silenced tells that path, or what it stands in, has its problem already.
func (r *reader) silenced(path string) bool {
	if r.told[path] {
		return true
	}
	for ; path != ""; path = parent(path) {
		if r.places[path].wrong {
			return true
		}
	}
	return r.places[""].wrong
}

// lineOf is the line of path, or of the nearest key around it that the file has.
func (r *reader) lineOf(path string) int {
	for ; path != ""; path = parent(path) {
		if p, ok := r.places[path]; ok {
			return p.line
		}
	}
	return 1
}

// parent cuts the last key or index off.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// brief prints 30s, not 30.0s, and 72h, not 72h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
