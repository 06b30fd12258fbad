package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestTheCommandLine(t *testing.T) { clitest.Check(t, program()) }

func TestTokens(t *testing.T) {
	status, out, errs := clitest.Run(t, program(), "token")
	fields := strings.Fields(out)
	if status != cli.Done || errs != "" || len(fields) != 4 {
		t.Fatal(status, out, errs)
	}
	sum := sha256.Sum256([]byte(fields[1]))
	if len(fields[1]) < 40 || fields[3] != hex.EncodeToString(sum[:]) {
		t.Error(out)
	}
}

// The example file is good for the back office too, and no secret of the provider is needed.
func TestTheExampleFileIsGood(t *testing.T) {
	t.Setenv("PAYEE_KEY", "a key of thirty-two bytes or more")
	clitest.Lines(t, program(), clitest.Table{
		{Args: "check --config nowhere.yaml", Status: cli.Wrong, Says: "nowhere.yaml"},
	})
	status, out, errs := clitest.Run(t, program(), "check", "--config", "../../deployments/disburser.example.yaml")
	if status != cli.Done || !strings.Contains(out, "the configuration is good") || !strings.Contains(errs, "backoffice.users has nobody") {
		t.Error(status, out, errs)
	}
}

func TestMistakesOfTheConfigurationAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("kafka: {brokers: [localhost:9092]}\nmerchants: {a: {country: egpt}}\nbackoffice: {payee_key: k}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := clitest.Run(t, program(), "run", "--config", file)
	if status != cli.Wrong || !strings.Contains(errs, "did you mean egypt?") {
		t.Error(status, errs)
	}
}
