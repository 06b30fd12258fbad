package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"disburser/paypro/paysim"
)

// written are the lines of a log, each with its fields.
func written(t *testing.T, log *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, fields)
	}
	return all
}

func TestARepeatedWarningIsFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := zerolog.New(newFolder(&log))
		for i := range 7 * 3600 { // seven a second, for an hour
			logger.Warn().Err(fmt.Errorf("redis at 10.0.0.1:6379: read tcp 10.0.0.2:%d: i/o timeout", 30000+i)).Int("partition", i%6).Msg("reading was interrupted, trying again")
			time.Sleep(time.Second / 7)
		}
		lines := written(t, &log)
		if len(lines) < 8 || len(lines) > 14 {
			t.Fatalf("%d lines in an hour", len(lines))
		}
		total := 1.0
		for i, l := range lines {
			n, counted := l["repeated"].(float64)
			if counted != (i > 0) || !strings.Contains(fmt.Sprint(l["error"]), "10.0.0.1:6379") {
				t.Errorf("line %d: %v", i, l)
			}
			total += n
		}
		if total < 7*3600*0.8 || total > 7*3600 {
			t.Errorf("%v were told of", total)
		}
		// When it is over, what is left is told with the next line.
		time.Sleep(longestPause)
		logger.Info().Msg("well again")
		logger.Info().Msg("still well")
		lines = written(t, &log)
		end := lines[len(lines)-3:]
		if n, _ := end[0]["repeated"].(float64); total+n != 7*3600 || end[1]["message"] != "well again" {
			t.Errorf("%v + %v of %v were told of, before %v", total, n, 7*3600, end[1])
		}
		// What comes back long after is news.
		time.Sleep(2 * longestPause)
		logger.Info().Msg("still well")
		logger.Warn().Err(errors.New("i/o timeout")).Msg("reading was interrupted, trying again")
		lines = written(t, &log)
		if last := lines[len(lines)-1]; last["level"] != "warn" || last["repeated"] != nil {
			t.Errorf("the last line is %v", last)
		}
	})
}

func TestWhatIsNeverFolded(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(l zerolog.Logger, i int)
	}{
		{"errors", func(l zerolog.Logger, _ int) { l.Error().Msg("a gap") }},
		{"what isn't trouble", func(l zerolog.Logger, _ int) { l.Info().Msg("announced") }},
		{"payouts", func(l zerolog.Logger, _ int) {
			l.Warn().Err(io.EOF).Str("trade_no", "t1").Msg("somebody else has taken this payout over")
		}},
		{"other messages", func(l zerolog.Logger, i int) { l.Warn().Err(io.EOF).Msg(fmt.Sprint("warning ", i)) }},
		{"other subjects", func(l zerolog.Logger, i int) { l.Warn().Err(io.EOF).Str("merchant", fmt.Sprint("eg-", i)).Msg("slow") }},
		{"answers to a reload", func(l zerolog.Logger, _ int) { l.Warn().Strs("keys", []string{"a"}).Msg("only a restart helps") }},
		{"other causes", func(l zerolog.Logger, i int) { l.Warn().Err(errors.New(strings.Repeat("x", i+1))).Msg("interrupted") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			logger := zerolog.New(newFolder(&log))
			for i := range 2 * mostFolded {
				c.write(logger, i)
			}
			if n := len(written(t, &log)); n != 2*mostFolded {
				t.Errorf("%d lines of %d", n, 2*mostFolded)
			}
		})
	}
}

// For as long as Redis is away the log stays readable, and says which Redis it is.
func TestTheLogWhileRedisIsAway(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		_, stop := w.run("one", prometheus.NewRegistry())
		defer stop()
		time.Sleep(10 * time.Second)
		w.publish("a", 20)
		time.Sleep(5 * time.Second)
		w.redis.SetDead(true)
		for _, within := range []struct {
			d    time.Duration
			most int
		}{{time.Minute, 40}, {9 * time.Minute, 60}, {50 * time.Minute, 120}} {
			before := w.logged(`"level":"warn"`)
			time.Sleep(within.d)
			if n := w.logged(`"level":"warn"`) - before; n > within.most {
				t.Errorf("%d warnings within %v", n, within.d)
			}
		}
		for line := range strings.Lines(w.text()) {
			if strings.Contains(line, "Error compiling script") { // an answer of miniredis, whose script was cut off
				continue
			}
			if strings.Contains(line, `"level":"warn"`) && strings.Contains(line, `"error"`) && strings.Contains(line, "EOF") && !strings.Contains(line, "redis:6379") {
				t.Errorf("it doesn't say who is away: %s", line)
			}
		}
		w.redis.SetDead(false)
		time.Sleep(30 * time.Second)
		w.publish("b", 1)
		w.settled(21, time.Minute)
	})
}
