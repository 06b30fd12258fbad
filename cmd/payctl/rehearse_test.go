package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/internal/rehearsal"
)

func TestARehearsal(t *testing.T) {
	config, file := site(t, strings.Replace(good, "200.00", "200", 1))
	status, out, errs := clitest.Run(t, program(), "rehearse", file, "--config", config, "--json", "--begins", "2026-12-24T09:00:00+02:00")
	var r rehearsal.Report
	if status != cli.Done || errs != "" || json.Unmarshal([]byte(out), &r) != nil {
		t.Fatalf("status %d, %s%s", status, out, errs)
	}
	if !r.Finished || r.Payouts != 2 || len(r.Merchants) != 1 || r.Merchants[0].Sends != 2 || r.Begins.Format("15:04 MST") != "07:00 UTC" {
		t.Errorf("%+v", r)
	}
	for _, value := range []string{"01123456789", "kevin", "nour"} {
		if strings.Contains(out, value) {
			t.Errorf("it shows %s", value)
		}
	}
	if all, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(all) != 2 {
		t.Errorf("files were written: %v", all)
	}
}

func TestARehearsalForPeople(t *testing.T) {
	config, file := site(t, strings.Replace(good, "200.00", "200", 1))
	status, out, _ := clitest.Run(t, program(), "rehearse", file, "--config", config, "--day", "bad", "--limit", "1s")
	for _, want := range []string{"2 payouts, rehearsed for a bad day", "nothing was sent", "It was not finished after 1s", "eg-main", "\nassumed:\n", "the provider is down for 3m0s"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if status != cli.Done {
		t.Errorf("status %d", status)
	}
}

func TestWhatCannotBeRehearsed(t *testing.T) {
	config, file := site(t, good)
	empty := filepath.Join(filepath.Dir(file), "empty.csv")
	if err := os.WriteFile(empty, []byte("tradeNo,amount,walletId,customerName\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clitest.Lines(t, program(), clitest.Table{
		{"rehearse " + file + " --config " + config, cli.Wrong, "has 1 problem: payctl check " + file},
		{"rehearse " + empty + " --config " + config, cli.Wrong, "has 1 problem: payctl check"},
		{"rehearse " + file + " --config " + config + " --instances 0", cli.Wrong, "--instances must be 1 to 16"},
		{"rehearse " + file + " --config " + config + " --limit 0s", cli.Wrong, "--limit must be above 0"},
		{"rehearse " + file + " --config " + config + " --day nice", cli.Wrong, "calm"},
		{"rehearse nowhere.csv --config " + config, cli.Wrong, "nowhere.csv"},
	})
}
