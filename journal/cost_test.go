package journal

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// BenchmarkLife takes payouts through all that the journal sees of them, on a real redis-server
// (DISBURSER_REDIS), in groups of a few sizes. It reports what each costs Redis:
//
//	deployments/local/servers.sh with go test -run - -bench Life ./journal
func BenchmarkLife(b *testing.B) {
	address := os.Getenv("DISBURSER_REDIS")
	if address == "" {
		b.Skip("set DISBURSER_REDIS to measure a real redis-server")
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	for _, size := range []int{10, 40, 128} {
		for name, life := range lives {
			b.Run(fmt.Sprintf("%s, %d at once", name, size), func(b *testing.B) {
				ctx := context.Background()
				spent := map[string]time.Duration{}
				measured := func(name string, f func()) {
					before := serverTime(b, client)
					f()
					spent[name] += serverTime(b, client) - before
				}
				var j *Journal
				n := 0
				for b.Loop() {
					if n%100_000 == 0 {
						b.StopTimer()
						client.FlushAll(ctx)
						j = benchJournal(b, client)
						b.StartTimer()
					}
					life(b, j, n, size, measured)
					n += size
				}
				for name, took := range spent {
					b.ReportMetric(float64(took.Nanoseconds())/1000/float64(n), "redis-µs/"+strings.ReplaceAll(name, " ", "-"))
				}
			})
		}
	}
}

func benchJournal(b testing.TB, client *redis.Client) *Journal {
	ctx := context.Background()
	j := New(client, Options{Namespace: "bench", Window: 720 * time.Hour})
	if err := j.Build(ctx, "id", "", time.Minute); err != nil {
		b.Fatal(err)
	}
	if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: epochs.Epoch{Number: 1, ID: "id"}, Shards: 1}); err != nil {
		b.Fatal(err)
	}
	j.Believe("id")
	if _, err := j.Position(ctx, 0, 0, false); err != nil {
		b.Fatal(err)
	}
	return j
}

// insertLives takes in a batch, as an insert does.
func insertLives(b testing.TB, j *Journal, from, size int, measured func(string, func())) {
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	entries := make([]intake.Entry, size)
	for i := range entries {
		orders, err := message.Decode([]byte(fmt.Sprintf(`{"tradeNo":"20261121%012d","merchant":"eg-main","amount":"300","currency":"EGP","payee":{"customerName":"kevin small","walletId":"01123456789"},"remark":"salary 2026-11","batchId":"2026-11-payroll"}`, from+i)))
		must(err)
		entries[i].Payout = payout.Begin(orders[0].Command, "egypt", payout.Source{Offset: int64(from + i), Time: time.Now()}, "", time.Now().Add(-time.Second))
	}
	measured("insert", func() {
		_, _, err := j.Insert(context.Background(), intake.Range{From: int64(from), To: int64(from + size)}, entries)
		must(err)
	})
}

