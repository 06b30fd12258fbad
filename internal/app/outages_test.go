package app

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

var record = flag.Bool("record", false, "record testdata/alerts anew")

// outage is a story that one instance lived through in virtual time, and which alerts it
// must raise when.
type outage struct {
	name    string
	every   time.Duration // between two scrapes
	lasts   time.Duration
	prepare func(*story)
	at      map[time.Duration]func(*story)
	moments []moment
	series  string // in place of a recording
}

// moment says which alerts are firing, and that no others are.
type moment struct {
	at   time.Duration
	fire []string
}

// story is an outage while it is recorded.
type story struct {
	*town
	perMinute int // commands that are published
	dead      atomic.Bool
	stop      func()
	stopped   bool
	published int
}

func (s *story) dialProvider(ctx context.Context, network, address string) (net.Conn, error) {
	if s.dead.Load() {
		return nil, syscall.ECONNREFUSED
	}
	return s.web.Dial(ctx, network, address)
}

const (
	scrape = 15 * time.Second
	minute = time.Minute
)

var fast = paysim.Behavior{SettleMin: time.Second, SettleMax: 10 * time.Second, Latency: 50 * time.Millisecond}

var outages = []outage{
	{name: "quiet", every: scrape, lasts: 20 * minute, moments: []moment{{5 * minute, nil}, {20 * minute, nil}}},
	{
		name: "hung", every: 5 * time.Second, lasts: 30 * minute, // so often, each probe is seen
		at: map[time.Duration]func(*story){
			5 * minute:  func(s *story) { s.sim.SetHang("", true) },
			15 * minute: func(s *story) { s.sim.SetHang("", false) },
		},
		moments: []moment{
			{4 * minute, nil},
			{12 * minute, []string{"DisburserBreakerOpen", "DisburserProviderFailing"}},
			{15 * minute, []string{"DisburserBreakerOpen", "DisburserProviderFailing"}},
			{30 * minute, nil},
		},
	},
	{
		name: "dead", every: scrape, lasts: 30 * minute,
		at: map[time.Duration]func(*story){
			5 * minute:  func(s *story) { s.dead.Store(true) },
			15 * minute: func(s *story) { s.dead.Store(false) },
		},
		moments: []moment{
			{4 * minute, nil},
			{12 * minute, []string{"DisburserBreakerOpen", "DisburserProviderFailing"}},
			{15 * minute, []string{"DisburserBreakerOpen", "DisburserProviderFailing"}},
			{30 * minute, nil},
		},
	},
	{ // too few calls for a breaker
		name: "hung-and-idle", every: scrape, lasts: 16 * minute,
		prepare: func(s *story) { s.perMinute = 1 },
		at:      map[time.Duration]func(*story){minute: func(s *story) { s.sim.SetOutage("", paysim.Hung) }},
		moments: []moment{
			{minute, nil},
			{5 * minute, []string{"DisburserProviderFailing"}},
			{16 * minute, []string{"DisburserBreakerOpen", "DisburserProviderFailing"}}, // by the asks
		},
	},
	{
		name: "refusing", every: scrape, lasts: 50 * minute,
		at: map[time.Duration]func(*story){
			5 * minute:  func(s *story) { b := fast; b.Refused = 1; s.sim.SetBehavior("", b) },
			15 * minute: func(s *story) { s.sim.SetBehavior("", fast) },
		},
		moments: []moment{
			{4 * minute, nil},
			{12 * minute, []string{"DisburserBreakerOpen", "DisburserRefusals"}},
			{15 * minute, []string{"DisburserBreakerOpen", "DisburserRefusals"}},
			{50 * minute, nil},
		},
	},
	{
		name: "redis-away", every: scrape, lasts: 15 * minute,
		at: map[time.Duration]func(*story){
			5 * minute:  func(s *story) { s.redis.SetError("LOADING Redis is loading the dataset in memory") },
			10 * minute: func(s *story) { s.redis.SetError("") },
		},
		moments: []moment{{4 * minute, nil}, {9 * minute, []string{"DisburserNotReady"}}, {15 * minute, nil}},
	},
	{
		name: "gone", every: scrape, lasts: 12 * minute,
		at:      map[time.Duration]func(*story){2 * minute: func(s *story) { s.stop(); s.stopped = true }},
		moments: []moment{{2 * minute, nil}, {12 * minute, []string{"DisburserAbsent"}}},
	},
	{
		name: "odd-commands", every: scrape, lasts: 20 * minute,
		prepare: func(s *story) { s.perMinute = 10 },
		at: map[time.Duration]func(*story){
			2 * minute: func(s *story) {
				s.lines(order("twice", "300", ""), order("twice", "301", ""), "not JSON")
			},
			4 * minute: func(s *story) { b := fast; b.Unknown = 1; s.sim.SetBehavior("", b) },
			5 * minute: func(s *story) { s.sim.SetBehavior("", fast) },
		},
		moments: []moment{
			{minute, nil},
			{3 * minute, []string{"DisburserConflict", "DisburserDeadLetters"}},
			{15 * minute, []string{"DisburserConflict", "DisburserDeadLetters", "DisburserHeld", "DisburserUnknownStatus"}},
			{20 * minute, []string{"DisburserHeld", "DisburserUnknownStatus"}},
		},
	},
	{ // more is ordered than may be open: what is there must not be sent yet
		name: "full", every: scrape, lasts: 25 * minute,
		prepare: func(s *story) { s.config.Disburse.MaxOpen, s.perMinute = 10, 0 },
		at: map[time.Duration]func(*story){
			minute:     func(s *story) { s.flood("first", 200) },
			2 * minute: func(s *story) { s.flood("second", 4000) },
		},
		moments: []moment{{2 * minute, nil}, {25 * minute, []string{"DisburserNotReading"}}},
	},
	{ // a payout that must not be sent for days, and a topic that keeps its command for hours
		name: "old-safe-mark", every: 5 * minute, lasts: 90 * minute,
		prepare: func(s *story) { s.perMinute = 0; s.keep(2 * time.Hour) },
		at: map[time.Duration]func(*story){
			5 * minute: func(s *story) {
				s.lines(order("later", "300", time.Now().Add(3*24*time.Hour).Format(time.RFC3339)))
			},
		},
		moments: []moment{{time.Hour, nil}, {90 * minute, []string{"DisburserSafeMarkOld"}}},
	},
	{ // not recorded: a day takes too long even in virtual time
		name: "old-payout", every: 5 * minute, moments: []moment{{23 * time.Hour, nil}, {25 * time.Hour, []string{"DisburserOldOpenPayout"}}},
		series: "      - {series: 'disburser_oldest_open_seconds{merchant=\"eg-main\"}', values: '0+300x300'}\n" +
			"      - {series: 'disburser_build_info', values: '1x300'}\n",
	},
	{ // not recorded: the simulator pays what was ordered
		name: "contradiction", every: time.Minute, moments: []moment{{5 * minute, nil}, {10 * minute, []string{"DisburserContradiction"}}, {40 * minute, nil}},
		series: "      - {series: 'disburser_contradictions_total{merchant=\"eg-main\",type=\"payout.paid\"}', values: '0x7 1x40'}\n" +
			"      - {series: 'disburser_build_info', values: '1x50'}\n",
	},
	{ // not recorded: another program. A start with much to read is no reason to wake anybody, and nor is a restart
		name: "books", every: time.Minute,
		moments: []moment{{18 * minute, nil}, {55 * minute, []string{"BackofficeBooksBehind"}}, {70 * minute, nil}, {80 * minute, []string{"BackofficeNotReady"}}, {90 * minute, nil}},
		series: "      - {series: 'backoffice_books_lag{instance=\"b\",topic=\"payout.results\",partition=\"0\"}', values: '200000-20000x10 0x19 5000+100x28 0x60'}\n" +
			"      - {series: 'backoffice_ready{instance=\"b\"}', values: '1x10 0x2 1x56 0x12 1x40'}\n" +
			"      - {series: 'disburser_build_info', values: '1x200'}\n",
	},
	{ // not recorded: a clock that is set needs no outage
		name: "clocks", every: time.Minute, moments: []moment{{9 * minute, nil}, {13 * minute, []string{"DisburserClocksDisagree"}}},
		series: "      - {series: 'disburser_clock_difference_seconds', values: '0x10 -1800x10'}\n" +
			"      - {series: 'disburser_build_info', values: '1x30'}\n",
	},
}

