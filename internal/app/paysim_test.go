package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"disburser/config"
	"disburser/internal/embedded"
	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// town is the whole program in virtual time: a broker, a Redis, the simulator, and
// instances that a test starts.
type town struct {
	t      *testing.T
	kafka  *embedded.Kafka
	redis  *embedded.Redis
	sim    *paysim.Sim
	web    *embedded.Web
	config config.Config

	mu    sync.Mutex
	log   bytes.Buffer
	sends []time.Time // when the provider heard them
	asks  int
	said  byte // actions
}

func (w *town) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(line)
}

func (w *town) logged(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.log.String(), text)
}

func (w *town) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func inTown(t *testing.T, b paysim.Behavior, test func(w *town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC))) // the provider wants timestamps of 13 digits
		w := &town{t: t, config: testConfig()}
		topics := trial.DefaultTopics
		var err error
		if w.kafka, err = embedded.NewKafka(map[string]int{topics.Commands: 2, topics.Results: 1, topics.Decisions: 1, topics.DeadLetter: 1, topics.Actions: 1}); err != nil {
			t.Fatal(err)
		}
		defer w.kafka.Close()
		if w.redis, err = embedded.NewRedis(); err != nil {
			t.Fatal(err)
		}
		defer w.redis.Close()
		w.sim = paysim.New(paysim.Config{Seed: 1, Behavior: b, Merchants: []paysim.Merchant{
			{Country: "egypt", MerchantNo: "0000000001", Secret: "secret-eg", BasePath: "/egy-pay"},
			{Country: "brazil", MerchantNo: "0000000002", Secret: "secret-br", BasePath: "/brz-pay"},
			{Country: "egypt", MerchantNo: "0000000003", Secret: "secret-eg", BasePath: "/egy-two"},
		}})
		w.web = embedded.NewWeb(http.HandlerFunc(w.hears))
		defer w.web.Close()
		w.config.Kafka.Brokers = w.kafka.ListenAddrs()
		test(w)
	})
}

// hears is the provider's door: it notes what is called.
func (w *town) hears(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if strings.Contains(r.URL.Path, "/query") {
		w.asks++
	} else {
		w.sends = append(w.sends, time.Now())
	}
	w.mu.Unlock()
	w.sim.ServeHTTP(out, r)
}

// sentSince counts the sends that the provider heard after a moment.
func (w *town) sentSince(at time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, sent := range w.sends {
		if sent.After(at) {
			n++
		}
	}
	return n
}

// run starts an instance; stop ends it.
func (w *town) run(name string, registry *prometheus.Registry) (a *App, stop func()) {
	w.t.Helper()
	a, err := New(w.config, Options{
		Instance: name, DialKafka: w.kafka.Dial, DialRedis: w.redis.Dial, DialHTTP: w.web.Dial,
		Listener: deaf{make(chan struct{})}, LogTo: w, Registry: registry,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
}

// deaf is an admin HTTP that nobody calls.
type deaf struct{ closed chan struct{} }

func (d deaf) Accept() (net.Conn, error) { <-d.closed; return nil, net.ErrClosed }
func (d deaf) Close() error              { close(d.closed); return nil }
func (d deaf) Addr() net.Addr            { return &net.TCPAddr{} }

// publish orders n payouts of eg-main.
func (w *town) publish(prefix string, n int) {
	w.t.Helper()
	transport := &kafka.Transport{Dial: w.kafka.Dial, MetadataTTL: time.Second}
	defer transport.CloseIdleConnections()
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"tradeNo":"%s-%04d","merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"},"remark":"x"}`, prefix, i))
	}
	if err := trial.Publish(context.Background(), w.kafka.ListenAddrs(), transport, trial.DefaultTopics.Commands, lines); err != nil {
		w.t.Fatal(err)
	}
}

// gauge reads a metric of eg-main.
func (w *town) gauge(r *prometheus.Registry, name, operation string) float64 {
	w.t.Helper()
	families, err := r.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			found := 0
			for _, l := range m.GetLabel() {
				if l.GetName() == "merchant" && l.GetValue() == "eg-main" || l.GetName() == "operation" && l.GetValue() == operation {
					found++
				}
			}
			if f.GetName() == name && found == 2 {
				return m.GetGauge().GetValue()
			}
		}
	}
	w.t.Fatalf("there is no %s", name)
	return 0
}

// settled waits until n payouts have been announced.
func (w *town) settled(n int, within time.Duration) {
	w.t.Helper()
	for began := time.Now(); w.logged(`"message":"announced"`) < n; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > within {
			w.t.Fatalf("%d of %d payouts ended within %v", w.logged(`"message":"announced"`), n, within)
		}
	}
}

// A provider that bears 20 a second where 50 are configured says so, with 429 and with a
// code of its own. The fleet calls more slowly, nobody is paid twice, no breaker opens.
func TestTooFastIsHeard(t *testing.T) {
	for _, c := range []struct {
		name string
		b    paysim.Behavior
	}{
		{"429 with Retry-After", paysim.Behavior{TooFastAbove: 20, RetryAfter: 3 * time.Second}},
		{"a code", paysim.Behavior{TooFastAbove: 20, TooFastCode: "9429"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.b.RetryAfter == 0 {
				t.Skip("make test-long runs it")
			}
			inTown(t, c.b, func(w *town) {
				eg := w.config.Merchants["eg-main"]
				eg.TooFast.Codes = []string{"9429"}
				w.config.Merchants["eg-main"] = eg
				registry := prometheus.NewRegistry()
				_, stopOne := w.run("one", registry)
				_, stopTwo := w.run("two", nil)
				defer stopOne()
				defer stopTwo()
				if rate := w.gauge(registry, "disburser_rate_limit", "send"); rate != 50 {
					t.Errorf("%v a second before anything was said", rate)
				}
				time.Sleep(5 * time.Second)
				w.publish("t", 250)
				// One of two hears it from Redis, when it asks for moments the next time.
				slow := func() bool { return w.gauge(registry, "disburser_rate_limit", "send") <= 26 }
				for began := time.Now(); !slow(); time.Sleep(100 * time.Millisecond) {
					if time.Since(began) > 20*time.Second {
						t.Fatalf("%v a second where 20 are borne", w.gauge(registry, "disburser_rate_limit", "send"))
					}
				}
				w.settled(250, 2*time.Minute)
				ledger := w.sim.Ledger()
				if twice := ledger.PaidTwice(); len(twice) > 0 {
					t.Errorf("%d were paid twice", len(twice))
				}
				if n := ledger.Requests["payout too fast"]; n == 0 || n > 50 {
					t.Errorf("%d sends were too fast: %v", n, ledger.Requests)
				}
				if w.logged("the fleet calls more slowly")+w.logged("asks to be left alone") == 0 {
					t.Error("nothing was said of it")
				}
				if w.logged("breaker changed") > 0 {
					t.Error("a breaker took it for an outage")
				}
				if c.b.RetryAfter == 0 {
					return
				}
				time.Sleep(100 * time.Second) // what the rate needs from the floor, where it may have been last
				w.publish("u", 1)             // an idle instance looks at nothing
				w.settled(251, time.Minute)
				if rate := w.gauge(registry, "disburser_rate_limit", "send"); rate != 50 {
					t.Errorf("%v a second long after", rate)
				}
			})
		})
	}
}
