package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// partitions of the commands topic.
const partitions = 6

// payouts are commands to be published: single ones, as a careful payroll writes them.
type payouts struct {
	prefix    string
	merchant  string    // eg-main if empty
	batch     string    // 2026-11-payroll if empty
	many      int       // if not 0: of so many merchants by turns
	notBefore time.Time // of all; none if zero
}

var (
	first = []string{"Amina", "Karim", "Nour", "Salma", "Hassan", "Mariam", "Youssef", "Laila"}
	last  = []string{"Farouk", "Hassan", "Mansour", "Nabil", "Saleh", "Ibrahim", "Fathy", "Zaki"}
)

// value is the command of number i: 20 characters of tradeNo, a usual payee.
func (p payouts) value(i int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	merchant := p.merchant
	if merchant == "" {
		merchant = "eg-main"
	}
	if p.many > 0 {
		merchant = manyName(i / partitions % p.many) // each partition has commands of all, by turns
	}
	batch := p.batch
	if batch == "" {
		batch = "2026-11-payroll"
	}
	when := ""
	if !p.notBefore.IsZero() {
		when = fmt.Sprintf(`,"notBefore":%q`, p.notBefore.UTC().Format(time.RFC3339))
	}
	return fmt.Appendf(nil, `{"tradeNo":%q,"merchant":%q,"amount":"%d","payee":{"customerName":"%s %s","walletId":"01%09d"},"remark":"salary 2026-11","batchId":%q%s}`,
		p.tradeNo(i), merchant, 100+r.IntN(9000), first[r.IntN(len(first))], last[r.IntN(len(last))], r.IntN(1_000_000_000), batch, when)
}

// tradeNo has 20 characters where the prefix has four at most.
func (p payouts) tradeNo(i int) string {
	return fmt.Sprintf("%s%0*d", p.prefix, 20-len(p.prefix), i)
}

// publish writes payouts from..to-1, spread over all partitions.
func (t *site) publish(ctx context.Context, p payouts, from, to int) error {
	const batch = 2000
	var group sync.WaitGroup
	errs := make(chan error, partitions)
	for number := range partitions {
		group.Go(func() {
			var records []kafka.Record
			flush := func() error {
				if len(records) == 0 {
					return nil
				}
				res, err := t.client.Produce(ctx, &kafka.ProduceRequest{
					Topic: t.topics.Commands, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
				})
				if err == nil {
					err = res.Error
				}
				records = records[:0]
				return err
			}
			for i := from + number; i < to; i += partitions {
				records = append(records, kafka.Record{Key: kafka.NewBytes([]byte(p.tradeNo(i))), Value: kafka.NewBytes(p.value(i))})
				if len(records) < batch {
					continue
				}
				if err := flush(); err != nil {
					errs <- err
					return
				}
			}
			if err := flush(); err != nil {
				errs <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return fmt.Errorf("publish commands: %w", err)
	default:
		return nil
	}
}
