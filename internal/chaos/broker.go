package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
)

// brokerLimit is how long a broker may take to start on a busy machine.
const brokerLimit = 90 * time.Second

// broker is a real Kafka with a listener for each instance, which tells clients the
// address of the instance's link instead of its own.
type broker struct {
	dir     string // of servers.sh
	script  string
	address string   // for ourselves: no link
	argv    []string // as servers.sh starts it
	process *harness.Process
	client  *kafka.Client
}

// newBroker has servers.sh fetch, format and start a broker, and takes it over.
func newBroker(ctx context.Context, root, dir string, links []*link) (*broker, error) {
	b := &broker{dir: dir, script: filepath.Join(root, "deployments/local/servers.sh")}
	if err := b.servers(ctx, "kafka-up"); err != nil {
		return b, err
	}
	port, err := os.ReadFile(filepath.Join(dir, "kafka/port"))
	if err != nil {
		return b, err
	}
	b.address = "127.0.0.1:" + strings.TrimSpace(string(port))
	b.client = &kafka.Client{Addr: kafka.TCP(b.address), Transport: &kafka.Transport{MetadataTTL: time.Second}}
	if err := b.takeOver(ctx); err != nil {
		return b, err
	}
	if err := b.addListeners(links); err != nil {
		return b, err
	}
	return b, b.start(ctx)
}

func (b *broker) servers(ctx context.Context, command string) error {
	c := exec.CommandContext(ctx, b.script, command)
	c.Env = append(os.Environ(), "DISBURSER_SERVERS_DIR="+b.dir, "KAFKA_PORT=auto", "PG_PORT=auto")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", b.script, command, err, out)
	}
	return nil
}

// takeOver learns the command line of the broker that servers.sh started, and ends it:
// from here on the broker is a child of ours.
func (b *broker) takeOver(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(b.dir, "kafka/pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return err
	}
	for arg := range bytes.SplitSeq(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		b.argv = append(b.argv, string(arg))
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	return harness.Until(ctx, 30*time.Second, "the broker of servers.sh ended", func() bool { return syscall.Kill(pid, 0) != nil })
}

func (b *broker) properties() string { return filepath.Join(b.dir, "kafka/server.properties") }

// readProperties reads a file of Kafka's.
func readProperties(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		settings[key] = value
	}
	return settings, err
}

func writeProperties(name string, settings map[string]string) error {
	var out strings.Builder
	for key, value := range settings {
		fmt.Fprintf(&out, "%s=%s\n", key, value)
	}
	return os.WriteFile(name, []byte(out.String()), 0o600)
}

// addListeners gives each link a listener of its own.
func (b *broker) addListeners(links []*link) error {
	settings, err := readProperties(b.properties())
	if err != nil {
		return err
	}
	for i, l := range links {
		port, err := harness.FreePort()
		if err != nil {
			return err
		}
		l.point(fmt.Sprintf("127.0.0.1:%d", port))
		settings["listeners"] += fmt.Sprintf(",SLOT%d://127.0.0.1:%d", i, port)
		settings["advertised.listeners"] += fmt.Sprintf(",SLOT%d://%s", i, l.address())
		settings["listener.security.protocol.map"] += fmt.Sprintf(",SLOT%d:PLAINTEXT", i)
	}
	settings["group.min.session.timeout.ms"] = "1000"
	return writeProperties(b.properties(), settings)
}

// start runs the broker on what it stored, and waits until it serves.
func (b *broker) start(ctx context.Context) (err error) {
	b.process, err = startBroker(ctx, "kafka", filepath.Join(b.dir, "kafka/chaos.log"), b.argv)
	return err
}

// startBroker runs a broker and waits until it serves.
func startBroker(ctx context.Context, name, log string, argv []string) (*harness.Process, error) {
	_ = os.Remove(log) // of the run before; the process that wrote it is dead
	p, err := harness.Start(name, log, argv...)
	if err != nil {
		return nil, err
	}
	err = harness.Until(ctx, brokerLimit, name+" has started", func() bool {
		text, _ := os.ReadFile(log)
		return bytes.Contains(text, []byte("Kafka Server started")) || !p.Running()
	})
	if err == nil && !p.Running() {
		err = fmt.Errorf("%s died while starting:\n%s", name, p.Tail())
	}
	return p, err
}

// close ends the broker and deletes what it stored.
func (b *broker) close() {
	b.process.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = b.servers(ctx, "wipe") // also where the start didn't get as far as taking it over
}
