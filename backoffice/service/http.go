package service

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"disburser/backoffice/api"
	"disburser/config"
)

// prefix is where the API is. OpenAPI stands at prefix/openapi.json.
const prefix = "/api/v1"

// newServer bounds how long somebody may take to ask and to take the answer. A file and live events have bounds of their own.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // it would quote what people send
	}
}

// handler is all that is served. Health and metrics are open, as is the description of the API; all else needs a token.
func (s *Service) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, map[string]any{"alive": true}) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.options.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "there is no such question: "+prefix+"/openapi.json lists them")
	})
	c := huma.DefaultConfig("disburser, back office", "1")
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = prefix+"/openapi", "", "", nil
	c.Info.Description = "What payroll people ask about payouts. Every answer is of the books, which read the topics: /overview says how far."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	c.Security = []map[string][]string{{"token": {}}}
	a := humago.New(mux, c)
	a.UseMiddleware(s.guard(a))
	s.routes(a)
	return s.counted(mux), nil
}

// counted counts requests to the API by status.
func (s *Service) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			h.ServeHTTP(w, r)
			return
		}
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		s.survive(h, seen, r)
		s.metrics.requests.WithLabelValues(strconv.Itoa(seen.status)).Inc()
	})
}

// survive answers a panic as an error. Whatever a question has in it, the others go on.
func (s *Service) survive(h http.Handler, w *statusWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error().Str("operation", r.Pattern).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a question ended in a panic")
			w.status = http.StatusInternalServerError
			problem(w.ResponseWriter, w.status, "the log of the back office says more")
		}
	}()
	h.ServeHTTP(w, r)
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// pingFor is how long the database may take to answer.
const pingFor = 2 * time.Second

// unready lists why the answers may be out of date.
func (s *Service) unready(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, pingFor)
	defer cancel()
	reasons := s.readers.unready()
	if err := s.books.Ping(ctx); err != nil {
		reasons = append(reasons, "the database doesn't answer")
	}
	return reasons
}

func (s *Service) ready(w http.ResponseWriter, r *http.Request) {
	if reasons := s.unready(r.Context()); len(reasons) > 0 {
		reply(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reasons": reasons, "reason": strings.Join(reasons, "; ")})
		return
	}
	reply(w, http.StatusOK, map[string]any{"ready": true, "books": s.readers.lags()})
}

// problem answers an error (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Title: http.StatusText(status), Status: status, Detail: detail}) // the caller is gone: nothing to be done
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone: nothing to be done
}

// register adds an operation that a role may use.
func register[I, O any](a huma.API, role, method, path, id, summary string, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a, operation(method, path, id, summary, role), handle)
}

// operation describes an operation that users of one of some roles may use.
func operation(method, path, id, summary string, roles ...string) huma.Operation {
	o := huma.Operation{
		OperationID: id, Method: method, Path: prefix + path, Summary: summary, Description: "For the role " + strings.Join(roles, " or ") + ".",
		Metadata: map[string]any{roleKey: roles}, Errors: []int{http.StatusUnauthorized, http.StatusForbidden},
	}
	if method == http.MethodPost {
		o.DefaultStatus = http.StatusAccepted
	}
	return o
}

func (s *Service) routes(a huma.API) {
	const role, get = config.Viewer, http.MethodGet
	register(a, role, get, "/overview", "overview", "The whole at a glance", s.overview)
	register(a, role, get, "/batches", "batches", "Batches, the latest first", s.batches)
	register(a, role, get, "/batches/{id}", "batch", "One batch", s.batch)
	register(a, role, get, "/payouts", "payouts", "Payouts, in the order in which they came", s.payouts)
	register(a, role, get, "/payouts/{tradeNo}", "payout", "All that is known of a payout", s.payout)
	register(a, role, get, "/records", "records", "What was ordered and what was announced, for reconciliation", s.records)
	register(a, role, get, "/why/{tradeNo}", "why", "One sentence: where the money is", s.why)
	register(a, role, get, "/dead-letters", "dead-letters", "Dead letters, the latest first", s.letters)
	register(a, role, get, "/dead-letters/{id}", "dead-letter", "One dead letter, and whether it may be replayed", s.letter)
	huma.Register(a, replayOperation(config.Operator), s.replay)
	register(a, role, get, "/actions", "actions", "What people said and what came of it, the latest first", s.actions)
	register(a, role, get, "/actions/{id}", "action", "One action, and what became of it", s.action)
	huma.Register(a, operation(http.MethodPost, "/actions", "act", "Says an action; a confirm needs the role approver, all else operator", config.Operator, config.Approver), s.act)
	huma.Register(a, sendOperation(config.Operator, role), s.send)
	huma.Register(a, eventsOperation(a, role), s.events)
}

// cursorText writes a cursor for the caller, who need not read it.
func cursorText[C any](c C) string {
	text, _ := json.Marshal(c) // texts and numbers only
	return base64.RawURLEncoding.EncodeToString(text)
}

func cursorOf[C any](text string) (c C, err error) {
	if text == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, huma.Error422UnprocessableEntity("cursor is none that a page has told: begin again without it")
	}
	return c, nil
}
