package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

var errNotInTime = errors.New("not in time")

// Until polls for a condition.
func Until(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNotInTime)
	defer cancel()
	for !condition() {
		if !Pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("%s (limit %s): %w", what, limit, context.Cause(ctx))
		}
	}
	return nil
}

// Pause waits and tells whether ctx let it.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// FreePort looks below the range of outgoing connections, where none can take the port
// while its server is away.
func FreePort() (int, error) {
	for range 200 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free port between 20000 and 32000")
}
