package app

import (
	"errors"

	"disburser/config"
	"disburser/disburse"
)

// ReloadFrom reads the configuration again, by what load answers as config.Load does,
// and puts in force what can be. Of a bad one nothing is.
func (a *App) ReloadFrom(load func() (config.Config, []string, error)) {
	c, warnings, err := load()
	for _, w := range warnings {
		a.logger.Warn().Str("warning", w).Msg("the configuration was read again")
	}
	if err == nil {
		a.Reload(c)
		return
	}
	problems := []error{err}
	if several, ok := errors.AsType[config.Problems](err); ok {
		problems = nil
		for _, p := range several {
			problems = append(problems, p)
		}
	}
	for _, p := range problems {
		a.logger.Error().Err(p).Msg("the configuration was read again and is bad: the old one stays")
	}
}

// Reload puts in force what of a good configuration a running instance can take: the keys with the tag reload in
// package config. Only the next decision depends on them: how fast, when to ask, what opens a breaker, how much is
// logged. What says who is paid by whom, what an answer means, or what the parts were built with needs a restart.
// Reload logs what it changed, and what needs a restart.
func (a *App) Reload(c config.Config) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	differences := config.Diff(a.running, c)
	if len(differences) == 0 {
		a.logger.Info().Msg("the configuration was read again: nothing has changed")
		return
	}
	var later []string
	changed := a.running.Reloaded(c)
	a.apply(changed)
	for _, d := range differences {
		if d.Reload {
			a.logger.Info().Str("key", d.Key).Str("old", d.Old).Str("new", d.New).Msg("the configuration has changed")
		} else {
			later = append(later, d.Key)
		}
	}
	if len(later) > 0 { // names only: an address may hold what isn't for a log
		a.logger.Warn().Strs("keys", later).Msg("the configuration has changed where only a restart helps: until then the old values are in force")
	}
	a.running = changed
}

func (a *App) apply(c config.Config) {
	a.level.set(c.Log.Level)
	policies := a.merchants.reload(c)
	for _, l := range a.loops {
		l.Reload(policies, disburse.BreakerSettings(c.Breaker))
	}
}
