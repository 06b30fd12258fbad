package disburse

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/money"
)

// counterOf is a counter of a merchant and type, -1 if it isn't there.
func counterOf(t *testing.T, registry *prometheus.Registry, name, merchant, kind string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == name && labels["merchant"] == merchant && labels["type"] == kind {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

// An outcome that contradicts the payout is announced with it, counted and logged. Or it is
// held, announced once, and asked about seldom.
func TestAContradictionIsAnnouncedOrHeld(t *testing.T) {
	for _, choice := range []payout.Choice{payout.Announce, payout.Hold} {
		inTime(t, func(t *testing.T) {
			b := newBench(t, orders(2, "a")...)
			m := b.merchant("a")
			m.Policy.Contradiction = choice
			m.Provider = provider{
				send: func(context.Context, string, time.Time) finding.Finding {
					return finding.Finding{Kind: finding.Accepted}
				},
				ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					f := finding.Finding{Kind: finding.Paid, Served: true, PaidAmount: "100", Share: money.ShareAll}
					if tradeNo == "a0001" {
						f.PaidAmount, f.Share = "30", money.SharePart
					}
					return f
				},
			}
			var said []message.Event
			b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
				said = append(said, events...)
				return slices.Repeat([]bool{true}, len(events)), nil
			}
			b.start()
			time.Sleep(time.Hour)
			b.stop()
			kinds := map[string][]message.EventType{}
			for _, e := range said {
				kinds[e.TradeNo] = append(kinds[e.TradeNo], e.Type)
				if (e.Contradiction == "") != (e.TradeNo == "a0000") {
					t.Errorf("%s: contradiction %q", e.TradeNo, e.Contradiction)
				}
			}
			want := message.EventPaid
			if choice == payout.Hold {
				want = message.EventHeld
			}
			if !slices.Equal(kinds["a0000"], []message.EventType{message.EventPaid}) || !slices.Equal(kinds["a0001"], []message.EventType{want}) {
				t.Errorf("%s: %v", choice, kinds)
			}
			for _, kind := range []message.EventType{message.EventPaid, message.EventPartial, message.EventFailed, message.EventHeld} {
				n := 0.0
				if kind == want {
					n = 1
				}
				if got := counterOf(t, b.registry, "disburser_contradictions_total", "a", string(kind)); got != n {
					t.Errorf("%s: %v of %s", choice, got, kind)
				}
			}
			if b.logged(`"contradiction":"paid, yet`) != 1 || b.logged(`"level":"warn"`) != 1 {
				t.Errorf("%s: not logged", choice)
			}
		})
	}
}

// The provider's package is told of whom the answer may speak, so that it can hide it.
func TestAnAskBringsTheCommand(t *testing.T) {
	inTime(t, func(t *testing.T) {
		p := order("a0000", "a")
		p.Payee = payout.NewPayee(map[string]string{"walletId": "0112"})
		b := newBench(t, p)
		var about []payout.Command
		m := b.merchant("a")
		m.Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Paid, Served: true}
			},
			about: func(c payout.Command) { about = append(about, c) },
		}
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		if len(about) != 1 || about[0].Payee.Field("walletId") != "0112" {
			t.Errorf("asked with %d commands", len(about))
		}
	})
}

// Of a payout without its command nobody knows whose data the provider's words are.
func TestWordsAboutAnOrphanAreNotKept(t *testing.T) {
	inTime(t, func(t *testing.T) {
		orphan := payout.Payout{Command: payout.Command{TradeNo: "a1", Merchant: "a"}, Country: "egypt", State: payout.StateSending, Step: payout.StepAsk, Sends: 2, Due: time.Now(), LastSentAt: time.Now(), SendBy: time.Now()}
		known := order("a2", "a")
		known.Payee = payout.NewPayee(map[string]string{"walletId": "0112"})
		b := newBench(t, orphan, known)
		m := b.merchant("a")
		m.Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Paid, Served: true, Status: "0000", StatusText: "wallet of kevin"}
			},
		}
		texts := map[string]string{}
		b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
			for _, e := range events {
				texts[e.TradeNo] = e.Status + e.StatusText
			}
			return slices.Repeat([]bool{true}, len(events)), nil
		}
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		if texts["a1"] != "0000" || texts["a2"] != "0000wallet of kevin" {
			t.Errorf("%v", texts)
		}
	})
}
