package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"disburser/backoffice/api"
	"disburser/payout"
)

const (
	// overviewEvery is how often listeners get an overview, newsEvery how often the books are asked for news. For a person that
	// is at once, for the database two small questions.
	overviewEvery = time.Second
	newsEvery     = 200 * time.Millisecond

	// lookFor is how long the books may take to answer one of these.
	lookFor = 5 * time.Second

	// newsAtOnce is how many actions, and how many payouts, are told at once: a frame of it has about a megabyte.
	newsAtOnce = 1000

	// mostPast is how much is told of what happened since Last-Event-ID. Who was away for longer reads the lists.
	mostPast = 5000

	// mostListeners bounds the memory, mostFrames how far a listener may fall behind: ten seconds or so.
	mostListeners = 10_000
	mostFrames    = 32

	// slowFor is how long a listener may take nothing of what is written to it.
	slowFor = 10 * time.Second
)

// heartbeat is a comment: it keeps the stream open while there is nothing to tell.
var heartbeat = []byte(": the books don't answer\n\n")

// live tells every listener what happens. What it tells it has from the database, so every instance tells what any instance
// has read. mu guards what stands below it.
type live struct {
	service *Service
	wake    chan struct{} // the first listener came
	writers sync.WaitGroup

	mu        sync.Mutex
	at        position // everything before it is told; meaningless without listeners
	listeners map[*listener]struct{}
	overview  []byte    // the last one, nil without listeners
	trouble   [2]string // why there are no news and no overview, "" if there are
	stopped   bool
}

// position is how far the news are told. It is the place of the next record of the actions, and that of the last payout that
// became held. Both are the database's, and the same for every instance.
type position struct{ action, held int64 }

// String is the id of an event.
func (p position) String() string { return fmt.Sprintf("%d-%d", p.action, p.held) }

func positionOf(id string) (p position, is bool) {
	action, held, is := strings.Cut(id, "-")
	var wrong [2]error
	p.action, wrong[0] = strconv.ParseInt(action, 10, 64)
	p.held, wrong[1] = strconv.ParseInt(held, 10, 64)
	return p, is && errors.Join(wrong[:]...) == nil && p.action >= 0 && p.held >= 0
}

// listener is somebody who listens. Its frames are shared with the others, so one that falls behind holds few of its own.
type listener struct {
	frames chan []byte // closed when it is dropped, or at the end
	conn   net.Conn    // nil until it is taken over
}

func newLive(s *Service) *live {
	return &live{service: s, wake: make(chan struct{}, 1), listeners: map[*listener]struct{}{}}
}

// run tells what happens until ctx ends, and ends all streams then.
func (l *live) run(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { l.tellOverviews(ctx) })
	for ctx.Err() == nil {
		l.note(ctx, 0, l.look(ctx))
		pause(ctx, newsEvery)
	}
	group.Wait()
	l.mu.Lock()
	l.stopped = true
	for one := range l.listeners {
		l.end(one)
	}
	l.mu.Unlock()
	l.writers.Wait()
}

// note logs what keeps listeners from being told, once. which is the place in trouble.
func (l *live) note(ctx context.Context, which int, err error) {
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	l.mu.Lock()
	fresh := text != l.trouble[which]
	l.trouble[which] = text
	l.mu.Unlock()
	if fresh && err != nil {
		l.service.logger.Error().Err(err).Msg("listeners get no news; trying again")
	}
}

// tellOverviews computes the overview once a second, once for all, while somebody listens.
func (l *live) tellOverviews(ctx context.Context) {
	tick := time.NewTicker(overviewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
			tick.Reset(overviewEvery)
		}
		if l.count() == 0 {
			continue
		}
		looking, cancel := context.WithTimeout(ctx, lookFor)
		o, err := l.service.overviewNow(looking)
		cancel()
		data, failed := json.Marshal(o)
		l.note(ctx, 1, errors.Join(err, failed))
		l.mu.Lock()
		if err == nil && failed == nil {
			l.overview = data
			l.tell(frame(api.EventOverview, l.at, data))
		} else {
			l.tell(heartbeat)
		}
		l.mu.Unlock()
	}
}

func (l *live) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.listeners)
}

// look tells what is new in the books.
func (l *live) look(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.listeners) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	text, to, err := l.service.news(ctx, l.at)
	if err != nil {
		return err
	}
	if l.at = to; len(text) > 0 {
		l.tell(text)
	}
	return nil
}

