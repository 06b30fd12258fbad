package journal

import (
	"embed"
	"regexp"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// source joins a script with what it begins with. A call of a script makes all its functions and
// tables anew. So it is loaded without those that it doesn't use.
func source(name string) string {
	files := []string{"_layout"}
	if !unbelieving[name] {
		files = append(files, "_believe")
	}
	if deduping[name] {
		files = append(files, "_dedup")
	}
	if grouping[name] {
		files = append(files, "_records")
	}
	if acting[name] {
		files = append(files, "_act")
	}
	if restoring[name] {
		files = append(files, "_restore")
	}
	files = append(files, name)
	var s strings.Builder
	for _, file := range files {
		text, err := sources.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic("journal: the scripts are not embedded: " + err.Error())
		}
		s.Write(text)
	}
	return withoutUnused(withoutConstants(withoutComments(s.String())))
}

// scripts are all of them. Each is made when it is called first, and once in a process: all together would take
// a tenth of a second of each start.
var scripts = func() map[string]func() *redis.Script {
	all := map[string]func() *redis.Script{}
	for _, name := range Scripts {
		all[name] = sync.OnceValue(func() *redis.Script { return redis.NewScript(source(name)) })
	}
	return all
}()

// The scripts are written so that these patterns are enough to read them.
var (
	// constants is a line like local FROM, TO = 4, 15.
	constants = regexp.MustCompile(`(?m)^local ([A-Z_]+(?:, [A-Z_]+)*) = ((?:'[^'\n]*'|\d+)(?:, (?:'[^'\n]*'|\d+))*)\n`)

	// definition is a function at the top of a script, or a table or a name of a key.
	definition = regexp.MustCompile(`(?m)^local (?:function (\w+)\([^\n]*(?: end|(?:\n(?: [^\n]*)?)*\nend)|(\w+) = (?:\{\}|P \.\. '[^'\n]*'|nil))\n`)
)

// firstWord is the length of the first word of a script. That is a text, a comment, a name, a number, or else one
// character.
// A text in Lua is a word of its own, so that nothing in it is taken for a name.
func firstWord(script string) (end int) {
	isName := func(c byte) bool {
		return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	switch c := script[0]; {
	case c == '\'' || c == '"':
		if n := strings.IndexAny(script[1:], string(c)+"\n"); n >= 0 && script[1+n] == c {
			return n + 2
		}
	case strings.HasPrefix(script, "--"):
		line, _, _ := strings.Cut(script, "\n")
		return len(line)
	case isName(c):
		for end < len(script) && isName(script[end]) {
			end++
		}
		return end
	}
	return 1
}

func withoutComments(script string) string {
	var s strings.Builder
	for len(script) > 0 {
		text := script[:len(script)-len(strings.TrimLeft(script, " "))]
		if !strings.HasPrefix(script[len(text):], "--") {
			text = script[:max(len(text), firstWord(script))]
			s.WriteString(text)
		} else {
			text = script[:len(text)+firstWord(script[len(text):])]
		}
		script = script[len(text):]
	}
	return s.String()
}

// withoutConstants puts constants in the place of their names. Lua would make a cell for each that a
// function uses.
func withoutConstants(script string) string {
	values := map[string]string{}
	script = constants.ReplaceAllStringFunc(script, func(line string) string {
		m := constants.FindStringSubmatch(line)
		names, of := strings.Split(m[1], ", "), strings.Split(m[2], ", ")
		for i, name := range names {
			values[name] = of[i]
		}
		return ""
	})
	var s strings.Builder
	for len(script) > 0 {
		end := firstWord(script)
		if value, is := values[script[:end]]; is {
			s.WriteString(value)
		} else {
			s.WriteString(script[:end])
		}
		script = script[end:]
	}
	return s.String()
}

// uses counts the words of a part of a script.
func uses(part string) map[string]int {
	counts := map[string]int{}
	for len(part) > 0 {
		end := firstWord(part)
		counts[part[:end]]++
		part = part[end:]
	}
	return counts
}

// withoutUnused drops definitions that nothing else in the script names, until there are none.
func withoutUnused(script string) string {
	type defined struct {
		name, text string
		uses       map[string]int
	}
	var all []defined
	for _, at := range definition.FindAllStringSubmatchIndex(script, -1) {
		d := defined{text: script[at[0]:at[1]]}
		for i := 2; i < len(at); i += 2 {
			if at[i] >= 0 {
				d.name += script[at[i]:at[i+1]]
			}
		}
		d.uses = uses(d.text)
		all = append(all, d)
	}
	left := uses(script)
	for dropped := true; dropped; {
		dropped = false
		for i, d := range all {
			if d.text == "" || left[d.name] != d.uses[d.name] {
				continue
			}
			script = strings.Replace(script, d.text, "", 1)
			for name, n := range d.uses {
				left[name] -= n
			}
			all[i].text, dropped = "", true
		}
	}
	return script
}
