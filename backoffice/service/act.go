package service

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/config"
	"disburser/internal/partition"
	"disburser/payout/acts"
)

const (
	// actFor is how long Kafka may take to acknowledge an action.
	actFor = 20 * time.Second

	// readFor is how long the books may take to read what people said before.
	readFor = 5 * time.Second

	// mostWait bounds how long a request waits for an outcome: an answer has to come before proxies give up.
	mostWait = 25 * time.Second

	// lookEvery is how often a request that waits looks, and writeAgain the pause before an action is written once more.
	lookEvery  = 100 * time.Millisecond
	writeAgain = 300 * time.Millisecond
)

// WaitInput is the part of a question that says how long to wait for an outcome.
type WaitInput struct {
	Wait string `query:"wait" doc:"how long to wait for the outcome, such as 10s; 25s at most"`
}

func (w WaitInput) length() (time.Duration, error) {
	if w.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(w.Wait)
	if err != nil || d < 0 {
		return 0, huma.Error422UnprocessableEntity("wait must be a duration such as 10s")
	}
	return min(d, mostWait), nil
}

// ActInput is what a person says.
type ActInput struct {
	WaitInput
	Body api.Word
}

// Resolve adds everything that the schema doesn't say is wrong, so that one answer has it all.
func (in *ActInput) Resolve(huma.Context) (wrong []error) {
	_, faults := in.Body.Read(time.Now())
	for _, f := range faults {
		if f.Location != "kind" { // the schema says that
			wrong = append(wrong, &huma.ErrorDetail{Message: f.Message, Location: "body." + f.Location})
		}
	}
	return wrong
}

// act writes what a person says, and waits for its outcome if asked.
func (s *Service) act(ctx context.Context, in *ActInput) (*answer[api.Action], error) {
	wait, err := in.length()
	if err != nil {
		return nil, err
	}
	user := userIn(ctx)
	now := time.Now()
	a, faults := in.Body.Read(now)
	if len(faults) > 0 {
		return nil, unprocessable("the action can't be written", faults)
	}
	role := config.Operator
	if a.Kind == acts.Confirm {
		role = config.Approver
	}
	if !slices.Contains(user.Roles, role) {
		return nil, lacks(role)
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	a.ID, a.Time, a.By = acts.NewID(now, random), now, user.Name
	if err := s.judge(ctx, &a); err != nil {
		return nil, err
	}
	a.Needs = 1
	if a.IsOneShot() || a.Kind == acts.Resume {
		a.Needs = s.said.rules.People(a)
	}
	if a.IsOneShot() && a.Lasts == 0 {
		a.Lasts = acts.LastsAlone
		if a.Needs > 1 {
			a.Lasts = acts.LastsOfTwo
		}
	}
	if err := s.write(ctx, a); err != nil {
		return nil, err
	}
	one, err := s.await(ctx, a.ID, wait)
	if err != nil || one.ID == "" { // it is written; the books haven't read it yet
		one = s.said.written(a)
	}
	one.Warnings = s.warnings(ctx, a)
	return &answer[api.Action]{one}, nil
}

// written is what stands in the topic, before the books have read it.
func (s *said) written(a acts.Action) api.Action {
	one := api.Action{
		ID: a.ID, Kind: a.Kind, As: string(a.As), Force: a.Force, Lifts: a.Lifts, Of: a.Of, By: a.By, Reason: a.Reason, Time: stamp(a.Time), Status: statusWaits,
	}
	if a.Scope.Kind != "" {
		one.Scope = a.Scope.String()
	}
	s.deadlines(&one, a)
	return one
}

// deadlines says until when an action may be carried out, and how long a person waits for it.
func (s *said) deadlines(one *api.Action, a acts.Action) {
	if a.Needs > 1 {
		one.Needs = a.Needs
	}
	switch {
	case a.IsOneShot() && a.Lasts > 0:
		one.Deadline, one.WaitFor = stamp(a.Time.Add(a.Lasts)), (a.Lasts + s.service.config.Disburse.Lease).String()
	case a.Needs > 1:
		one.WaitFor = acts.LastsOfTwo.String()
	}
}

// judge refuses what contradicts what people said before, and names the pauses that a resume lifts. A pause is refused by
// nothing: it must not wait for the books.
func (s *Service) judge(ctx context.Context, a *acts.Action) error {
	if a.Kind != acts.Resume && a.Kind != acts.Confirm {
		return nil
	}
	if err := s.readActions(ctx); err != nil {
		return err
	}
	if a.Kind == acts.Confirm {
		of, known, err := s.said.one(ctx, a.Of)
		if err != nil {
			return s.failed("the actions can't be read", err)
		}
		return confirmable(of, known, a.By)
	}
	view, err := s.said.view(ctx)
	if err != nil {
		return s.failed("the actions can't be read", err)
	}
	var stand []string
	for _, st := range view.All() {
		if st.Kind == acts.Pause && st.Scope == a.Scope {
			stand = append(stand, st.ID)
		}
	}
	if len(stand) == 0 {
		return huma.Error409Conflict(fmt.Sprintf("no pause of %s stands: one of another scope is lifted by its own scope, and the list of actions names them", a.Scope))
	}
	if a.Lifts == nil {
		a.Lifts = stand
	}
	for _, id := range a.Lifts {
		if !slices.Contains(stand, id) {
			return huma.Error409Conflict(fmt.Sprintf("%q is no pause of %s that stands; these do: %s", id, a.Scope, strings.Join(stand, ", ")))
		}
	}
	return nil
}

// confirmable refuses a confirm of what doesn't wait for one.
func confirmable(of api.Action, known bool, by string) error {
	switch {
	case !known:
		return huma.Error404NotFound("nobody has said an action of this id")
	case of.By == by:
		return huma.Error403Forbidden("nobody confirms their own action: another person has to do it")
	case of.Status != statusWaitsForPerson:
		return huma.Error409Conflict("the action waits for nobody: it is " + of.Status)
	}
	return nil
}

// readActions waits until the books know all that people have said by now.
func (s *Service) readActions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	source := partition.Source{Client: s.client, Topic: s.names[books.Actions]}
	_, end, err := source.Bounds(ctx)
	for err == nil {
		var p books.Progress
		if p, err = s.books.Progress(ctx, books.Actions, 0); err == nil && p.Next >= end {
			return nil
		}
		if pause(ctx, lookEvery); err == nil {
			err = ctx.Err()
		}
	}
	s.logger.Error().Err(err).Msg("the books don't know the latest actions, so one that depends on them isn't written")
	return huma.Error503ServiceUnavailable("the books don't know the latest actions yet: try again; a pause need not wait for them")
}

