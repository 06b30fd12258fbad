package decisions

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/payout"
	"disburser/payout/epochs"
)

// A look that failed has seen nothing: what it should have read, the next one reads.
func TestALookThatFailedSeesTheFenceTheNextTime(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		write(t, k, 1, fenceOf("eight", 0))
		fault := k.Fail(kmsg.Fetch, topic, kerr.KafkaStorageError, -1)
		if err := l.Send(background, seventh.ID, some("a")); err == nil || errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		fault.Remove()
		if err := l.Send(background, seventh.ID, some("b")); !errors.Is(err, epochs.ErrOver) {
			t.Fatalf("decided behind the fence: %v", err)
		}
	})
}

// What was leased in one epoch is decided in no other: the look of that one would begin
// behind the fence that voids it.
func TestABatchIsDecidedInItsOwnEpochOnly(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		produced := count(k, kmsg.Produce)
		refused := func(all ...string) {
			t.Helper()
			for _, epoch := range all {
				for _, decide := range []func(context.Context, string, []payout.Payout) error{l.Send, l.Final} {
					if err := decide(background, epoch, some("a")); !errors.Is(err, epochs.ErrOver) {
						t.Errorf("of the epoch %q: %v", epoch, err)
					}
				}
			}
		}
		refused("six", "eight", "")
		l.leave()
		refused(seventh.ID, "")
		if n := produced.value(); n != 0 {
			t.Errorf("%d were written all the same", n)
		}
	})
}
