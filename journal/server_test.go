package journal

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
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
