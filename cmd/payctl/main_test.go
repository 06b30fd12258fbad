package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/backoffice/files"
	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/internal/rehearsal"
)

// A rehearsal starts its program once more, and that is this one. So does a test that wants payctl as a process.
func TestMain(m *testing.M) {
	if os.Getenv(asItself) != "" {
		main()
	}
	if rehearsal.PlayIfAsked() {
		os.Exit(cli.Failed)
	}
	os.Exit(m.Run())
}

// asItself is a variable: with it this program is payctl.
const asItself = "DISBURSER_TEST_AS_PAYCTL"

// Secrets and servers are other people's: nobody has set their variables.
const configuration = `
kafka: {brokers: ["${NOBODY_SETS_IT}"]}
redis: {addresses: ["${NOBODY_SETS_IT}"]}
backoffice: {payee_key: "${NOBODY_SETS_IT}"}
merchants:
  eg-main: {country: egypt, base_url: "${NOBODY_SETS_IT}", merchant_no: "0000000001", secret: "${NOBODY_SETS_IT}", notify_url: https://example.com/n}
`

const good = "tradeNo,amount,walletId,customerName\nT1,300,01123456789,kevin\nT2,200.00,01123456780,nour\n"

// site is a folder with the configuration and a file of payouts.
func site(t *testing.T, payouts string) (config, file string) {
	t.Helper()
	dir := t.TempDir()
	config, file = filepath.Join(dir, "c.yaml"), filepath.Join(dir, "p.csv")
	for name, text := range map[string]string{config: configuration, file: payouts} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config, file
}

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	t.Setenv("PAYCTL_URL", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	config, file := site(t, strings.Replace(good, "200.00", "200", 1))
	clitest.Lines(t, program(), clitest.Table{
		{"", cli.Wrong, "Usage: payctl <command>"},
		{"check", cli.Wrong, `expected "<file>"`},
		{"check " + file, cli.Wrong, "nobody says where the back office is"},
		{"check --config " + config, cli.Wrong, `expected "<file>"`},
		{"check nowhere.csv --config " + config, cli.Wrong, "nowhere.csv"},
		{"check " + file + " --config nowhere.yaml", cli.Wrong, "nowhere.yaml"},
		{"check " + filepath.Dir(file) + " --config " + config, cli.Wrong, "is a folder: name a file in it"},
		{"check " + file + " --config " + config, cli.Done, "no problem; nothing was sent\n\nmerchant  currency  good payouts  sum  \neg-main   EGP       2             500  \n\n2 lines with payouts"},
	})
	if all, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(all) != 2 {
		t.Errorf("files were written: %v", all)
	}
}

func TestTheProblemsOfAFile(t *testing.T) {
	config, file := site(t, good)
	status, out, errs := clitest.Run(t, program(), "check", file, "--config", config)
	if status != cli.Wrong || errs != "" || !strings.Contains(out, file+":3: amount must be a whole number without a decimal point: write 200\n") || !strings.Contains(out, "1 problem on 1 line;") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	for _, value := range []string{"01123456780", "nour"} {
		if strings.Contains(out, value) {
			t.Errorf("%s shows", value)
		}
	}
	written, err := os.ReadFile(file + ".errors.csv")
	info, _ := os.Stat(file + ".errors.csv")
	if err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(string(written), "T2,200.00,01123456780,nour,amount must be") {
		t.Errorf("%s, %v", written, err)
	}
	if err := os.WriteFile(file+".errors.csv", []byte(strings.Replace(string(written), "200.00", "200", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := clitest.Run(t, program(), "check", file+".errors.csv", "--config", config); status != cli.Done {
		t.Errorf("the corrected file: %d %s", status, out)
	}
	status, out, _ = clitest.Run(t, program(), "check", file, "--config", config, "--json")
	var report files.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != cli.Wrong || report.Lines != 2 || len(report.Problems) != 1 || report.Problems[0].Column != "amount" || len(report.Digest) != 64 {
		t.Errorf("%d %s %v", status, out, err)
	}
	if !strings.HasPrefix(out, `{"lines":2,"problems":[{"line":3,"column":"amount","problem":"`) || !strings.Contains(out, `"totals":[{"merchant":"eg-main","currency":"EGP","count":1,"sum":"300"}],"digest":"`) {
		t.Errorf("the names have changed: %s", out)
	}
}

// JSON lines have no column to write to, and a file that is no table neither.
func TestOnlyTablesGetAFileWithErrors(t *testing.T) {
	for _, text := range []string{`{"tradeNo":"A"}`, "", "PK\x03\x04", "no,header,at,all\n1,2,3,4\n"} {
		config, file := site(t, text)
		status, out, errs := clitest.Run(t, program(), "check", file, "--config", config)
		if _, err := os.Stat(file + ".errors.csv"); err == nil || status != cli.Wrong || errs != "" {
			t.Errorf("%q: status %d, %s%s, %v", text, status, out, errs, err)
		}
	}
}
