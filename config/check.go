package config

import (
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// This file has the rules that concern several keys together, and the warnings. What concerns one key alone stands in
// its tags.

const (
	// A call must be over a margin before its lease is (docs/protocol.md, S5): two seconds, or an eighth of a shorter
	// lease. Before the call the decision must be written. That takes milliseconds; decisionTime is what a slow Kafka gets.
	mostMargin   = 2 * time.Second
	decisionTime = 500 * time.Millisecond

	// A broker's own least session timeout (group.min.session.timeout.ms), unless it was changed.
	usualSession = 6 * time.Second

	// A shorter memory of tradeNos is for tests.
	usualMemory = time.Hour
)

// check looks at what was read: first each key by its tags, then keys together.
func (r *reader) check(c Config) {
	r.checkTags("", reflect.ValueOf(c))
	r.checkSessionTimeout(c.Kafka)
	r.checkTopicsDiffer(c.Kafka.Topics)
	r.checkTLS(c.Kafka.TLS)
	r.checkSASL(c.Kafka)
	r.checkCluster(c.Redis)
	r.checkDedupWindow(c.Redis)
	r.checkBreaker(c.Breaker)
	r.checkActions(c.Actions)
	r.checkLease(c.Disburse, c.Merchants)
	r.checkAdminIsGuarded(c.Admin)
	r.checkMerchants(c.Merchants)
}

// checkPaces checks what says how payouts go, where only that is read.
func (r *reader) checkPaces(c Config) {
	r.checkDedupWindow(c.Redis)
	r.checkBreaker(c.Breaker)
	r.checkLease(c.Disburse, c.Merchants)
	for _, name := range slices.Sorted(maps.Keys(c.Merchants)) {
		m, path := c.Merchants[name], join("merchants", name)
		r.checkPoll(m.Poll, path+".poll")
		r.checkNoRecord(m.NoRecord, path+".no_record")
		r.checkTooFast(m, path+".too_fast.codes")
	}
}

func (r *reader) checkBreaker(b Breaker) {
	r.must(b.MaxOpenFor >= b.OpenFor, "breaker.max_open_for", "must not be less than open_for (%v)", brief(b.OpenFor))
}

func (r *reader) checkSessionTimeout(k Kafka) {
	const path = "kafka.session_timeout"
	if k.SessionTimeout < usualSession && !r.silenced(path) {
		r.warn(path, "is below 6s, which brokers refuse unless their group.min.session.timeout.ms says otherwise")
	}
}

func (r *reader) checkTopicsDiffer(t Topics) {
	uses := map[string]string{}
	for _, one := range [][2]string{
		{"commands", t.Commands}, {"results", t.Results}, {"decisions", t.Decisions}, {"dead_letter", t.DeadLetter}, {"actions", t.Actions}, {"batches", t.Batches},
	} {
		key, topic := "kafka.topics."+one[0], one[1]
		r.must(uses[topic] == "", key, "must differ from "+uses[topic])
		uses[topic] = key
	}
}

func (r *reader) checkTLS(t KafkaTLS) {
	r.must((t.CertFile == "") == (t.KeyFile == ""), "kafka.tls", "must have cert_file and key_file together, or neither")
	if !t.Enabled && t != (KafkaTLS{}) {
		r.warn("kafka.tls", "names files but is not used: enabled is false")
	}
}

func (r *reader) checkSASL(k Kafka) {
	if k.SASL.Mechanism == "" {
		return
	}
	const password = "kafka.sasl.password"
	r.required("kafka.sasl.username", k.SASL.Username != "")
	if why, unset := r.unset[password]; unset {
		r.bad(password, "%s", why)
	} else {
		r.required(password, !k.SASL.Password.IsEmpty())
	}
	if k.SASL.Mechanism == "plain" && !k.TLS.Enabled {
		r.warn("kafka.sasl.mechanism", "plain without kafka.tls sends the password in clear")
	}
}

func (r *reader) checkCluster(c Redis) {
	r.must(c.DB == 0 || !c.IsCluster(), "redis.db", "must be 0 (several addresses without master_name are a cluster, which has one database only)")
}

func (r *reader) checkDedupWindow(c Redis) {
	const path = "redis.dedup_window"
	if c.DedupWindow < usualMemory && !r.silenced(path) {
		r.warn(path, "is below 1h: a tradeNo that comes again later than that is paid again")
	}
}

// leastKey is how long a key must be that signs actions: as long as what it makes.
const leastKey = 32

func (r *reader) checkActions(a Actions) {
	length := len(a.Key.Reveal())
	r.must(length == 0 || length >= leastKey, "actions.key", "must have 32 bytes or more")
	for _, old := range a.OldKeys {
		r.must(!old.IsEmpty(), "actions.old_keys", "must not have an empty key")
	}
	if length == 0 && len(a.OldKeys) > 0 {
		r.warn("actions.old_keys", "are not used: without actions.key everything is obeyed")
	}
}

// checkLease compares the lease with the longest timeout of all merchants.
func (r *reader) checkLease(d Disburse, merchants map[string]Merchant) {
	slowest, timeout := "", time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(merchants)) {
		if m := merchants[name]; m.Timeout > timeout {
			slowest, timeout = join("merchants", name)+".timeout", m.Timeout
		}
	}
	if _, given := r.places["disburse.lease"]; !given && slowest != "" { // the timeout is what the file has
		r.places["disburse.lease"] = place{line: r.lineOf(slowest)}
	}
	least := leastLease(timeout)
	r.must(d.Lease >= least, "disburse.lease",
		"must be at least %v (%s of %v, and time to decide before it and to write after it: raise the lease or lower the timeout)",
		brief(least), slowest, brief(timeout))
}

// leastLease is the shortest lease for calls of a timeout, in whole tenths of a second. It leaves room for the decision
// before the call, and for the margin after it.
func leastLease(timeout time.Duration) time.Duration {
	need := timeout + decisionTime
	lease := min(need*8/7, need+mostMargin) + 1 // the margin is an eighth of the whole, two seconds at most
	return (lease + 99*time.Millisecond).Truncate(100 * time.Millisecond)
}

func (r *reader) checkAdminIsGuarded(a Admin) {
	host, _, _ := net.SplitHostPort(a.Listen)
	if a.Token.IsEmpty() && !isLoopback(host) && !r.silenced("admin.listen") {
		r.warn("admin.listen", "is open to other machines, and there is no admin.token")
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
