package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

const (
	// staleness is that of the instances: the default.
	staleness = time.Second

	// onItsWay is how long a request may take to the provider's books.
	onItsWay = 500 * time.Millisecond
)

// said is a person's word that stands in Kafka.
type said struct {
	ID string    `json:"id"`
	by time.Time // when it was acknowledged, at the latest
}

// act has a person say something, by the shipped program. It answers as soon as Kafka has acknowledged it.
func (r *run) act(ctx context.Context, kind, about string, more ...string) (s said, err error) {
	args := append([]string{"act", kind, about, "--by", "chaos", "--reason", "a wrong file", "--json", "--config", r.slots[0].config}, more...)
	c := exec.CommandContext(ctx, r.disburser, args...)
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	if err != nil {
		var why []byte
		if exit, is := err.(*exec.ExitError); is { //nolint:errorlint // Output promises this very type
			why = exit.Stderr
		}
		return s, fmt.Errorf("act %s %s: %w: %s", kind, about, err, why)
	}
	s.by = time.Now()
	r.note("act "+kind, "%s", about)
	return s, nil
}
