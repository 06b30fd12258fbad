//go:build real

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// SIGTERM at any moment of the start ends the program with status 0.
func TestSIGTERMAtEveryMomentOfTheStart(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.params.Drain = 3 * time.Second
	s.createTopics()
	config := s.writeConfig()
	moments := make(chan time.Duration)
	var group sync.WaitGroup
	for range 3 { // at a time: the machine may be small
		group.Go(func() {
			for at := range moments {
				s.termAt(config, at)
			}
		})
	}
	for at := time.Duration(0); at <= 2*time.Second; at += 50 * time.Millisecond {
		moments <- at
	}
	close(moments)
	group.Wait()
}

// termAt starts an instance and sends SIGTERM that much later.
func (s *site) termAt(config string, at time.Duration) {
	p := s.startWith(config)
	select {
	case <-time.After(at): // the moment is what is tested
	case <-p.Exited():
		s.t.Errorf("%s: exit status %d before any signal", at, p.Status())
		return
	}
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	status := p.wait(p.drain + 2*time.Second)
	if status == -1 && p.CPU() < 50*time.Millisecond && len(p.Printed()) == 0 {
		return // the kernel's signal came before Go's first instruction: nobody could have caught it
	}
	if status != 0 {
		s.t.Errorf("SIGTERM after %s: exit status %d in %s\n%s", at, status, time.Since(began), p.Tail())
	}
}

func TestAMissingTopicStopsTheStart(t *testing.T) {
	for _, which := range []string{"commands", "results", "decisions", "dead-letter", "actions"} {
		t.Run(which, func(t *testing.T) {
			s := newSite(t, perfect, perfect)
			missing := s.id + "." + which
			s.createTopics(missing)
			p := s.start()
			if status := p.wait(20 * time.Second); status != 2 {
				t.Errorf("exit status %d, want 2", status)
			}
			if !bytes.Contains(lastLine(p), []byte(missing)) {
				t.Errorf("the last line doesn't name %s: %s", missing, lastLine(p))
			}
		})
	}
}

func lastLine(p *process) []byte {
	lines := bytes.Split(bytes.TrimSpace(p.Printed()), []byte("\n"))
	return lines[len(lines)-1]
}

func TestARedisThatMayEvictStopsTheStart(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	r := redis.NewClient(&redis.Options{Addr: redisAt})
	defer r.Close()
	set := func(policy string) {
		if err := r.ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("allkeys-lru")
	defer set("noeviction")
	s.refused(s.start(), "maxmemory-policy", "noeviction")
}

// A replica is the primary of tomorrow.
func TestAReplicaThatMayEvictStopsTheStart(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	primary := startRedis(t)
	replica := startRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", primary.Port), "maxmemory-policy allkeys-lru")
	replica.follows()
	until(t, 20*time.Second, "the primary tells of its replica", func() bool { return primary.info("replication", "slave0") != "" })
	s.params.Redis, s.params.Password = []string{primary.Address()}, redisPassword
	s.refused(s.start(), replica.Address(), "maxmemory-policy", "noeviction")
}

// One address would be taken for a single server, which answers MOVED for ever.
func TestOneNodeOfAClusterStopsTheStart(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	s.params.Password = redisPassword
	s.params.Redis = []string{startRedis(t, "cluster-enabled yes", fmt.Sprintf("cluster-port %d", freePort(t))).Address()}
	s.refused(s.start(), "cluster", "redis.addresses")
}

func TestARedisThatForbidsInfoStopsTheStart(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	r := startRedis(t)
	s.params.Redis, s.params.Password = []string{r.Address()}, redisPassword
	r.do("acl", "setuser", "default", "-info")
	s.refused(s.start(), "+info")
}

// refused wants exit status 2, and a last line with these words.
func (s *site) refused(p *process, words ...string) {
	s.t.Helper()
	if status := p.wait(20 * time.Second); status != 2 {
		s.t.Errorf("exit status %d, want 2", status)
	}
	for _, word := range words {
		if line := string(lastLine(p)); !strings.Contains(line, word) {
			s.t.Errorf("the last line doesn't say %q: %s", word, line)
		}
	}
}

// Servers that are away when the program starts are waited for, and named; one that goes
// away later is waited for again.
func TestServersThatAreAway(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	kafkaDoor, redisDoor := newDoor(t, brokers), newDoor(t, redisAt)
	s.params.Kafka, s.params.Redis = kafkaDoor.address(), []string{redisDoor.address()}
	w := s.watch()
	p := s.start()
	if why := p.unready(10 * time.Second); !strings.Contains(why, "kafka") && why != "starting" {
		t.Errorf("Kafka is away, the reason is %q", why)
	}
	until(t, 20*time.Second, "the reason names Kafka", func() bool { return strings.Contains(p.unready(time.Second), "kafka") })
	kafkaDoor.open(true)
	until(t, 20*time.Second, "the reason names Redis", func() bool { return strings.Contains(p.unready(time.Second), "redis") })
	redisDoor.open(true)
	p.ready(20 * time.Second)

	redisDoor.open(false)
	if why := p.unready(20 * time.Second); !strings.Contains(why, "redis") && !strings.Contains(why, "epoch") {
		t.Errorf("Redis is away, the reason is %q", why)
	}
	s.publish([]string{fmt.Sprintf(`{"tradeNo": "%s-1", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`, s.id)})
	redisDoor.open(true)
	p.ready(30 * time.Second)
	until(t, 20*time.Second, "the payout of the meantime is settled", func() bool {
		finals, _ := w.Progress()
		return finals == 1
	})
	p.terminate()
}

// A stop while a server is away is a stop like any other.
func TestSIGTERMWhileServersAreAway(t *testing.T) {
	s := newSite(t, perfect, perfect)
	s.createTopics()
	door := newDoor(t, redisAt)
	s.params.Redis = []string{door.address()}
	door.open(true)
	p := s.start()
	p.ready(20 * time.Second)
	door.open(false)
	p.unready(20 * time.Second)
	p.terminate()
}

// door is a way to a server that can be shut.
type door struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	isOn  bool
	conns map[net.Conn]bool
}

// newDoor makes one that is shut.
func newDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{listener: l, to: to, conns: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.pass(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		d.open(false)
	})
	return d
}

func (d *door) address() string { return d.listener.Addr().String() }

// port is a stranger's way to spell it.
func (d *door) port() string {
	_, port, _ := net.SplitHostPort(d.address())
	return port
}

// lead makes the door one to another server, and open.
func (d *door) lead(to string) {
	d.mu.Lock()
	d.to = to
	d.mu.Unlock()
	d.open(true)
}

// open opens the door, or shuts it and cuts whoever is in it.
func (d *door) open(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isOn = on
	for c := range d.conns {
		_ = c.Close()
	}
	clear(d.conns)
}

func (d *door) pass(from net.Conn) {
	defer from.Close()
	d.mu.Lock()
	server := d.to
	d.mu.Unlock()
	to, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer to.Close()
	d.mu.Lock()
	on := d.isOn && d.to == server
	if on {
		d.conns[from], d.conns[to] = true, true
	}
	d.mu.Unlock()
	if !on {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}
