package journal

import (
	"regexp"
	"strings"
	"testing"
)

func TestAScriptIsLoadedWithWhatItUses(t *testing.T) {
	const script = `-- LAYOUT is a constant.
local LAYOUT, HEAD = '2', 132 -- 'both' are
local used = {}
local unused = {}
local function deep(a) return a .. "HEAD -- no comment" end
local function shallow()
  if used then
    return deep(HEAD + 1)
  end
end
local function other() return shallow() end
local function loop(n)

  return loop(n - 1)
end
local function version() return 'LAYOUT ' .. LAYOUT end
return version()
`
	const want = `local function version() return 'LAYOUT ' .. '2' end
return version()
`
	loaded := func(script string) string {
		return strings.TrimLeft(withoutUnused(withoutConstants(withoutComments(script))), "\n")
	}
	if got := loaded(script); got != want {
		t.Errorf("%s", got)
	}
	used := strings.Replace(script, "return version()", "return shallow()", 1)
	if got := loaded(used); !strings.Contains(got, "deep(132 + 1)") || !strings.Contains(got, `"HEAD -- no comment"`) || strings.Contains(got, "version") {
		t.Errorf("%s", got)
	}
}

// The patterns read all scripts: nothing is left of what they should find.
func TestTheScriptsAreRead(t *testing.T) {
	left := regexp.MustCompile(`^local [A-Z_, ]+ = ['\d][^.]*$|-- `)
	function := regexp.MustCompile(`^local function (\w+)`)
	for _, name := range Scripts {
		text := source(name)
		for line := range strings.Lines(text) {
			if left.MatchString(line) {
				t.Errorf("%s: this is left: %s", name, line)
			}
			if m := function.FindStringSubmatch(line); m != nil && len(regexp.MustCompile(`\b`+m[1]+`\b`).FindAllString(text, -1)) < 2 {
				t.Errorf("%s: it doesn't use %s", name, m[1])
			}
		}
	}
}
