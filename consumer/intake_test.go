package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
)

// TestWhatComesInAndWhatGoesOut walks the rules for commands and dead letters (README,
// Messages).
func TestWhatComesInAndWhatGoesOut(t *testing.T) {
	bulk := func(elements ...string) string {
		return `{"batchId": "b", "merchant": "eg-main", "payouts": [` + strings.Join(elements, ", ") + `]}`
	}
	element := func(tradeNo string) string {
		return fmt.Sprintf(`{"tradeNo": %q, "amount": "1", "payee": {"walletId": "0"}}`, tradeNo)
	}
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"tradeNo":"t%d"}`, i)
		}
		return `{"payouts":[` + strings.Join(list, ",") + `]}`
	}
	cases := []struct {
		name    string
		in      []string
		letters []string // code@offset/index
		states  map[string]int
		metrics map[string]float64
	}{
		{"empty", []string{""}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"not JSON", []string{"{"}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"not UTF-8", []string{"{\"tradeNo\":\"\xff\"}"}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"not an object", []string{`["a"]`}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"neither", []string{`{"amount": "1"}`}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"both", []string{`{"tradeNo": "a", "payouts": [` + element("b") + `]}`}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"no valid tradeNo", []string{command("a b", "1")}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"a name twice", []string{`{"tradeNo": "a", "amount": "1", "amount": "2", "payee": {}}`}, []string{"malformed@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"an element of a bulk", []string{bulk(element("a"), `{"tradeNo": ""}`, element("b"))}, []string{"malformed@0/1"}, map[string]int{"received": 2}, map[string]float64{"dead_letter": 1, "new": 2}},
		{"anything else wrong", []string{command("a", "-1")}, nil, map[string]int{"rejected": 1}, map[string]float64{"rejected": 1}},
		{"unknown merchant", []string{`{"tradeNo": "a", "merchant": "x", "amount": "1", "payee": {}}`}, nil, map[string]int{"received": 1}, map[string]float64{"new": 1}},
		{"unknown merchant, and wrong too", []string{`{"tradeNo": "a", "merchant": "x", "amount": "-1", "payee": {}}`}, nil, map[string]int{"rejected": 1}, map[string]float64{"rejected": 1}},
		{"the same again", []string{command("a", "300"), command("a", "300.00")}, nil, map[string]int{"received": 1}, map[string]float64{"new": 1, "duplicate": 1}},
		{"the same in one bulk", []string{bulk(element("a"), element("a"))}, nil, map[string]int{"received": 1}, map[string]float64{"new": 1, "duplicate": 1}},
		{"other content", []string{command("a", "300"), command("a", "301")}, []string{"conflict@1/-1"}, map[string]int{"received": 1}, map[string]float64{"new": 1, "conflict": 1}},
		{"other content, invalid", []string{command("a", "300"), command("a", "-3")}, []string{"conflict@1/-1"}, map[string]int{"received": 1}, map[string]float64{"new": 1, "conflict": 1}},
		{"other content in a bulk", []string{bulk(element("a"), strings.Replace(element("a"), `"1"`, `"2"`, 1), element("b"))}, []string{"conflict@0/1"}, map[string]int{"received": 2}, map[string]float64{"new": 2, "conflict": 1}},
		{"above 1 MiB", []string{command("a", strings.Repeat("1", 1<<20))}, []string{"too_large@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"above 10,000", []string{many(10_001)}, []string{"too_large@0/-1"}, nil, map[string]float64{"dead_letter": 1}},
		{"the others go on", []string{"", command("a", "1"), "{", command("b", "1")}, []string{"malformed@0/-1", "malformed@2/-1"}, map[string]int{"received": 2}, map[string]float64{"dead_letter": 2, "new": 2}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				m := newMemory(t)
				send(t, k, 0, c.in...)
				b := start(t, k, m)
				eventually(t, "all is read", func() bool { return m.mark(t).Position == int64(len(c.in)) })
				synctest.Wait() // it is counted after that
				if got := b.letters.list(); !slices.Equal(got, c.letters) {
					t.Errorf("dead letters %v, want %v", got, c.letters)
				}
				if got := fmt.Sprint(m.states(t)); got != fmt.Sprint(c.states) && len(c.states)+len(m.states(t)) > 0 {
					t.Errorf("states %v, want %v", got, c.states)
				}
				eventually(t, "it is counted", func() bool { return b.countedAll(c.metrics) })
				for _, outcome := range []string{"new", "duplicate", "conflict", "rejected", "dead_letter"} {
					if got := b.counted(outcome); got != c.metrics[outcome] {
						t.Errorf("%s %v, want %v", outcome, got, c.metrics[outcome])
					}
				}
			})
		})
	}
}

// During a rollout an instance doesn't know a merchant yet. It reads repeats of what another
// instance has taken in, with the merchant's currency filled in or not, and the other way round.
func TestARepeatIsOneAlsoToWhoDoesNotKnowTheMerchant(t *testing.T) {
	knows := func(command payout.Command) (payout.Command, string, string) {
		command.CurrencyFrom = payout.FromMerchant
		command.Currency = "KES"
		return command, "kenya", ""
	}
	unnamed := strings.Replace(command("a", "300"), "eg-main", "new-main", 1)
	named := strings.Replace(unnamed, `{`, `{"currency": "KES", `, 1)
	for name, c := range map[string]struct{ first, second string }{
		"unnamed": {unnamed, unnamed}, "named": {named, named}, "named, then not": {named, unnamed}, "unnamed, then named": {unnamed, named},
	} {
		for _, knower := range []int{0, 1} {
			t.Run(fmt.Sprint(name, ", known to number ", knower), func(t *testing.T) {
				inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
					m := newMemory(t)
					for i, text := range []string{c.first, c.second, strings.Replace(c.second, "300", "301", 1)} {
						send(t, k, 0, text)
						b := start(t, k, m, func(config *Config) {
							config.Currencies = []string{"EGP", "KES", "BRL"}
							if i == knower {
								config.Resolve = knows
							}
						})
						eventually(t, "all is read", func() bool { return m.mark(t).Position == int64(i+1) })
						want := map[bool]string{true: "new", false: "duplicate"}[i == 0]
						if i == 2 {
							want = "conflict"
						}
						eventually(t, "it is counted", func() bool { return b.countedAll(map[string]float64{want: 1}) })
						if got := len(b.letters.list()); got != map[string]int{"conflict": 1}[want] {
							t.Errorf("command %d: %v", i, b.letters.list())
						}
						b.stop()
					}
				})
			})
		}
	}
}

// What comes for a cancelled batch is never due to be sent, whatever its notBefore says. What is invalid is rejected as ever.
func TestWhatIsCancelledWaitsForAReview(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		later := strings.Replace(command("a", "300"), `{`, `{"batchId": "gone", "notBefore": "2120-01-01T00:00:00Z", `, 1)
		send(t, k, 0, later, command("b", "300"), strings.Replace(command("c", "0"), `{`, `{"batchId": "gone", `, 1))
		start(t, k, in, func(config *Config) {
			config.Cancelled = func(_, batchID, _ string) bool { return batchID == "gone" }
		})
		eventually(t, "all is read", func() bool { return in.added() == 3 })
		steps := ""
		in.mu.Lock()
		defer in.mu.Unlock()
		for _, e := range in.entries {
			steps += fmt.Sprintf(" %s:%v,%v", e.Payout.TradeNo, e.Payout.State, e.Payout.Step)
			if e.Payout.TradeNo == "a" && !e.Payout.Due.Equal(e.Payout.ReceivedAt) {
				t.Errorf("its review comes at %v", e.Payout.Due)
			}
		}
		if steps != " a:received,review b:received,send c:rejected,announce" {
			t.Error(steps)
		}
	})
}

// The journal is told of the actions that were read before anybody asked whether a batch is cancelled.
func TestTheJournalIsToldWhatTheIntakeHasRead(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		var read atomic.Int64
		read.Store(7)
		send(t, k, 0, command("a", "300"))
		start(t, k, in, func(config *Config) {
			config.Follows = read.Load
			config.Cancelled = func(_, _, _ string) bool { read.Store(8); return false }
		})
		eventually(t, "all is read", func() bool { return in.added() == 1 })
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.follows != 7 {
			t.Errorf("it is told of actions up to %d", in.follows)
		}
	})
}

// A merchant's own currency may be named or not: it is the same content, also to a journal
// that knows the other form. Of a merchant that takes any currency it is not.
func TestAMerchantsOwnCurrencyMayBeNamedOrNot(t *testing.T) {
	named := func(tradeNo, currency string) string {
		return strings.Replace(command(tradeNo, "300"), `{`, `{"currency": "`+currency+`", `, 1)
	}
	for name, c := range map[string]struct {
		from    payout.CurrencyFrom
		letters []string
		metrics map[string]float64
	}{
		"configured":    {payout.FromMerchant, []string{"conflict@3/-1"}, map[string]float64{"new": 2, "duplicate": 2, "conflict": 1}},
		"the country's": {payout.FromCountry, []string{"conflict@3/-1"}, map[string]float64{"new": 2, "duplicate": 2, "conflict": 1}},
		"any":           {payout.FromCommand, []string{"conflict@1/-1", "conflict@2/-1", "conflict@3/-1"}, map[string]float64{"new": 2, "conflict": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				m := newMemory(t)
				send(t, k, 0, command("a", "300"), named("a", "EGP"), named("a", "EGP"), strings.Replace(named("a", "EGP"), "300", "301", 1), named("b", "EGP"))
				b := start(t, k, m, func(config *Config) {
					config.Resolve = func(command payout.Command) (payout.Command, string, string) {
						if c.from == payout.FromCommand {
							return command, "egypt", ""
						}
						if command.CurrencyFrom = payout.FromMerchant; command.Currency == "" {
							command.CurrencyFrom = c.from
						}
						command.Currency = "EGP"
						return command, "egypt", ""
					}
				})
				eventually(t, "all is read", func() bool { return m.mark(t).Position == 5 })
				if got := b.letters.list(); !slices.Equal(got, c.letters) {
					t.Errorf("dead letters %v, want %v", got, c.letters)
				}
				eventually(t, "it is counted", func() bool { return b.countedAll(c.metrics) })
				for _, outcome := range []string{"new", "duplicate", "conflict"} {
					if got := b.counted(outcome); got != c.metrics[outcome] {
						t.Errorf("%s %v, want %v", outcome, got, c.metrics[outcome])
					}
				}
			})
		})
	}
}

func TestABulkOfTenThousandInOnePage(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		var list []string
		for i := range 6000 {
			list = append(list, fmt.Sprintf(`{"tradeNo":"t%d","amount":"1","payee":{"walletId":"0"}}`, i), `{"tradeNo":""}`)
		}
		send(t, k, 0, `{"merchant":"eg-main","payouts":[`+strings.Join(list[:8000], ",")+`]}`)
		b := start(t, k, m, func(c *Config) { c.MaxOpen = 100_000 })
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 1 })
		if m.states(t)["received"] != 4000 || len(b.letters.list()) != 4000 {
			t.Fatalf("%v, %d letters", m.states(t), len(b.letters.list()))
		}
		if safe := m.mark(t).Safe; safe != 0 {
			t.Fatalf("safe mark %d while the message's payouts are open", safe)
		}
	})
}

func TestADeadLetterIsWhatCame(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		bulk := `{"Payouts": "x", "payouts": [ {"tradeNo": "ok", "amount": "1", "payee": {}} , {"tradeNo":  "", "b":1} ], "merchant": "eg-main"}`
		k.Write(t, topic, 1, kafkatest.Record("key", bulk, kafka.Header{Key: "h", Value: []byte("v")}), kafkatest.Record("k2", "nonsense"))
		b := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(1) == 2 })
		if got := b.letters.list(); !slices.Equal(got, []string{"malformed@0/1", "malformed@1/-1"}) {
			t.Fatal(got)
		}
		one, two := b.letters.all[0], b.letters.all[1]
		if string(one.Value) != `{"merchant":"eg-main","tradeNo":  "", "b":1}` || string(one.Key) != "key" || len(one.Headers) != 1 || string(one.Headers[0].Value) != "v" {
			t.Errorf("%s %s %v", one.Key, one.Value, one.Headers)
		}
		if one.Topic != topic || one.Source != (payout.Source{Partition: 1, Offset: 0}) || one.Reason == "" {
			t.Errorf("%+v", one)
		}
		if string(two.Value) != "nonsense" || string(two.Key) != "k2" {
			t.Errorf("%s %s", two.Key, two.Value)
		}
	})
}

func TestTheCommandsTraceAndTimesComeAlong(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		r := kafkatest.Record("key", command("a", "1"), kafka.Header{Key: "traceparent", Value: []byte("00-1-2-01")}, kafka.Header{Key: "tracestate", Value: []byte(strings.Repeat("x", 513))})
		r.Time = at
		k.Write(t, topic, 0, r)
		start(t, k, in)
		eventually(t, "it is known", func() bool { return in.added() == 1 })
		e := in.entries[0]
		if e.Payout.Trace != (payout.Trace{Parent: "00-1-2-01"}) || !e.Payout.Source.Time.Equal(at) || e.Payout.Source.Partition != 0 || e.Payout.Source.Offset != 0 || e.Payout.Country != "egypt" {
			t.Fatalf("%+v", e)
		}
		if time.Since(e.Payout.ReceivedAt) > time.Minute {
			t.Fatal(e.Payout.ReceivedAt)
		}
	})
}

func TestAnUnknownOldCommandIsHeld(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		r := kafkatest.Record("key", command("a", "1"))
		r.Time = time.Now().Add(-721 * time.Hour)
		k.Write(t, topic, 0, r)
		start(t, k, m)
		eventually(t, "it is read", func() bool { return m.mark(t).Position == 1 })
		if got := m.states(t); got["held"] != 1 || len(got) != 1 {
			t.Fatal(got)
		}
	})
}

func TestDeadLettersAreAcknowledgedBeforeAnythingMoves(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, command("a", "1"), "{", command("b", "1"))
		tries := 0
		b := start(t, k, in, func(c *Config) {
			c.DeadLetters.(*letters).fail = func([]message.DeadLetter) error {
				if at := in.position(0); at != 0 || in.added() != 0 {
					t.Errorf("at %d, %d added before the dead letter was acknowledged", at, in.added())
				}
				if tries++; tries < 5 {
					return kafkatest.ErrTest
				}
				return nil
			}
		})
		eventually(t, "all is read", func() bool { return in.position(0) == 3 })
		if got := b.letters.list(); tries != 5 || !slices.Equal(got, []string{"malformed@1/-1"}) || in.added() != 2 {
			t.Fatal(tries, got, in.added())
		}
		if b.counted("dead_letter") != 1 || b.counted("new") != 2 {
			t.Error(b.counted("dead_letter"), b.counted("new"))
		}
	})
}

// A process that dies between the dead letter and the insert repeats the one and loses
// nothing.
func TestACrashBetweenDeadLetterAndInsert(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, "{", command("a", "1"))
		in.failing("insert 0 [0,2)", -1, kafkatest.ErrTest)
		b := start(t, k, in)
		eventually(t, "the letter is out", func() bool { return len(b.letters.list()) > 0 })
		b.stop()
		if in.position(0) > 0 || k.Committed(group, topic, 0) > 0 {
			t.Fatal(in.position(0), k.Committed(group, topic, 0))
		}
		in.failing("", 0, nil)
		again := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 2 })
		if got := again.letters.list(); !slices.Equal(got, []string{"malformed@0/-1"}) || in.added() != 1 {
			t.Fatal(got, in.added())
		}
	})
}

func TestConflictsArePublishedBeforeThePositionMoves(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, command("a", "1"), command("a", "2"), command("b", "1"), command("b", "2"))
		tries := 0
		b := start(t, k, m, func(c *Config) {
			c.DeadLetters.(*letters).fail = func([]message.DeadLetter) error {
				if at := m.mark(t).Position; at != 0 {
					t.Errorf("the position is %d before the conflict was acknowledged", at)
				}
				if tries++; tries < 4 {
					return kafkatest.ErrTest
				}
				return nil
			}
		})
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 4 })
		if got := b.letters.list(); !slices.Equal(got, []string{"conflict@1/-1", "conflict@3/-1"}) || m.states(t)["received"] != 2 {
			t.Fatal(got, m.states(t))
		}
		if b.counted("conflict") != 2 {
			t.Error(b.counted("conflict"))
		}
	})
}

// The keeper may open another epoch, on a Redis that was wiped, while a conflict waits
// for its dead letter. What the range held besides must be known there before the
// position moves over it.
func TestANewEpochWhileAConflictIsPublishedLosesNothing(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, command("a", "1"), command("a", "2"), command("b", "1"))
		var wiped atomic.Bool
		start(t, k, m, func(c *Config) {
			c.DeadLetters.(*letters).fail = func([]message.DeadLetter) error {
				if wiped.CompareAndSwap(false, true) {
					m.redis.FlushAll()
					m.epoch(t)
					if _, err := m.Position(context.Background(), 0, 0, false); err != nil {
						t.Error(err)
					}
				}
				return nil
			}
		})
		eventually(t, "all is read", func() bool { return wiped.Load() && m.mark(t).Position == 3 })
		if got := m.states(t); got["received"] != 2 {
			t.Fatalf("%v: the position passed commands that the new journal doesn't know", got)
		}
	})
}

func TestElementsAreCutAsTheyWereWritten(t *testing.T) {
	for _, c := range []struct {
		value string
		index int
		want  string
	}{
		{`{"payouts": [ {"a" : 1.0} , "x" ]}`, 0, `{"a" : 1.0}`},
		{`{"x": {"payouts": [1]}, "payouts": [2, 3]}`, 1, `3`},
		{`{"PAYOUTS": [1], "payouts": [2]}`, 0, `2`},
		{`{"payouts": [1]}`, 4, `{"payouts": [1]}`},
		{`{"payouts": [1]}`, -1, `{"payouts": [1]}`},
		{`nonsense`, 0, `nonsense`},
		{`{"payouts": [1`, 0, `{"payouts": [1`},
	} {
		m := &commandRecord{Record: &partition.Record{Value: []byte(c.value)}}
		if got := string(m.element(c.index)); got != c.want {
			t.Errorf("%s [%d]: %s", c.value, c.index, got)
		}
	}
}
