package journal

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
)

func TestACarriedCommandMovesTheOpenOffset(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		ctx := context.Background()
		p := order("a", "300") // at offset 3
		p.Due = time.Now().Add(time.Hour)
		insert(t, j, 4, p)
		old, err := j.Lingering(ctx, 0, 10)
		if err != nil || len(old) != 1 || old[0].TradeNo != "a" || old[0].Source.Offset != 3 || old[0].Source.Time.IsZero() {
			t.Fatalf("lingering %+v, %v", old, err)
		}
		p.Source = payout.Source{Offset: 7, Time: time.Now()}
		if _, _, err := j.Insert(ctx, intake.Range{From: 4, To: 8}, []intake.Entry{{Payout: p, Carried: payout.StateReceived}}); err != nil {
			t.Fatal(err)
		}
		m, err := j.Marks(ctx, []int{0})
		if err != nil || m[0].Safe != 7 {
			t.Fatalf("safe mark %+v, %v; want 7", m, err)
		}
		c, _ := j.Count(ctx, []int{0})
		if c.Open != 1 || c.States["eg"][payout.StateReceived] != 1 {
			t.Fatalf("census %+v", c)
		}
	})
}

func TestACarriedCommandOfAnUnknownPayoutIsAsItsHeaderSays(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		sent, fresh := order("sent", "300"), order("fresh", "300")
		entries := []intake.Entry{{Payout: sent, Carried: payout.StateSending}, {Payout: fresh, Carried: payout.StateReceived}}
		for i := range entries {
			entries[i].Payout.Source.Time = time.Now()
		}
		if _, _, err := j.Insert(context.Background(), intake.Range{To: 4}, entries); err != nil {
			t.Fatal(err)
		}
		if b := lease(t, j, payout.StepSend, "eg", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "fresh" {
			t.Fatalf("leased to be sent: %+v", b.Payouts)
		}
		b := lease(t, j, payout.StepAsk, "eg", 9)
		if len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "sent" || b.Payouts[0].Sends < 2 || b.Payouts[0].SendBy.IsZero() || b.Payouts[0].Remark != "salary" {
			t.Fatalf("leased to be asked: %+v", b.Payouts)
		}
	})
}

// Retention goes by the record's time, so the safe mark's age does too. It goes neither by when
// its command was read, nor by when the payout was first received.
func TestTheMarkIsAsOldAsItsRecord(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, 100*time.Hour)
		age := func(want time.Duration) {
			t.Helper()
			c, err := j.Count(context.Background(), []int{0})
			if got := time.Since(c.OldestIn[0]).Round(time.Minute); err != nil || got != want {
				t.Errorf("%v old, want %v (%v)", got, want, err)
			}
		}
		p := order("late", "300")
		p.Source.Time = time.Now().Add(-50 * time.Hour) // and read now
		insert(t, j, 4, p)
		age(50 * time.Hour)
		p.ReceivedAt = time.Now().Add(-50 * time.Hour)
		p.Source = payout.Source{Offset: 7, Time: time.Now().Add(-time.Hour)}
		if _, _, err := j.Insert(context.Background(), intake.Range{From: 4, To: 8}, []intake.Entry{{Payout: p, Carried: payout.StateReceived}}); err != nil {
			t.Fatal(err)
		}
		age(time.Hour)
	})
}
