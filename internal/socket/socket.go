// Package socket promises connections that behave like the net package's and wake less of the process. A system
// call of the net package tells Go's scheduler that it may block. The scheduler's watchdog (sysmon) is woken by
// that, and looks every 20 µs for as long as the process works. In a process that does little, but often, this is a
// fifth of all processor time. A socket here never blocks, so its calls are made without telling the scheduler.
package socket

import (
	"context"
	"net"
)

// Dial opens a connection, like net.Dialer.DialContext.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Over makes the connections of a dialer cheap. What isn't TCP, and any connection on a system for which this
// package knows no better, stays as it is.
func Over(dial Dial) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}
}
