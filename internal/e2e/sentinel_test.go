//go:build real

package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"
)

const masterName = "payouts"

// sentinels watch a primary that they and its replica reach at an address.
type sentinels []*server

func watchedBySentinels(t *testing.T, primary string) sentinels {
	t.Helper()
	var all sentinels
	host, port, err := net.SplitHostPort(primary)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		all = append(all, startServer(t, "redis-sentinel", fmt.Sprintf("sentinel monitor %s %s %s 2", masterName, host, port),
			"sentinel auth-pass "+masterName+" "+redisPassword,
			"sentinel sentinel-pass "+redisPassword, "sentinel down-after-milliseconds "+masterName+" 1500", "sentinel failover-timeout "+masterName+" 6000"))
	}
	until(t, 40*time.Second, "the sentinels know each other and the replica", func() bool {
		for _, s := range all {
			if state := s.master(); state["num-other-sentinels"] != "2" || state["num-slaves"] != "1" {
				return false
			}
		}
		return true
	})
	return all
}

func (r *server) master() map[string]string {
	fields, err := r.Client.Do(r.t.Context(), "sentinel", "master", masterName).Result()
	state := map[string]string{}
	if all, ok := fields.(map[any]any); ok && err == nil {
		for k, v := range all {
			state[fmt.Sprint(k)] = fmt.Sprint(v)
		}
	}
	return state
}

func (all sentinels) addresses() (list []string) {
	for _, s := range all {
		list = append(list, s.Address())
	}
	return list
}

// promote waits until the sentinels have made a primary of a replica and agree on it.
func (all sentinels) promote(t *testing.T, replica *server) {
	t.Helper()
	until(t, 60*time.Second, "the sentinels promote the replica", func() bool {
		for _, s := range all {
			if s.master()["port"] != fmt.Sprint(replica.Port) {
				return false
			}
		}
		return replica.isPrimary()
	})
}

// sentinelStage is a stage whose instances ask sentinels for their Redis.
func sentinelStage(t *testing.T) (s *stage, primary, replica *server, all sentinels) {
	t.Helper()
	s = newStage(t)
	primary = startRedis(t)
	replica = startRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", primary.Port))
	replica.follows()
	all = watchedBySentinels(t, primary.Address())
	s.params.Redis, s.params.MasterName = all.addresses(), masterName
	return s, primary, replica, all
}

func TestSentinelsReplaceADeadPrimary(t *testing.T) {
	t.Parallel()
	s, primary, replica, all := sentinelStage(t)
	s.begin(s.start(), s.start())
	s.fault("primary killed")
	primary.Kill()
	all.promote(t, replica)
	s.end()
}

// The replica lacks what was leased, decided, sent and announced in the primary's last second or
// two. There these payouts are still to be sent.
func TestSentinelsPromoteAReplicaThatLacksTheEnd(t *testing.T) {
	t.Parallel()
	s, primary, replica, all := sentinelStage(t)
	s.begin(s.start(), s.start())
	primary.loseReplica()
	missing := replica.offset()
	s.more(100)
	missing = primary.offset() - missing
	s.fault(fmt.Sprintf("primary killed, with %d bytes that the replica lacks,", missing))
	primary.Kill()
	all.promote(t, replica)
	s.end()
}

// The primary isn't dead but asleep. When it wakes up it does what was asked of it before,
// and is a second primary until the sentinels make a replica of it.
func TestTheOldPrimaryWakesUp(t *testing.T) {
	t.Parallel()
	s, primary, replica, all := sentinelStage(t)
	s.begin(s.start(), s.start())
	s.fault("primary stopped")
	primary.pause(true)
	all.promote(t, replica)
	primary.pause(false)
	if !primary.isPrimary() {
		t.Error("the old primary was no primary any more when it woke up")
	}
	s.end()
	until(t, 40*time.Second, "the old primary follows the new one", func() bool { return primary.info("replication", "role") == "slave" })
}
