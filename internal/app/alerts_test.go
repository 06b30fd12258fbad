package app

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const alertsFile = "../../deployments/prometheus/alerts.yaml"

// rule is one alert as the file has it.
type rule struct {
	Alert       string
	Expr        string
	Labels      struct{ Severity string }
	Annotations struct {
		Summary    string
		RunbookURL string `yaml:"runbook_url"`
	}
}

func alertRules(t *testing.T) (all []rule) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 12 {
		t.Fatalf("only %d alerts", len(all))
	}
	return all
}

var metricName = regexp.MustCompile(`\b[a-z]+_[a-z_]+\b`)

// An alert about a metric that nobody writes would be silent for ever. That includes
// those of programs that we don't ship.
func TestAlertsNameMetricsThatExist(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{"group_left": true, "max_over_time": true, "min_over_time": true, "dead_letter": true, "not_sent": true, "unknown_status": true}
	for _, r := range alertRules(t) {
		metrics := 0
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			if words[name] {
				continue
			}
			metrics++
			if !strings.HasPrefix(name, "disburser_") && !strings.HasPrefix(name, "backoffice_") || !strings.Contains(code.String(), `"`+name+`"`) {
				t.Errorf("%s: nobody here writes %s", r.Alert, name)
			}
		}
		if metrics == 0 {
			t.Errorf("%s is about no metric", r.Alert)
		}
	}
}

// Whoever is woken by an alert wants to know how bad it is, what it is, and what to do.
func TestEveryAlertTellsWhatToDo(t *testing.T) {
	anchors := anchorsOf(t, "../../docs/operations.md")
	for _, r := range alertRules(t) {
		if r.Labels.Severity != "critical" && r.Labels.Severity != "warning" {
			t.Errorf("%s: its severity is %q", r.Alert, r.Labels.Severity)
		}
		if r.Annotations.Summary == "" {
			t.Errorf("%s has no summary", r.Alert)
		}
		page, anchor, _ := strings.Cut(r.Annotations.RunbookURL, "#")
		if page != "docs/operations.md" || !anchors[anchor] {
			t.Errorf("%s: %q is no heading of docs/operations.md", r.Alert, r.Annotations.RunbookURL)
		}
	}
}

// anchorsOf are the headings of a page, as links name them.
func anchorsOf(t *testing.T, page string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	anchors, code := map[string]bool{}, false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if title := strings.TrimLeft(line, "#"); title != line && !code {
			name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors[strings.ReplaceAll(name, " ", "-")] = true
		}
	}
	return anchors
}

// Each outage was recorded from the program itself; promtool says which alerts it raises,
// and that a quiet day raises none. Made anew by
//
//	go test ./internal/app -run TestAlertsFire -record
func TestAlertsFireOnRecordedOutages(t *testing.T) {
	fired := map[string]bool{}
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			file := filepath.Join("testdata", "alerts", o.name+".yaml")
			if *record && o.series == "" {
				if err := os.WriteFile(file, o.record(t), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			series := []byte(o.series)
			if o.series == "" {
				var err error
				if series, err = os.ReadFile(file); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range o.moments {
				for _, alert := range m.fire {
					fired[alert] = true
				}
			}
			if _, err := exec.LookPath("promtool"); err != nil {
				t.Skip("promtool is not installed (Debian: apt-get install prometheus): that the alerts fire is not proven here")
			}
			out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", o.rulesTest(t, series)).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	for _, r := range alertRules(t) {
		if !fired[r.Alert] {
			t.Errorf("no recording raises %s", r.Alert)
		}
	}
}
