//go:build real

package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The primary works on for one instance, while sentinels, replica and the other instance
// have lost it. Both halves have work in hand; the half that was fenced stands still.
func TestARedisSplitWithAnInstanceOnEachHalf(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	primary := startRedis(t)
	here, there := newDoor(t, primary.Address()), newDoor(t, primary.Address())
	here.open(true)
	there.open(true)
	replica := startRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %s", there.port()))
	replica.follows()
	all := watchedBySentinels(t, there.address())
	s.params.Redis, s.params.MasterName = all.addresses(), masterName
	one := s.start()
	s.params.Redis, s.params.MasterName = []string{here.address()}, ""
	two := s.start()
	s.begin(one, two)
	s.fault("Redis split")
	there.open(false)
	all.promote(t, replica)
	s.later(one)
	until(t, 40*time.Second, "the stale half says that it is one", func() bool {
		return strings.Contains(two.unready(20*time.Second), "split off")
	})
	if !primary.isPrimary() {
		t.Error("the old primary was none any more: nothing was split")
	}
	s.more(40)
	there.open(true)
	here.lead(replica.Address())
	s.end()
}

// With min-replicas-to-write a primary that has lost its replica takes no more writes, so
// that a failover can't lose many. Nothing is sent until it has one again, and no epoch ends.
func TestAPrimaryThatWantsAReplicaAndHasNone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	primary := startRedis(t, "min-replicas-to-write 1")
	replica := startRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", primary.Port))
	replica.follows()
	s.params.Redis = []string{primary.Address()}
	one := s.start()
	s.begin(one)
	primary.loseReplica()
	s.fault("replica lost")
	until(t, 30*time.Second, "the log says why nothing goes on", func() bool { return bytes.Contains(one.Printed(), []byte("NOREPLICAS")) })
	until(t, 30*time.Second, "nothing is sent", func() bool { return time.Since(s.lastSend()) > time.Second })
	primary.do("acl", "setuser", "default", "+psync", "+sync")
	s.finish()
	if one.epoch() != s.epoch {
		t.Errorf("epoch %d has ended for no reason", s.epoch)
	}
}

// A primary becomes the replica of its replica, which lacks the end, and then a primary again,
// before any instance has looked. It is the same process with the same run id, and it holds the
// epoch that was opened on it. But it has forgotten the end.
func TestAPrimaryThatCameBackWithoutItsEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	primary := startRedis(t)
	replica := startRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", primary.Port))
	replica.follows()
	door := newDoor(t, primary.Address())
	door.open(true)
	s.params.Redis = []string{door.address()}
	s.begin(s.start(), s.start())
	primary.loseReplica()
	s.more(60)
	s.fault("primary there and back")
	door.open(false)
	replica.do("replicaof", "no", "one")
	primary.do("replicaof", "127.0.0.1", replica.Port)
	primary.follows()
	primary.do("replicaof", "no", "one")
	door.open(true)
	s.end()
}
