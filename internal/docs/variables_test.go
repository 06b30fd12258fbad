package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What servers.sh prints is what the sample files read: nobody has to translate.
func TestTheSamplesReadWhatTheServersPrint(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, body, _ := strings.Cut(read("deployments/local/servers.sh"), "print_env() {")
	body, _, _ = strings.Cut(body, "\n}")
	printed := regexp.MustCompile(`say "([A-Z_]+)=`).FindAllStringSubmatch(body, -1)
	if len(printed) != 2 {
		t.Fatalf("servers.sh env prints %q", printed)
	}
	for _, sample := range []string{"deployments/disburser.example.yaml", "README.md"} {
		text := read(sample)
		for _, name := range printed {
			if !strings.Contains(text, "${"+name[1]+":-") {
				t.Errorf("%s doesn't read %s", sample, name[1])
			}
		}
		if !strings.Contains(text, "disburser.yaml") {
			t.Errorf("%s doesn't say under which name to save it", sample)
		}
	}
}
