package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The Redis user of docs/operations.md may run whatever a script calls: one that is missing
// would stop every payout.
func TestTheRedisUserMayRunWhatTheScriptsCall(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "ACL SETUSER disburser")
	user, _, _ := strings.Cut(rest, "```")
	call := regexp.MustCompile(`\bcall\('([A-Z]+)'`)
	calls := 0
	for _, pattern := range []string{"../../journal/lua/*.lua", "../../ratelimit/lua/*.lua"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllStringSubmatch(string(script), -1) {
				calls++
				if !strings.Contains(user+" ", "+"+strings.ToLower(m[1])+" ") && !strings.Contains(user, "+"+strings.ToLower(m[1])+"\n") {
					t.Errorf("%s calls %s, which the user may not", filepath.Base(file), m[1])
				}
			}
		}
	}
	if calls < 50 {
		t.Errorf("only %d calls were found", calls)
	}
}
