//go:build real

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// mostMiB is what an instance may take, whatever is packed in the topic.
const mostMiB = 200

// A small topic may unpack into a large one. What an instance takes is bounded all the
// same, also while the journal is full and nothing is taken in.
func TestMemoryIsBoundedByWhatIsUnpacked(t *testing.T) {
	if testing.Short() {
		t.Skip("a million commands")
	}
	for name, c := range map[string]struct {
		commands, each, partitions int
		ordinary                   bool
		maxOpen                    int
	}{
		"repetitive ones":                                {900_000, 450_000, 1, false, 0},
		"repetitive ones, a full journal":                {900_000, 450_000, 1, false, 5000},
		"repetitive ones, spread over twelve partitions": {900_000, 75_000, 12, false, 0},
		"ordinary ones":                                  {400_000, 40_000, 1, true, 0},
		"ordinary ones, a full journal":                  {400_000, 40_000, 1, true, 5000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, busy, busy)
			s.params.Rate, s.params.Burst = 5, 1
			s.createTopics(s.topics.Commands)
			s.commandsTopic(c.partitions, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "20000000"})
			random, bytes := rand.New(rand.NewPCG(1, 2)), 0
			for from := 0; from < c.commands; from += c.each {
				records := make([]kafka.Record, c.each)
				for i := range records {
					value := fmt.Appendf(nil, `{"tradeNo":"m%08d","merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"}}`, from+i)
					if c.ordinary {
						value = fmt.Appendf(nil, `{"tradeNo":"m%016x","merchant":"eg-main","amount":"%d","payee":{"customerName":"name %x","walletId":"011%08d"},"remark":"salary"}`,
							random.Uint64(), 1+random.IntN(9000), random.Uint32(), random.IntN(100_000_000))
					}
					bytes += len(value)
					records[i] = kafka.Record{Time: time.Now(), Value: kafka.NewBytes(value)}
				}
				res, err := s.client.Produce(t.Context(), &kafka.ProduceRequest{
					Topic: s.topics.Commands, Partition: from / c.each % c.partitions, RequiredAcks: kafka.RequireAll, Compression: compress.Zstd, Records: kafka.NewRecordReader(records...),
				})
				if err != nil || res.Error != nil {
					t.Fatal(err, res)
				}
			}
			config := s.writeConfig()
			if c.maxOpen > 0 {
				text, err := os.ReadFile(config)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(config, []byte(strings.Replace(string(text), "disburse: {", fmt.Sprintf("disburse: {max_open: %d, ", c.maxOpen), 1)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := s.startWith(config)
			p.ready(40 * time.Second)
			began := time.Now()
			if c.maxOpen > 0 {
				until(t, 60*time.Second, "the journal is full", func() bool { return strings.Contains(string(p.Printed()), "the journal is full") })
				time.Sleep(20 * time.Second)
			} else {
				until(t, 8*time.Minute, "all is read", func() bool {
					_, metrics := fetch(t, p.admin()+"/metrics")
					return sum(t, metrics, "disburser_intake_total", "outcome") == c.commands
				})
			}
			most := p.Memory("VmHWM") >> 20
			t.Logf("%d commands, %d MB unpacked: %d MiB at most, in %.0f s", c.commands, bytes/1_000_000, most, time.Since(began).Seconds())
			if most > mostMiB {
				t.Errorf("%d MiB, at most %d", most, mostMiB)
			}
		})
	}
}
