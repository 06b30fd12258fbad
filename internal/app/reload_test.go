package app

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/config"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

func (w *town) changed(change func(*config.Config, *config.Merchant)) config.Config {
	c := w.config
	c.Merchants = maps.Clone(c.Merchants)
	eg := c.Merchants["eg-main"]
	change(&c, &eg)
	c.Merchants["eg-main"] = eg
	return c
}

func TestReload(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		registry := prometheus.NewRegistry()
		w.config = w.changed(func(c *config.Config, eg *config.Merchant) { eg.Send = config.Rate{Rate: 10, Burst: 1} })
		a, stop := w.run("one", registry)
		defer stop()
		time.Sleep(5 * time.Second)
		w.publish("t", 100)
		time.Sleep(5 * time.Second)
		if n := len(w.sim.Arrivals("0000000001")); n < 35 || n > 55 {
			t.Errorf("%d sends in about 4 s at 10 a second", n)
		}
		c := w.changed(func(c *config.Config, eg *config.Merchant) {
			eg.Send.Rate, eg.Poll.First, c.Log.Level, c.Breaker.MinRequests = 40, 3*time.Second, "debug", 7
			eg.Secret, eg.Timeout, c.Disburse.Slots = secrets.New("never-in-a-log"), 3*time.Second, 5
			delete(c.Merchants, "br-main")
		})
		a.Reload(c)
		before := time.Now()
		w.settled(100, 10*time.Second)
		if took := time.Since(before); took > 6*time.Second {
			t.Errorf("about 50 sends at 40 a second and an ask took %v", took)
		}
		if rate := w.gauge(registry, "disburser_rate_limit", "send"); rate != 40 {
			t.Errorf("the metric says %v a second", rate)
		}
		for _, line := range []string{
			`"key":"merchants.eg-main.send.rate","old":"10","new":"40"`, `"key":"merchants.eg-main.poll.first","old":"2s","new":"3s"`,
			`"key":"breaker.min_requests","old":"20","new":"7"`, `"key":"log.level","old":"info","new":"debug"`,
			`"keys":["disburse.slots","merchants.br-main","merchants.eg-main.secret","merchants.eg-main.timeout"]`, `"level":"debug"`,
		} {
			if w.logged(line) == 0 {
				t.Errorf("the log has no %s", line)
			}
		}
		a.Reload(c)
		if w.logged(`"key":"log.level"`) != 1 || w.logged("only a restart helps") != 2 {
			t.Error("what has changed is said once, what needs a restart each time")
		}
		a.ReloadFrom(func() (config.Config, []string, error) {
			return config.Parse("new.yaml", []byte("log: {level: loud}\nredis: 5"), ConfigRules())
		})
		if w.logged("is bad: the old one stays") < 3 || w.logged("new.yaml:1: log.level must be one of") != 1 {
			t.Error("not every problem was said")
		}
		a.ReloadFrom(func() (config.Config, []string, error) { return config.Config{}, nil, errors.New("no such file") })
		if w.logged("no such file") != 1 || w.logged("never-in-a-log") > 0 {
			t.Error("a file that can't be read, or a secret")
		}
		a.Reload(w.config)
		if rate := w.gauge(registry, "disburser_rate_limit", "send"); rate != 10 {
			t.Errorf("back again the metric says %v a second", rate)
		}
	})
}
