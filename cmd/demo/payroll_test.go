package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"disburser/internal/trial"
	"disburser/message"
)

var update = flag.Bool("update", false, "write payroll/november.jsonl anew")

const november = "payroll/november.jsonl"

// The files are what the generator makes, so that nobody has to believe in 500 lines by hand.
func TestThePayrollIsTheGenerators(t *testing.T) {
	want := strings.Join(split(strings.Join(trial.Payroll("2026-11-", 11, 500), "\n")), "\n") + "\n"
	if *update {
		if err := os.WriteFile(november, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(november)
	if err != nil || string(have) != want {
		t.Fatalf("%s differs from the generator's (%v); write it anew with go test ./cmd/demo -update", november, err)
	}
}

func TestTheSampleHasSomethingOfEverything(t *testing.T) {
	lines, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	e := trial.Expect(lines)
	t.Logf("%d messages, %d payouts, %d duplicates, dead letters %v", len(lines), len(e.TradeNos), e.Duplicates, e.Codes)
	if len(e.TradeNos) < 450 || e.Duplicates == 0 || e.Codes[message.Malformed] == 0 || e.Codes[message.Conflict] == 0 {
		t.Error("something is missing")
	}
}
