package main

import (
	"bufio"
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
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

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	broken := write(t, `{"seeds": 1}`)
	clitest.Lines(t, program(), clitest.Table{
		{"", cli.Wrong, "at least one merchant"},
		{"--nonsense", cli.Wrong, "nonsense"},
		{"--merchant egypt:1", cli.Wrong, "--merchant: must be COUNTRY:MERCHANTNO:SECRET"},
		{"--merchant", cli.Wrong, "--merchant needs a value"},
		{"--merchant atlantis:1:s", cli.Wrong, "atlantis"},
		{"--merchant egypt:1:s extra", cli.Wrong, "unexpected argument extra"},
		{"--merchant egypt:1:s --failed 2", cli.Wrong, "paysim: failed must be between 0 and 1\nthe fates add up to 2"},
		{"--merchant egypt:1:s --failed much", cli.Wrong, "--failed"},
		{"--merchant egypt:1:s --lost-replay 1", cli.Wrong, `did you mean "--lost-reply"?`},
		{"--merchant egypt:1:s --repeat often", cli.Wrong, "pay-again, refuse, replay"},
		{"--config /nowhere.json", cli.Wrong, "/nowhere.json"},
		{"--config " + broken, cli.Wrong, "seeds"},
		{"--listen 256.0.0.1:1 --merchant egypt:1:s", cli.Failed, "paysim: listen"},
		{"--help", cli.Done, "south_korea"},
		{"-h", cli.Done, "--lost-reply=FRACTION"},
		{"-help", cli.Done, "--outer-5000=FRACTION"},
		{"--version", cli.Done, "paysim "},
	})
}

// A setting's flag has its name, with dashes.
func TestEverySettingHasAFlag(t *testing.T) {
	settings := reflect.TypeFor[paysim.Behavior]()
	for i := range settings.NumField() {
		f := settings.Field(i)
		name := f.Tag.Get("name")
		if strings.ReplaceAll(name, "-", "") != strings.ToLower(f.Name) || program().Groups[f.Tag.Get("group")] == "" {
			t.Errorf("%s has the flag --%s in the group %q", f.Name, name, f.Tag.Get("group"))
		}
		if err := program().Parse([]string{"--" + name + "=" + map[bool]string{true: "1s", false: "1"}[f.Type == reflect.TypeFor[time.Duration]()]}); err != nil && !strings.Contains(err.Error(), "must not be below") {
			t.Error(err)
		}
	}
}

// A secret in a wrong flag is not printed.
func TestAWrongMerchantIsNotRepeated(t *testing.T) {
	if _, out, errs := clitest.Run(t, program(), "--merchant", "hunter2:egypt"); strings.Contains(out+errs, "hunter2") {
		t.Error(out + errs)
	}
}

// Flags go before the file, and merchants of both are served.
func TestFileAndFlags(t *testing.T) {
	file := write(t, `{"seed": 7, "repeat": "replay", "behavior": {"failed": 0.1, "settleMin": "2s", "settleMax": "3s"},
		"merchants": [{"country": "kenya", "merchantNo": "3", "secret": "s", "behavior": {"refused": 1}}]}`)
	cfg, listen := configured(t, "--failed 0.2 --listen :0 --merchant egypt:1:s:/base --config "+file)
	b := cfg.Behavior
	if listen != ":0" || cfg.Seed != 7 || cfg.Repeat != paysim.Replay || b.Failed != 0.2 || b.SettleMin != 2*time.Second {
		t.Errorf("%q %+v", listen, cfg)
	}
	if len(cfg.Merchants) != 2 || cfg.Merchants[0].Behavior.Refused != 1 || cfg.Merchants[1].BasePath != "/base" {
		t.Errorf("%+v", cfg.Merchants)
	}
	// A flag goes before the file also where it says what is the default.
	cfg, listen = configured(t, "--seed 0 --repeat pay-again --failed 0 --merchant egypt:1:s,t:/a --merchant egypt:2:u --config "+file)
	if listen != "127.0.0.1:8090" || cfg.Seed != 0 || cfg.Repeat != paysim.PayAgain || cfg.Behavior.Failed != 0 || cfg.Behavior.SettleMax != 3*time.Second {
		t.Errorf("%q %+v", listen, cfg)
	}
	if len(cfg.Merchants) != 3 || cfg.Merchants[1].Secret != "s,t" || cfg.Merchants[2].MerchantNo != "2" {
		t.Errorf("%+v", cfg.Merchants)
	}
}

// configured is what the simulator would serve for a command line.
func configured(t *testing.T, args string) (paysim.Config, string) {
	t.Helper()
	var o options
	parser, err := kong.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	line, err := parser.Parse(strings.Fields(args))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := o.configure(line)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, o.Listen
}

func write(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "sim.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
