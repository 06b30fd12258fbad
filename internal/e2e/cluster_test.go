//go:build real

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slotOfFirst is the slot of the keys tagged {0}.
const slotOfFirst = 13907

// cluster is three masters and one replica, which is the first's. Of two shards the first
// one's keys are on the first master and the second one's on the second.
type cluster struct {
	t     *testing.T
	nodes []*server // masters first
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for range 4 {
		c.nodes = append(c.nodes, startRedis(t, "cluster-enabled yes", "cluster-node-timeout 2000", fmt.Sprintf("cluster-port %d", freePort(t))))
	}
	first := c.nodes[0]
	// The slot of {1} is 9842.
	for i, slots := range [][2]int{{10923, 16383}, {5461, 10922}, {0, 5460}} {
		c.nodes[i].do("cluster", "addslotsrange", slots[0], slots[1])
	}
	for i, n := range c.nodes {
		n.do("cluster", "set-config-epoch", i+1)
		if n != first {
			n.do("cluster", "meet", "127.0.0.1", first.Port, first.busPort())
		}
	}
	c.agree("they know each other", func(n *server) bool { return n.clusterInfo("cluster_known_nodes") == "4" })
	c.nodes[3].do("cluster", "replicate", first.do("cluster", "myid"))
	c.nodes[3].follows()
	c.agree("they know the replica", func(n *server) bool {
		all, err := n.Client.ClusterNodes(t.Context()).Result()
		return err == nil && strings.Count(all, "slave") == 1
	})
	c.agree("all slots are served", func(n *server) bool { return n.clusterInfo("cluster_state") == "ok" })
	return c
}

func (r *server) busPort() int {
	all, err := r.Client.ClusterNodes(r.t.Context()).Result() // id host:port@bus …
	if err != nil {
		r.t.Fatal(err)
	}
	var id, host string
	var port, bus int
	at := strings.Replace(strings.Replace(all, "@", " ", 1), ":", " ", 1)
	if _, err := fmt.Sscan(at, &id, &port, &bus); err != nil {
		if _, err := fmt.Sscan(at, &id, &host, &port, &bus); err != nil {
			r.t.Fatalf("%q: %v", all, err)
		}
	}
	return bus
}

func (r *server) clusterInfo(field string) string {
	text, _ := r.Client.ClusterInfo(r.t.Context()).Result() // who waits for a field asks again
	_, rest, _ := strings.Cut(text, field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// agree waits until all nodes that run say so.
func (c *cluster) agree(what string, is func(*server) bool) {
	c.t.Helper()
	until(c.t, 60*time.Second, what, func() bool {
		for _, n := range c.nodes {
			select {
			case <-n.Exited():
			default:
				if !is(n) {
					return false
				}
			}
		}
		return true
	})
}

func (c *cluster) addresses() (list []string) {
	for _, n := range c.nodes {
		list = append(list, n.Address())
	}
	return list
}

// clusterStage is a stage with two shards on different masters.
func clusterStage(t *testing.T) (*stage, *cluster) {
	t.Helper()
	s, c := newStage(t), startCluster(t)
	s.params.Redis, s.params.Shards = c.addresses(), 2
	return s, c
}

// A replica takes the owner's place twice. First it is told to. Then the owner dies, and the
// journal is on a server again on which an earlier epoch was opened.
func TestAClusterMovesAShardToAReplica(t *testing.T) {
	t.Parallel()
	s, c := clusterStage(t)
	owner, replica := c.nodes[0], c.nodes[3]
	one, two := s.start(), s.start()
	s.begin(one, two)
	s.fault("manual failover")
	replica.do("cluster", "failover")
	c.agree("the replica is the owner", func(*server) bool { return replica.isPrimary() })
	s.later(one, two)
	owner.follows()
	s.more(40)
	s.fault("the new owner killed")
	replica.Kill()
	until(t, 60*time.Second, "the former owner is the owner", owner.isPrimary)
	s.later(one, two)
	s.end()
	if n := owner.info("errorstats", "errorstat_NOSCRIPT"); n == "" {
		t.Error("the promoted server knew the scripts: nothing was learned about one that doesn't")
	}
	c.keysAreTagged(s.id)
}

// Each key of the journal and of the rate schedules must name its slot.
func (c *cluster) keysAreTagged(namespace string) {
	c.t.Helper()
	tagged := regexp.MustCompile(`^` + regexp.QuoteMeta(namespace) + `:\{([01]|rate:[a-z-]+:(send|query))\}(:|$)`)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.addresses(), Password: redisPassword})
	defer client.Close()
	tags := map[string]bool{}
	var keys []string
	err := client.ForEachMaster(c.t.Context(), func(ctx context.Context, node *redis.Client) error {
		some, err := node.Keys(ctx, namespace+"*").Result()
		keys = append(keys, some...)
		return err
	})
	if err != nil && !strings.Contains(err.Error(), "refused") {
		c.t.Fatal(err)
	}
	for _, key := range keys {
		found := tagged.FindStringSubmatch(key)
		if found == nil {
			c.t.Errorf("%s: doesn't say where it belongs", key)
			continue
		}
		tags[found[1]] = true
	}
	if !tags["0"] || !tags["1"] || !tags["rate:eg-main:send"] {
		c.t.Errorf("the keys have the tags %v only", tags)
	}
}

// The slot of a shard is moved while the shard is in use. Until all of it has arrived
// nobody may work on either half of it.
func TestAClusterMovesTheSlotOfAShard(t *testing.T) {
	t.Parallel()
	s, c := clusterStage(t)
	from, to := c.nodes[0], c.nodes[1]
	one, two := s.start(), s.start()
	s.begin(one, two)
	s.fault("slot on the move")
	c.move(from, to, slotOfFirst)
	s.end()
	if !bytes.Contains(one.Printed(), []byte("TRYAGAIN")) && !bytes.Contains(two.Printed(), []byte("TRYAGAIN")) {
		t.Error("no script was refused while the slot moved: nothing was learned")
	}
}

// move takes the steps of redis-cli --cluster reshard.
func (c *cluster) move(from, to *server, slot int) {
	c.t.Helper()
	to.do("cluster", "setslot", slot, "importing", from.do("cluster", "myid"))
	from.do("cluster", "setslot", slot, "migrating", to.do("cluster", "myid"))
	moved := 0
	for {
		keys, err := from.Client.ClusterGetKeysInSlot(c.t.Context(), slot, 10).Result()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		args := []any{"migrate", "127.0.0.1", to.Port, "", 0, 5000, "auth", redisPassword, "keys"}
		for _, k := range keys {
			args = append(args, k)
		}
		from.do(args...)
		moved += len(keys)
		time.Sleep(5 * time.Millisecond) // so that the moving takes a while
	}
	c.t.Logf("%d keys moved", moved)
	id := to.do("cluster", "myid")
	for _, n := range []*server{to, from, c.nodes[2]} { // a replica is told by its master
		n.do("cluster", "setslot", slot, "node", id)
	}
}
