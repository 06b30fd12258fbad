package disburse

import (
	"context"
	"sync"
	"time"
)

// patience is a context with a deadline for something that mostly needn't be waited for. Its timer is made when somebody
// asks for Done. A call whose moment has come makes none: that would cost as much as all that is checked before it.
type patience struct {
	by time.Time

	mu     sync.Mutex
	inner  context.Context    // what it ends with; with the deadline once somebody has asked for Done
	cancel context.CancelFunc // nil until then
}

var _ context.Context = (*patience)(nil)

// newPatience ends with ctx, and at by. It must be ended.
func newPatience(ctx context.Context, by time.Time) *patience { return &patience{by: by, inner: ctx} }

// Deadline is the moment, or that of the outer context if it comes sooner.
func (p *patience) Deadline() (by time.Time, ok bool) {
	if outer, limited := p.current().Deadline(); limited && outer.Before(p.by) {
		return outer, true
	}
	return p.by, true
}

// Done makes the timer.
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel == nil {
		p.inner, p.cancel = context.WithDeadline(p.inner, p.by)
	}
	return p.inner.Done()
}

// Err is why it has ended.
func (p *patience) Err() error {
	if err := p.current().Err(); err != nil || time.Now().Before(p.by) {
		return err
	}
	return context.DeadlineExceeded
}

// Value is the outer context's.
func (p *patience) Value(key any) any { return p.current().Value(key) }

func (p *patience) current() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inner
}

// end stops the timer, if there is one. Nobody waits any more.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}
