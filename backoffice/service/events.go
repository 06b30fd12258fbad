package service

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"disburser/backoffice/api"
)

// again is what a browser waits before it comes again, in ms.
const again = "retry: 2000\n\n"

// EventsInput says where the stream before has ended.
type EventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"the id of the last event that came: what happened since is told first"`
}

// eventsOperation describes the stream. huma's own package for streams doesn't fit: it has ids that are numbers and no comments,
// and encodes each event for each listener.
func eventsOperation(a huma.API, roles ...string) huma.Operation {
	o := operation(http.MethodGet, "/events", "events", "What happens, as it happens: server-sent events", roles...)
	o.Description += " An overview once a second; an action when it is said and when something comes of it; a payout that becomes held. Each id says that " +
		"everything until then was told, by any instance. An event may come twice. Who reads too slowly is dropped, and comes again with Last-Event-ID."
	o.Errors = append(o.Errors, http.StatusServiceUnavailable)
	var events []*huma.Schema
	for name, of := range map[string]any{api.EventOverview: api.Overview{}, api.EventAction: api.Action{}, api.EventHeld: api.Payout{}, api.EventMissed: api.Missed{}} {
		events = append(events, &huma.Schema{
			Title: "Event " + name, Type: huma.TypeObject, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"id":    {Type: huma.TypeString, Description: "for Last-Event-ID"},
				"event": {Type: huma.TypeString, Extensions: map[string]any{"const": name}},
				"data":  a.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(of), true, name),
			},
		})
	}
	slices.SortFunc(events, func(a, b *huma.Schema) int { return strings.Compare(a.Title, b.Title) })
	stream := &huma.Schema{
		Title: "Server-sent events", Type: huma.TypeArray, Description: "Each element is one event, written as text/event-stream.",
		Items: &huma.Schema{Extensions: map[string]any{"oneOf": events}},
	}
	o.Responses = map[string]*huma.Response{"200": {Description: "a stream", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: stream}}}}
	return o
}

// events answers a stream.
func (s *Service) events(ctx context.Context, in *EventsInput) (*huma.StreamResponse, error) {
	one, at, err := s.live.join(ctx)
	switch {
	case errors.Is(err, errTooMany) || errors.Is(err, errStopped):
		return nil, huma.Error503ServiceUnavailable(err.Error() + ": come again later")
	case err != nil:
		return nil, s.failed("the news can't be read", err)
	}
	begin := []byte(again)
	if in.LastEventID != "" {
		past, err := s.past(ctx, in.LastEventID, at)
		if err != nil {
			s.live.leave(one)
			return nil, s.failed("the news can't be read", err)
		}
		begin = append(begin, past...)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy would keep events back
		if r.Method == http.MethodHead {
			s.live.leave(one)
			return
		}
		s.live.takeOver(w, one, begin)
	}}, nil
}

// takeOver takes the connection from the HTTP server, whose buffers and goroutines would be four times the memory of a
// listener. It comes back at once; a goroutine writes.
func (l *live) takeOver(w http.ResponseWriter, one *listener, begin []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		l.leave(one)
		l.service.logger.Error().Err(err).Msg("a stream can't begin")
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n")
	_ = w.Header().Write(&head) // into memory
	head.WriteString("\r\n")
	head.Write(begin)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		_ = conn.Close() // nothing is written to it yet
		return
	}
	one.conn = conn
	l.writers.Go(func() { l.write(one, head.Bytes()) })
}

// write writes to a listener until it goes, is too slow, or is dropped.
func (l *live) write(one *listener, head []byte) {
	defer l.leave(one)
	defer one.conn.Close()
	text, open := head, true
	for open {
		if err := l.writeOne(one, text); err != nil {
			return
		}
		text, open = <-one.frames
	}
}

// writeOne writes a text to a listener that wasn't let go.
func (l *live) writeOne(one *listener, text []byte) error {
	l.mu.Lock()
	if _, is := l.listeners[one]; !is {
		l.mu.Unlock()
		return errGone
	}
	_ = one.conn.SetWriteDeadline(time.Now().Add(slowFor)) // every connection of a network can
	l.mu.Unlock()
	_, err := one.conn.Write(text)
	return err
}

// leave lets a listener go that is gone.
func (l *live) leave(one *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(one)
}