// write has an action acknowledged. A copy of it is nothing, so it may be tried again.
func (s *Service) write(ctx context.Context, a acts.Action) error {
	topic := s.names[books.Actions]
	record, err := acts.Write(a, s.config.Actions.Key)
	if err != nil {
		return s.failed("the action can't be written", err)
	}
	if _, result, why := acts.Parse(record, s.said.rules.Keys); result != acts.Obeyed { // what nobody would obey isn't written
		return unprocessable("the action would be skipped", []api.Fault{{Message: why}})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actFor) // who hangs up has said it all the same
	defer cancel()
	for {
		produced := kafka.Record{Key: kafka.NewBytes(record.Key), Value: kafka.NewBytes(record.Value)}
		for _, h := range record.Headers {
			produced.Headers = append(produced.Headers, kafka.Header{Key: h.Name, Value: h.Value})
		}
		response, failed := s.client.Produce(ctx, &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(produced)})
		if failed == nil {
			failed = response.Error
		}
		if failed == nil {
			s.logger.Info().Str("action", a.ID).Str("kind", string(a.Kind)).Str("scope", a.Scope.String()).Str("by", a.By).Msg("an action is written")
			return nil
		}
		if err == nil || ctx.Err() == nil { // the first one says more than that time is over
			err = failed
		}
		if pause(ctx, writeAgain); ctx.Err() != nil {
			s.logger.Error().Err(err).Str("action", a.ID).Msg("nobody knows whether an action is written")
			return huma.Error503ServiceUnavailable("Kafka doesn't acknowledge the action, and nobody knows whether it is written: say it again, twice does no harm")
		}
	}
}

// await waits until the books know what became of an action; of a confirm, what became of the action it is about. It
// answers what is known when the time is over. An action without an id isn't known yet.
func (s *Service) await(ctx context.Context, id string, wait time.Duration) (one api.Action, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		var over bool
		found, known, err := s.said.one(context.WithoutCancel(ctx), id)
		if err != nil {
			return one, s.failed("the actions can't be read", err)
		}
		if known {
			one, over = found, settled(found)
		}
		if known && one.Kind == acts.Confirm && one.Status == "obeyed" {
			of, _, err := s.said.one(context.WithoutCancel(ctx), one.Of)
			if err != nil {
				return one, s.failed("the actions can't be read", err)
			}
			one.Outcomes, over = of.Outcomes, settled(of)
		}
		if over || ctx.Err() != nil {
			return one, nil
		}
		pause(ctx, lookEvery)
	}
}

// settled tells that nothing more comes of an action.
func settled(a api.Action) bool { return a.Status != statusWaits && a.Status != statusWaitsForPerson }

// action is one action, and what became of it.
func (s *Service) action(ctx context.Context, in *struct {
	WaitInput
	ID string `path:"id"`
}) (*answer[api.Action], error) {
	wait, err := in.length()
	if err != nil {
		return nil, err
	}
	one, err := s.await(ctx, in.ID, wait)
	if err != nil {
		return nil, err
	}
	if one.ID == "" {
		return nil, huma.Error404NotFound("the books know no action of this id")
	}
	return &answer[api.Action]{one}, nil
}

// unprocessable says everything that is wrong.
func unprocessable(what string, faults []api.Fault) error {
	all := make([]error, len(faults))
	for i, f := range faults {
		all[i] = &huma.ErrorDetail{Message: f.Message, Location: f.Location}
	}
	return huma.Error422UnprocessableEntity(what, all...)
}

func lacks(role string) error { return huma.NewError(http.StatusForbidden, "you need the role "+role) }
