package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"disburser/paypro/paysim"
)

// TestMain lets the test binary be the command, so that signals and exit codes are
// those of a real process.
func TestMain(m *testing.M) {
	if os.Getenv("BE_PAYSIM") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestStartsAndStops(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := exec.Command(os.Args[0], "--listen", "127.0.0.1:0", "--merchant", "egypt:0000000001:s:/egy-pay", "--hang", "1")
		cmd.Env = append(os.Environ(), "BE_PAYSIM=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		url, found := strings.CutPrefix(strings.TrimSpace(line), "paysim: listening on ")
		if !found {
			t.Fatalf("it said %q", line)
		}
		get(t, url+"/healthz", "ok")
		get(t, url+"/ledger", `"entries":[]`)
		hang(t, url)
		began := time.Now()
		_ = cmd.Process.Signal(sig)
		if err := cmd.Wait(); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("%v: %v after %v", sig, err, time.Since(began))
		}
	}
}

// hang leaves a payout without an answer behind: it must not hold up the end.
func hang(t *testing.T, url string) {
	text := "amount=300customerName=knotifyUrl=uremark=rtimestamp=1728611780130tradeNo=twalletId=w"
	body := fmt.Sprintf(`{"amount":"300","customerName":"k","notifyUrl":"u","remark":"r","timestamp":"1728611780130","tradeNo":"t","walletId":"w","sign":"%x"}`,
		md5.Sum([]byte(text+"s")))
	request, _ := http.NewRequest(http.MethodPost, url+"/egy-pay/v1/paypro/payOut", strings.NewReader(body))
	request.Header.Set("merchantNo", "0000000001")
	ended := make(chan bool)
	go func() {
		defer close(ended)
		if r, err := http.DefaultClient.Do(request); err == nil {
			t.Errorf("the hanging payout was answered: %s", r.Status)
			r.Body.Close()
		}
	}()
	t.Cleanup(func() { <-ended })
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(fetch(t, url+"/ledger"), `"payout hung":1`); {
		if time.Now().After(deadline) {
			t.Fatal("the payout never arrived")
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

func get(t *testing.T, url, want string) {
	t.Helper()
	if body := fetch(t, url); !strings.Contains(body, want) {
		t.Errorf("%s: got %s", url, body)
	}
}

func TestWrongUsage(t *testing.T) {
	broken := write(t, `{"seeds": 1}`)
	for _, c := range []struct{ args, says string }{
		{"", "at least one merchant"},
		{"--nonsense", "nonsense"},
		{"--merchant egypt:1", "COUNTRY:MERCHANTNO:SECRET"},
		{"--merchant atlantis:1:s", "atlantis"},
		{"--merchant egypt:1:s extra", "extra"},
		{"--merchant egypt:1:s --failed 2", "failed must be between 0 and 1"},
		{"--merchant egypt:1:s --repeat often", "pay-again, refuse, replay"},
		{"--config /nowhere.json", "/nowhere.json"},
		{"--config " + broken, "seeds"},
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.Fields(c.args), &out, &errs); code != 2 || !strings.Contains(errs.String(), c.says) || out.Len() > 0 {
			t.Errorf("%s: got %d %q %q", c.args, code, errs.String(), out.String())
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"--help"}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Errorf("got %d %s", code, errs.String())
	}
	for _, part := range []string{"Examples:", "-lost-reply", "-settle-min", "-outer-5000", "south_korea"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing", part)
		}
	}
}

func TestListenFailure(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"--listen", "256.0.0.1:1", "--merchant", "egypt:1:s"}
	if code := run(context.Background(), args, &out, &errs); code != 1 || errs.Len() == 0 {
		t.Errorf("got %d", code)
	}
}

// Flags go before the file, and merchants of both are served.
func TestFileAndFlags(t *testing.T) {
	file := write(t, `{"seed": 7, "repeat": "replay", "behavior": {"failed": 0.1, "settleMin": "2s", "settleMax": "3s"},
		"merchants": [{"country": "kenya", "merchantNo": "3", "secret": "s", "behavior": {"refused": 1}}]}`)
	cfg, listen, err := configure(strings.Fields("--failed 0.2 --listen :0 --merchant egypt:1:s:/base --config " + file))
	if err != nil {
		t.Fatal(err)
	}
	b := cfg.Behavior
	if listen != ":0" || cfg.Seed != 7 || cfg.Repeat != paysim.Replay || b.Failed != 0.2 || b.SettleMin != 2*time.Second {
		t.Errorf("%q %+v", listen, cfg)
	}
	if len(cfg.Merchants) != 2 || cfg.Merchants[0].Behavior.Refused != 1 || cfg.Merchants[1].BasePath != "/base" {
		t.Errorf("%+v", cfg.Merchants)
	}
}

func write(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "sim.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
