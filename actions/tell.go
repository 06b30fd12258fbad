package actions

import (
	"github.com/rs/zerolog"

	"disburser/payout/acts"
)

// skipped counts what was skipped of the records that stood there before the start. They are told once, together.
type skipped struct {
	caught bool // the end was reached once: what comes from here on is new
	before int
}

// tell logs what became of a new record. An action that is skipped is an error: somebody believes that it holds.
func (f *Follower) tell(a acts.Action, result acts.Result, why string, offset int64) {
	bad := result == acts.Unsigned || result == acts.Unknown || result == acts.Unreadable
	if !f.caught {
		if bad {
			f.before++
		}
		return
	}
	level := zerolog.InfoLevel
	switch {
	case bad:
		level = zerolog.ErrorLevel
	case result == acts.Obeyed && (a.Kind == acts.Pause || a.Kind == acts.Resume || a.Kind == acts.Cancel):
		level = zerolog.WarnLevel
	}
	event := f.Logger.WithLevel(level).Str("action", a.ID).Str("kind", string(a.Kind)).Str("by", a.By).Str("reason", a.Reason).Int64("offset", offset)
	if a.Scope.Kind != "" {
		event = event.Stringer("scope", a.Scope)
	}
	if bad {
		event.Str("why", why).Msg("an action is skipped")
		return
	}
	if e := a.Ended; e != nil {
		event.Str("of", e.Of).Str("result", string(result)).Str("detail", e.Detail).Bool("certain", !e.Uncertain).Msg("what became of an action")
		return
	}
	event.Str("result", string(result)).Msg("an action")
}

// caughtUp says once what is in force at the start, and that trouble is over.
func (f *Follower) caughtUp(first bool, view *acts.View) {
	f.caught = true
	if f.said != "" {
		f.Logger.Info().Msg("the actions are read to their end again")
		f.said = ""
	}
	if !first {
		return
	}
	for _, s := range view.All() {
		f.Logger.Warn().Str("action", s.ID).Str("kind", string(s.Kind)).Stringer("scope", s.Scope).Str("by", s.By).Str("reason", s.Reason).
			Time("since", s.Since).Msg("in force")
	}
	if f.before > 0 {
		f.Logger.Error().Int("records", f.before).Str("topic", f.Topic).Msg("actions of before the start are skipped: disburser_actions_total says why")
	}
}

// notKnown begins what is said while the actions are not known to their end.
const notKnown = "nothing is sent until the actions are known: "

// fail notes why the actions are not known to their end. It is logged when it changes, once they aren't fresh.
func (f *Follower) fail(err error) {
	text := notKnown + err.Error()
	f.trouble.Store(&text)
	if age, ever := f.Age(); (!ever || age > f.Staleness) && f.said != text {
		f.said = text
		f.Logger.Error().Err(err).Dur("age", age).Msg("nothing is sent until the actions are known")
	}
}
