package journal

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
)

// A server that was restarted, promoted or is another one has the epoch's key and is not
// believed all the same (protocol E2).
func TestAnotherServerIsRefusedByEveryScript(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		restarted(t, client, j)
		for _, name := range Scripts {
			if !unbelieving[name] {
				_, err := j.run(context.Background(), name, "s", "eg", "token-token-", "1", "1")
				epochError(t, err)
			}
		}
	})
}

// A primary that was made a replica for a while holds what another one knew. It may be a primary
// again without a restart. Then its process is the same, and its data is not.
func TestAServerThatWasAReplicaIsRefused(t *testing.T) {
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Dialer: r.Dial})
	t.Cleanup(func() { _ = client.Close(); r.Close() })
	j := newJournal(t, client, time.Hour)
	process := regexp.MustCompile(`run_id:\w+`).FindString(client.Info(context.Background(), "server").Val())
	r.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if !strings.EqualFold(command, "INFO") {
			return false
		}
		peer.WriteBulk("# Server\r\n" + process + "\r\n# Replication\r\nrole:master\r\nmaster_replid:" + strings.Repeat("0", 40) + "\r\n")
		return true
	})
	_, err = j.Marks(context.Background(), []int{0})
	epochError(t, err)
}
