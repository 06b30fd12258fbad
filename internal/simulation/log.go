package simulation

import (
	"bytes"
	"sync"
	"time"
)

// line is one line of an instance's log.
type line struct {
	at       time.Time
	instance string
	text     string
}

// logbook keeps what all instances log, in order.
type logbook struct {
	mu    sync.Mutex
	lines []line
}

// page is an instance's writer into the logbook.
type page struct {
	book     *logbook
	instance string
}

// Write takes one log line.
func (p page) Write(b []byte) (int, error) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	p.book.lines = append(p.book.lines, line{time.Now(), p.instance, string(bytes.TrimSpace(b))})
	return len(b), nil
}