// oneLife is the life of a batch whose payouts are paid at the first ask.
func oneLife(b testing.TB, j *Journal, from, size int, measured func(string, func())) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	insertLives(b, j, from, size, measured)
	policy := payout.Policy{Poll: payout.Poll{First: time.Millisecond, Factor: 2, Max: time.Minute, GiveUp: time.Hour}}
	step := func(step payout.Step, merchant string, after func(p payout.Payout, now time.Time) leases.Change) {
		var batch leases.Leased
		measured("lease "+step.String(), func() {
			var err error
			batch, err = j.Lease(ctx, leases.Request{Step: step, Merchant: merchant, N: size, For: time.Minute})
			must(err)
			if len(batch.Payouts) != size {
				b.Fatalf("%d payouts for %v, not %d", len(batch.Payouts), step, size)
			}
		})
		changes := make([]leases.Change, size)
		for i, p := range batch.Payouts {
			changes[i] = after(p, batch.LatestJournalTime(time.Now()))
			changes[i].Token, changes[i].Epoch, changes[i].Before = batch.Token, batch.Epoch, p.State
		}
		measured("apply "+step.String(), func() {
			_, err := j.Apply(ctx, changes, nil)
			must(err)
		})
	}
	found := func(phase payout.Phase, f finding.Finding) func(p payout.Payout, now time.Time) leases.Change {
		return func(p payout.Payout, now time.Time) leases.Change {
			p, err := p.After(phase, f, now, policy)
			must(err)
			p.Due = now.Add(-time.Second) // due, whatever the clocks say
			return leases.Change{After: p}
		}
	}
	step(payout.StepSend, "eg-main", found(payout.OwnSend, finding.Finding{Kind: finding.Accepted, Status: "0015", StatusText: "processing", PlatformTradeNo: "2tjba3vz6wm6hx3l"}))
	step(payout.StepAsk, "eg-main", found(payout.Ask, finding.Finding{Kind: finding.Paid, Status: "0000", StatusText: "SUCCESS", PaidAmount: "300", SuccessTime: "2026-11-21 18:34:31"}))
	step(payout.StepAnnounce, "", func(p payout.Payout, _ time.Time) leases.Change { return leases.Change{After: p, Forget: true} })
}

// serverTime is what the server has used of its processor.
func serverTime(b *testing.B, client *redis.Client) time.Duration {
	info, err := client.Info(context.Background(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user_main_thread" || name == "used_cpu_sys_main_thread" {
			f, _ := strconv.ParseFloat(value, 64)
			sum += f
		}
	}
	return time.Duration(sum * float64(time.Second))
}

// lives are two lives of a payout that is paid at the first ask. It is leased for each step, or it is in
// hand from its send on, as at full speed. There a send is written only with no_record.then: resend.
var lives = map[string]func(b testing.TB, j *Journal, from, size int, measured func(string, func())){"leased": oneLife, "in hand": inHandLife}

// inHandLife is the life of a batch that stays in hand.
func inHandLife(b testing.TB, j *Journal, from, size int, measured func(string, func())) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	insertLives(b, j, from, size, measured)
	policy := payout.Policy{Poll: payout.Poll{First: time.Millisecond, Factor: 2, Max: time.Minute, GiveUp: time.Hour}}
	var batch leases.Leased
	measured("lease", func() {
		var err error
		batch, err = j.Lease(ctx, leases.Request{Step: payout.StepSend, Merchant: "eg-main", N: size, For: time.Minute})
		must(err)
		if len(batch.Payouts) != size {
			b.Fatalf("%d payouts, not %d", len(batch.Payouts), size)
		}
	})
	now := batch.LatestJournalTime(time.Now())
	write := func(name string, change func(p payout.Payout) leases.Change) {
		changes := make([]leases.Change, size)
		for i, p := range batch.Payouts {
			changes[i] = change(p)
			changes[i].Token, changes[i].Epoch, changes[i].Before = batch.Token, batch.Epoch, p.State
			batch.Payouts[i] = changes[i].After
		}
		measured(name, func() {
			written, err := j.Apply(ctx, changes, nil)
			must(err)
			for _, w := range written {
				if !w {
					b.Fatal("not written")
				}
			}
		})
	}
	write("apply send", func(p payout.Payout) leases.Change {
		p, err := p.After(payout.OwnSend, finding.Finding{Kind: finding.Accepted, Status: "0015", StatusText: "processing", PlatformTradeNo: "2tjba3vz6wm6hx3l"}, now, policy)
		must(err)
		return leases.Change{After: p, EndsAt: batch.EndsAt}
	})
	write("apply ask", func(p payout.Payout) leases.Change {
		p, err := p.After(payout.Ask, finding.Finding{Kind: finding.Paid, Status: "0000", StatusText: "SUCCESS", PaidAmount: "300", SuccessTime: "2026-11-21 18:34:31"}, now, policy)
		must(err)
		return leases.Change{After: p, EndsAt: batch.EndsAt}
	})
	write("forget", func(p payout.Payout) leases.Change { return leases.Change{After: p, Forget: true} })
}
