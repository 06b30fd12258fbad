package together

import (
	"context"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	miniredis "github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// keyA and keyB lie in the lower and in the upper half of the slots.
const keyA, keyB = "{b}runs", "{a}runs"

// onACluster runs a test on two nodes, each of which has half of the slots.
func onACluster(t *testing.T, test func(t *testing.T, s *Scripts, a, b *line)) {
	synctest.Test(t, func(t *testing.T) {
		nodes := map[string]*line{"a:1": newLine(t), "b:1": newLine(t)}
		one := optionsTo(nodes["a:1"])
		s := New(redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: []string{"a:1"}, ReadTimeout: one.ReadTimeout, WriteTimeout: one.WriteTimeout, ContextTimeoutEnabled: true, DialerRetries: 1,
			DisableIdentity: true, DisableRoutingPolicies: true, MaintNotificationsConfig: one.MaintNotificationsConfig,
			Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				return nodes[address].dial(ctx, network, address)
			},
			ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
				return []redis.ClusterSlot{
					{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: "a:1"}}}, {Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: "b:1"}}},
				}, nil
			},
		}))
		t.Cleanup(func() { closeAll(t, s) })
		for _, key := range []string{keyA, keyB} {
			if err := echo.Eval(t.Context(), s, []string{key}, "x").Err(); err != nil {
				t.Fatal(err)
			}
		}
		test(t, s, nodes["a:1"], nodes["b:1"])
		time.Sleep(time.Second) // the client looks at the nodes again after an error, a little later
	})
}

func sayTo(t *testing.T, s *Scripts, key, word string) {
	t.Helper()
	if said, err := echo.Run(t.Context(), s, []string{key}, word).Text(); err != nil || said != word {
		t.Errorf("%s, %s: %q, %v", key, word, said, err)
	}
}

// Each node of a cluster gets pipelines of its own, and only what is for its slots.
func TestEachNodeGetsItsOwn(t *testing.T) {
	onACluster(t, func(t *testing.T, s *Scripts, a, b *line) {
		beforeA, beforeB := a.writes.Load(), b.writes.Load()
		together(40, func(i int) { sayTo(t, s, []string{keyA, keyB}[i%2], strconv.Itoa(i)) })
		for key, l := range map[string]*line{keyA: a, keyB: b} {
			if n, err := l.server.Get(key); err != nil || n != "21" {
				t.Errorf("%s: ran %s times: %v", key, n, err)
			}
		}
		if tripsA, tripsB := a.writes.Load()-beforeA, b.writes.Load()-beforeB; tripsA > 4 || tripsB > 4 {
			t.Errorf("%d and %d round trips", tripsA, tripsB)
		}
	})
}

// A node that is away holds up none of the other's calls.
func TestANodeThatHangsHoldsUpNoOther(t *testing.T) {
	onACluster(t, func(t *testing.T, s *Scripts, a, b *line) {
		together(2, func(int) { sayTo(t, s, keyB, "warm") }) // pipelines have connections of their own
		a.hang.Store(true)
		done := make(chan struct{})
		go func() {
			sayTo(t, s, keyA, "hangs")
			close(done)
		}()
		synctest.Wait()
		began := time.Now()
		together(10, func(i int) { sayTo(t, s, keyB, strconv.Itoa(i)) })
		if took := time.Since(began); took > 2*onTheWay {
			t.Errorf("took %v", took)
		}
		<-done
	})
}

// A slot that has moved, or is moving, is followed to its new node by each caller.
func TestASlotThatMoved(t *testing.T) {
	for _, says := range []string{"MOVED 3300 b:1", "ASK 3300 b:1"} {
		t.Run(says, func(t *testing.T) {
			onACluster(t, func(t *testing.T, s *Scripts, a, b *line) {
				a.server.Refuse("EVALSHA", says)
				if err := b.server.Server().Register("ASKING", func(c *miniredis.Peer, _ string, _ []string) { c.WriteOK() }); err != nil {
					t.Fatal(err)
				}
				together(10, func(i int) { sayTo(t, s, keyA, strconv.Itoa(i)) })
				if n, err := b.server.Get(keyA); err != nil || n != "10" {
					t.Errorf("ran %s times on the new node: %v", n, err)
				}
			})
		})
	}
}
