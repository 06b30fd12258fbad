package books_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/internal/partition"
)

// Whatever stands in a topic, the books go on.
func FuzzDecoder(f *testing.F) {
	f.Add(0, `{"tradeNo":"T1","merchant":"m","amount":"1","payee":{"walletId":"1"},"batchId":"b","batchSize":2}`, "carried", "sending")
	f.Add(1, `{"eventId":"e","type":"payout.paid","tradeNo":"T1","amount":"1","batchId":"b\u0000"}`, "ce_time", "2026-11-25T06:00:00Z")
	f.Add(2, `{"kind":"send","shard":0,"epoch":{"id":"x"},"tradeNos":["T1","\u0000"],"merchant":"\ud800"}`, "", "")
	f.Add(3, `{"tradeNo":"T1","amount":"2","payee":{}}`, "error_code", "conflict")
	f.Fuzz(func(t *testing.T, topic int, value, header, text string) {
		topics := []books.Topic{books.Commands, books.Results, books.Decisions, books.DeadLetters}
		d := books.NewDecoder(topics[uint(topic)%4], 0, bookstest.Resolve, key)
		headers := []kafka.Header{
			{Key: "error", Value: []byte(text)}, {Key: header, Value: []byte(text)}, {Key: "source_partition", Value: []byte("0")}, {Key: "source_offset", Value: []byte("1")},
			{Key: "time", Value: []byte("2026-11-25T06:00:00Z")},
		}
		facts := d.Page([]partition.Record{{Time: bookstest.Start, Value: []byte(value), Headers: headers}})
		for _, l := range facts.Letters {
			if strings.ContainsAny(l.Reason+l.Topic+string(l.Code), "\x00") {
				t.Errorf("a zero byte: %+v", l)
			}
		}
		m := bookstest.NewMemory()
		page := books.Page{Topic: d.Topic, To: books.Progress{Next: 1}, Facts: facts}
		if err := books.Write(context.Background(), m, page, time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
		if have, want := m.Totals(), m.Recounted(); have != want {
			t.Errorf("%s\nbut counted anew\n%s", have, want)
		}
	})
}

// A decision to send says nothing behind the fence of a later epoch: nothing was sent by it.
func TestDecisionsThatAreVoid(t *testing.T) {
	record := func(text string) partition.Record {
		return partition.Record{Time: bookstest.Start, Value: []byte(text)}
	}
	d := books.NewDecoder(books.Decisions, 0, bookstest.Resolve, key)
	facts := d.Page([]partition.Record{
		record(`{"kind":"send","epoch":{"id":"one"},"tradeNos":["before-any-fence"]}`),
		record(`{"kind":"fence","epoch":{"id":"one"}}`),
		record(`{"kind":"fence","shard":1,"epoch":{"id":"other-shard"}}`),
		record(`{"kind":"send","epoch":{"id":"one"},"tradeNos":["valid","not a tradeNo"]}`),
		record(`{"kind":"fence","epoch":{"id":"two"}}`),
		record(`{"kind":"send","epoch":{"id":"one"},"tradeNos":["void"]}`),
		record(`{"kind":"send","epoch":{"id":"two"},"tradeNos":["again"]}`),
		record(`{"kind":"of a newer version","epoch":{"id":"two"},"tradeNos":["x"]}`),
		record(`no JSON`),
	})
	var sent []string
	for _, f := range facts.Payouts {
		sent = append(sent, f.TradeNo)
	}
	if strings.Join(sent, " ") != "before-any-fence valid again" || facts.Unread != 1 {
		t.Errorf("%v, %d unread", sent, facts.Unread)
	}
	if d.Fences[0] != "two" || d.Fences[1] != "other-shard" {
		t.Errorf("%v", d.Fences)
	}
}

func TestPayeesAreFoundInManySpellings(t *testing.T) {
	h := books.NewPayeeHash(key)
	if h.Of("Kevin  Smith ") != h.Of("kevin smith") || h.Of("01123456789") == h.Of("01123456780") || books.NewPayeeHash(bookstest.OtherKey).Of("1") == h.Of("1") {
		t.Error("the hash is wrong")
	}
}
