package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"disburser/message"
)

func TestNumbersAreForPeople(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 7: "7", 0.98765: "0.988", 12.345: "12.3", 1234.5: "1 234", 1_000_000: "1 000 000", -4567: "-4 567"} {
		if got := number(f); got != want {
			t.Errorf("%v is written %q, not %q", f, got, want)
		}
	}
}

func TestATableIsPlainWithoutATerminal(t *testing.T) {
	r := result{Head: []string{"", "a"}, Goals: []goal{atLeast("speed", 1, 2), atMost("cost", 1, 2)}}
	r.row("x", 1.5)
	var out bytes.Buffer
	r.print(&out, "title", false)
	if strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), "MISSED   speed: 1 (wanted ≥ 2)") || !strings.Contains(out.String(), "reached  cost") {
		t.Fatalf("%q", out.String())
	}
	if r.reached() {
		t.Fatal("a missed goal counts as reached")
	}
}

func TestPlotsAreXML(t *testing.T) {
	all := []series{{"a < b", []float64{1, 2, 30}}, {"c", []float64{0, 0, 0}}}
	for _, svg := range []string{bars("t & u", []string{"x", "y", "z"}, all), lines("t", seconds(3), all)} {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
	}
}

func TestCommandsAreValid(t *testing.T) {
	p := payouts{prefix: "B", notBefore: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	orders, err := message.Decode(p.value(42))
	if err != nil || orders[0].Invalid != "" || orders[0].Unreadable != nil {
		t.Fatalf("%v %+v", err, orders)
	}
	if c := orders[0].Command; len(c.TradeNo) != 20 || !c.NotBefore.Equal(p.notBefore) {
		t.Fatalf("%+v", c)
	}
}

func TestBusiestSecondSlides(t *testing.T) {
	begin := time.Unix(1000, 0)
	var times []time.Time
	for _, ms := range []int{0, 600, 900, 1100, 1599, 1600, 3000} {
		times = append(times, begin.Add(time.Duration(ms)*time.Millisecond))
	}
	if n := busiest(times, time.Second); n != 4 { // 600 … 1599
		t.Fatalf("%d in the busiest second, not 4", n)
	}
}

func TestRecoveryIsTheFirstFullSecond(t *testing.T) {
	healed := time.Unix(1000, 0)
	var times []time.Time
	for i := range 1000 {
		times = append(times, healed.Add(3*time.Second+time.Duration(i)*10*time.Millisecond))
	}
	if s := recovery(times, healed); s < 2.9 || s > 3.01 {
		t.Fatalf("full rate after %v s, not 3", s)
	}
}

func TestCommandStatisticsAreRead(t *testing.T) {
	line := "calls=12,usec=480,usec_per_call=40.00,rejected_calls=0"
	if calls, usec := statField(line, "calls"), statField(line, "usec"); calls != 12 || usec != 480 {
		t.Fatalf("calls %v, usec %v", calls, usec)
	}
	r := reading{Took: time.Second, Calls: map[string]float64{"get": 10, "set": 1}, Micros: map[string]float64{"get": 20, "set": 50}}
	if top := r.top(5); top != "set 1/s × 50 µs, get 10/s × 2 µs" {
		t.Fatal(top)
	}
}
