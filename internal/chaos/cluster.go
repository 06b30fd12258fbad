package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
)

// The first broker is the controller too: it can't be killed and replaced by others. So the partition of the
// actions is led by one of two more brokers, and the first one has the last copy.
const first = 1

var copies = []int{2, 3, first}

// cluster are the brokers that join the first one for a scenario.
type cluster struct {
	lead *broker
	all  map[int]*joined
}

// coordinates waits until the first broker has the topic in which groups keep their positions. It is made at first
// use, on any broker that there is, and no scenario may take it away.
func (b *broker) coordinates(ctx context.Context) error {
	return harness.Until(ctx, time.Minute, "the broker coordinates groups", func() bool {
		res, err := b.client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Addr: kafka.TCP(b.address), Key: "any", KeyType: kafka.CoordinatorKeyTypeConsumer})
		return err == nil && res.Error == nil
	})
}

// joined is a broker that can be killed.
type joined struct {
	name, dir string
	argv      []string
	process   *harness.Process
}

// joinBrokers starts the others.
func joinBrokers(ctx context.Context, lead *broker, dir string) (*cluster, error) {
	c := &cluster{lead: lead, all: map[int]*joined{}}
	for _, id := range copies {
		if id == first {
			continue
		}
		j := &joined{name: fmt.Sprintf("kafka-%d", id), dir: filepath.Join(dir, fmt.Sprintf("kafka-%d", id))}
		c.all[id] = j
		if err := c.prepare(ctx, id, j); err != nil {
			return c, err
		}
		if err := j.start(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

// prepare writes a broker's properties and formats its storage, with the tool of the first one.
func (c *cluster) prepare(ctx context.Context, id int, j *joined) error {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	settings, err := readProperties(c.lead.properties())
	if err != nil {
		return err
	}
	settings = maps.Clone(settings)
	settings["node.id"], settings["process.roles"], settings["log.dirs"] = strconv.Itoa(id), "broker", filepath.Join(j.dir, "data")
	var listeners []string
	for pair := range strings.SplitSeq(settings["advertised.listeners"], ",") {
		name, _, _ := strings.Cut(pair, "://")
		if name == "CONTROLLER" {
			continue
		}
		port, err := harness.FreePort()
		if err != nil {
			return err
		}
		listeners = append(listeners, fmt.Sprintf("%s://127.0.0.1:%d", name, port))
	}
	settings["listeners"] = strings.Join(listeners, ",")
	settings["advertised.listeners"] = settings["listeners"]
	file := filepath.Join(j.dir, "server.properties")
	if err := writeProperties(file, settings); err != nil {
		return err
	}
	meta, err := readProperties(filepath.Join(c.lead.dir, "kafka/data/meta.properties"))
	if err != nil {
		return err
	}
	last := len(c.lead.argv) - 1 // its file; before it the program
	java := c.lead.argv[: last-1 : last-1]
	j.argv = append(java, c.lead.argv[last-1], file)
	format := append(java, "kafka.tools.StorageTool", "format", "-t", meta["cluster.id"], "-c", file)
	if out, err := exec.CommandContext(ctx, format[0], format[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage of %s: %w\n%s", j.name, err, out)
	}
	return nil
}

func (j *joined) start(ctx context.Context) (err error) {
	j.process, err = startBroker(ctx, j.name, filepath.Join(j.dir, "log"), j.argv)
	return err
}

// close ends them, and waits until the first one has noticed: a client asks any broker that it is told of.
func (c *cluster) close() {
	if c == nil {
		return
	}
	for _, j := range c.all {
		j.process.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = harness.Until(ctx, time.Minute, "the first broker is alone", func() bool { // the next scenario would say so
		res, err := c.lead.client.Metadata(ctx, &kafka.MetadataRequest{Addr: kafka.TCP(c.lead.address)})
		return err == nil && len(res.Brokers) == 1
	})
}

// leader answers which broker leads a topic's only partition, and how many have its copies in sync; 0 where nobody leads.
func (c *cluster) leader(ctx context.Context, topic string) (id, inSync int) {
	res, err := c.lead.client.Metadata(ctx, &kafka.MetadataRequest{Addr: kafka.TCP(c.lead.address), Topics: []string{topic}})
	if err != nil || len(res.Topics) == 0 || len(res.Topics[0].Partitions) == 0 || res.Topics[0].Partitions[0].Error != nil {
		return 0, 0
	}
	p := res.Topics[0].Partitions[0]
	return p.Leader.ID, len(p.Isr)
}

// led waits until another broker leads, and answers which.
func (c *cluster) led(ctx context.Context, topic string, not int) (id int, err error) {
	err = harness.Until(ctx, time.Minute, "another broker leads "+topic, func() bool {
		id, _ = c.leader(ctx, topic)
		return id != 0 && id != not
	})
	return id, err
}

// whole waits until all copies are in sync again.
func (c *cluster) whole(ctx context.Context, topic string) error {
	return harness.Until(ctx, time.Minute, "all copies of "+topic+" are in sync", func() bool {
		_, inSync := c.leader(ctx, topic)
		return inSync == len(copies)
	})
}
