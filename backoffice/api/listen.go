package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"
)

const (
	// quietFor is how long nothing may come before a stream is taken for dead: something comes each second.
	quietFor = 20 * time.Second

	// longestLine bounds an event: an overview has about 300 bytes a merchant.
	longestLine = 16 << 20
)

// Event is what GET /events tells.
type Event struct {
	Name string // EventOverview, …
	ID   string // for the next stream; of some events ""
	Data []byte // JSON
}

// errQuiet is the reason why a stream was ended by us.
var errQuiet = errors.New("the stream of events is silent")

// Events listens to what happens, from the event on that lastID names, or from now on. It has always an error at the end: of
// a stream that ends, it is ErrNoAnswer.
func (c Client) Events(ctx context.Context, lastID string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		quiet := time.AfterFunc(quietFor, func() { cancel(errQuiet) })
		defer quiet.Stop()
		if c.HTTP == nil {
			c.HTTP = &http.Client{CheckRedirect: own.CheckRedirect}
		}
		header := http.Header{"Accept": {"text/event-stream"}}
		if lastID != "" {
			header.Set("Last-Event-ID", lastID)
		}
		response, err := c.open(ctx, http.MethodGet, "/events", nil, header, nil)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer response.Body.Close()
		goOn := true
		err = readEvents(response.Body, func() { quiet.Reset(quietFor) }, func(e Event) bool {
			goOn = yield(e, nil)
			return goOn
		})
		if !goOn {
			return
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		yield(Event{}, fmt.Errorf("%w at %s any more: %w", ErrNoAnswer, c.URL, err))
	}
}

// readEvents reads a stream (WHATWG HTML, server-sent events) to its end, or until an event was one too many.
func readEvents(in io.Reader, alive func(), event func(Event) bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	var e Event
	for lines.Scan() {
		alive()
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			if e.Data != nil && !event(e) {
				return nil
			}
			e = Event{}
		case name == "event":
			e.Name = value
		case name == "id":
			e.ID = value
		case name == "data" && e.Data == nil:
			e.Data = []byte(value)
		case name == "data":
			e.Data = append(append(e.Data, '\n'), value...)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