func order(tradeNo, amount, notBefore string) string {
	if notBefore != "" {
		notBefore = fmt.Sprintf(`"notBefore": %q, `, notBefore)
	}
	return fmt.Sprintf(`{"tradeNo": %q, "merchant": "eg-main", "amount": %q, %s"payee": {"customerName": "kevin", "walletId": "01123456789"}}`, tradeNo, amount, notBefore)
}

// flood publishes commands that are sent tomorrow.
func (s *story) flood(name string, n int) {
	var all []string
	for i := range n {
		all = append(all, order(fmt.Sprintf("%s-%d", name, i), "300", time.Now().Add(24*time.Hour).Format(time.RFC3339)))
	}
	s.lines(all...)
}

// lines publishes commands.
func (s *story) lines(lines ...string) {
	transport := &kafka.Transport{Dial: s.kafka.Dial, MetadataTTL: time.Second}
	defer transport.CloseIdleConnections()
	if err := trial.Publish(context.Background(), s.kafka.ListenAddrs(), transport, trial.DefaultTopics.Commands, lines); err != nil {
		s.t.Fatal(err)
	}
}

// keep changes how long the commands are kept.
func (s *story) keep(d time.Duration) {
	transport := &kafka.Transport{Dial: s.kafka.Dial, MetadataTTL: time.Second}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(s.kafka.ListenAddrs()...), Transport: transport}
	_, err := client.AlterConfigs(context.Background(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: trial.DefaultTopics.Commands,
		Configs: []kafka.AlterConfigRequestConfig{{Name: "retention.ms", Value: strconv.FormatInt(d.Milliseconds(), 10)}},
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// record lives through the story, and answers the series that the alerts look at.
func (o outage) record(t *testing.T) []byte {
	var out bytes.Buffer
	inTown(t, fast, func(w *town) {
		s := &story{town: w, perMinute: 60}
		if o.prepare != nil {
			o.prepare(s)
		}
		registry := prometheus.NewRegistry()
		a, err := New(s.config, Options{
			Instance: "one", DialKafka: s.kafka.Dial, DialRedis: s.redis.Dial, DialHTTP: s.dialProvider, LogTo: s,
			Listener: deaf{make(chan struct{})}, Registry: registry, Build: Build{"v1", "abc"},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		s.stop = func() {
			cancel()
			if !s.stopped && <-ended != nil {
				t.Error("it didn't stop well")
			}
		}
		series := map[string][]string{}
		time.Sleep(5 * time.Second) // until it is ready
		for i := range int(o.lasts/o.every) + 1 {
			s.minute(o, time.Duration(i)*o.every)
			s.scrape(registry, series, i)
			time.Sleep(o.every)
		}
		s.stop()
		writeSeries(&out, series)
	})
	return out.Bytes()
}

// minute does what is due at a moment: what happens, and the commands of a minute.
func (s *story) minute(o outage, at time.Duration) {
	if do := o.at[at]; do != nil {
		do(s)
	}
	if at%minute != 0 || s.stopped {
		return
	}
	var lines []string
	for range s.perMinute {
		s.published++
		lines = append(lines, order(fmt.Sprintf("m-%06d", s.published), "300", ""))
	}
	if len(lines) > 0 {
		s.lines(lines...)
	}
}

// scrape notes what /metrics says of what the alerts look at.
func (s *story) scrape(registry *prometheus.Registry, series map[string][]string, i int) {
	seen := map[string]string{}
	if !s.stopped {
		families, err := registry.Gather()
		if err != nil {
			s.t.Fatal(err)
		}
		rules, err := os.ReadFile(alertsFile)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range families {
			if !bytes.Contains(rules, []byte(f.GetName())) || !strings.HasPrefix(f.GetName(), "disburser_") {
				continue
			}
			for _, m := range f.GetMetric() {
				labels := []string{`instance="one:8080"`, `job="disburser"`}
				for _, l := range m.GetLabel() {
					if l.GetName() == "merchant" && l.GetValue() == "br-main" { // always the same
						labels = nil
						break
					}
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
				if labels == nil {
					continue
				}
				name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
				seen[name] = strconv.FormatFloat(m.GetGauge().GetValue()+m.GetCounter().GetValue(), 'g', 7, 64)
			}
		}
	}
	for name, value := range seen {
		for len(series[name]) < i { // it came later
			series[name] = append(series[name], "_")
		}
		series[name] = append(series[name], value)
	}
	for name, values := range series {
		if _, told := seen[name]; !told {
			series[name] = append(values, "stale")
		}
	}
}

// writeSeries writes them as promtool reads them; what stays the same is written once.
func writeSeries(out *bytes.Buffer, series map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(series)) {
		var words []string
		values := series[name]
		for i := 0; i < len(values); {
			n := 1
			for i+n < len(values) && values[i+n] == values[i] {
				n++
			}
			switch {
			case n == 1:
				words = append(words, values[i])
			case values[i] == "_":
				words = append(words, fmt.Sprintf("_x%d", n))
			case values[i] == "stale":
				words = append(words, "stale", fmt.Sprintf("_x%d", n-1))
			default:
				words = append(words, fmt.Sprintf("%sx%d", values[i], n-1))
			}
			i += n
		}
		fmt.Fprintf(out, "      - {series: '%s', values: '%s'}\n", name, strings.Join(words, " "))
	}
}

// rulesTest writes a test for promtool: at each moment these alerts fire, and no others.
func (o outage) rulesTest(t *testing.T, series []byte) string {
	t.Helper()
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "rule_files: [%s]\nevaluation_interval: %s\ntests:\n  - interval: %s\n    input_series:\n%s    promql_expr_test:\n", rules, o.every, o.every, series)
	for _, m := range o.moments {
		fmt.Fprintf(&out, "      - expr: max by (alertname) (ALERTS{alertstate=\"firing\"})\n        eval_time: %s\n        exp_samples:\n", m.at)
		for _, alert := range m.fire {
			fmt.Fprintf(&out, "          - {labels: '{alertname=%q}', value: 1}\n", alert)
		}
	}
	file := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