// news are the events from a position on, so many at most, and the position behind them.
func (s *Service) news(ctx context.Context, from position) (text []byte, to position, err error) {
	actions, next, err := s.said.since(ctx, from.action, newsAtOnce)
	if err != nil {
		return nil, from, err
	}
	held, err := s.books.HeldSince(ctx, from.held, newsAtOnce)
	if err != nil {
		return nil, from, err
	}
	var all bytes.Buffer
	event := func(name string, value any) {
		data, failed := json.Marshal(value)
		err = errors.Join(err, failed)
		all.Write(frame(name, to, data))
	}
	to = from
	for _, a := range actions {
		to.action = a.place + 1
		event(api.EventAction, a.action)
	}
	to.action = next
	for _, h := range held {
		to.held = h.Seq
		if v := h.Payout.View(); v.State == payout.StateHeld { // some have gone on meanwhile
			event(api.EventHeld, api.PayoutOf(h.Payout, v))
		}
	}
	return all.Bytes(), to, err
}

// frame is an event as it is written. JSON has no line breaks, so it can't end early.
func frame(name string, at position, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", name, at, data)
}

// tell gives a frame to all. Who is too far behind is dropped: it comes again with Last-Event-ID, and misses nothing.
func (l *live) tell(text []byte) {
	for one := range l.listeners {
		select {
		case one.frames <- text:
		default:
			l.service.metrics.dropped.Inc()
			l.end(one)
		}
	}
}

// end lets a listener go, once.
func (l *live) end(one *listener) {
	if _, is := l.listeners[one]; is {
		delete(l.listeners, one)
		l.service.metrics.listeners.Set(float64(len(l.listeners)))
		close(one.frames)
		if one.conn != nil {
			_ = one.conn.SetDeadline(time.Now()) // ends what is written to it now
		}
	}
	if len(l.listeners) == 0 {
		l.overview = nil
	}
}

var (
	errTooMany = errors.New("too many listen already")
	errStopped = errors.New("the back office stops")
	errGone    = errors.New("the listener was let go")
)

// join adds a listener: from here on its frames have everything. at is the position from which on.
func (l *live) join(ctx context.Context) (one *listener, at position, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return nil, at, errStopped
	case len(l.listeners) >= mostListeners:
		return nil, at, errTooMany
	case len(l.listeners) == 0: // nobody has followed the books until now
		if l.at, err = l.service.newest(ctx); err != nil {
			return nil, at, err
		}
	}
	one = &listener{frames: make(chan []byte, mostFrames)}
	l.listeners[one] = struct{}{}
	l.service.metrics.listeners.Set(float64(len(l.listeners)))
	if l.overview != nil {
		one.frames <- frame(api.EventOverview, l.at, l.overview)
	} else {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return one, l.at, nil
}

// newest is the position behind everything that the books know.
func (s *Service) newest(ctx context.Context) (at position, err error) {
	if at.action, err = s.said.newest(ctx); err != nil {
		return at, err
	}
	_, at.held, err = s.books.HeldPlaces(ctx)
	return at, err
}

// past are the events between two positions. Where they can't be told whole it says so instead.
func (s *Service) past(ctx context.Context, id string, to position) ([]byte, error) {
	from, is := positionOf(id)
	first, _, err := s.books.HeldPlaces(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case !is:
		return missed("Last-Event-ID is none that a stream has told"), nil
	case from.action > to.action || from.held > to.held:
		return missed("Last-Event-ID is of other books: they were made anew"), nil
	case from.held < first-1:
		return missed("Last-Event-ID is too old"), nil
	}
	var all []byte
	for n := 0; from.action < to.action || from.held < to.held; n += newsAtOnce {
		if n == mostPast {
			return missed("too much has happened since Last-Event-ID"), nil
		}
		text, next, err := s.news(ctx, from)
		if err != nil {
			return nil, err
		}
		if next == from { // what is missing was deleted
			break
		}
		all, from = append(all, text...), next
	}
	return all, nil
}

func missed(why string) []byte {
	data, _ := json.Marshal(api.Missed{Detail: why + ": GET /actions and GET /payouts?state=held tell what is now"}) // a text only
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", api.EventMissed, data)
}
