package journal

import (
	"embed"
	"regexp"
	"strings"
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

// The scripts are written so that these patterns are enough to read them. A text in Lua is a word of
// its own, so that nothing in it is taken for a name.
var (
	textOrComment = regexp.MustCompile(`'[^'\n]*'|"[^"\n]*"| *--[^\n]*`)
	textOrName    = regexp.MustCompile(`'[^'\n]*'|"[^"\n]*"|\b[A-Za-z_]\w*\b`)

	// constants is a line like local FROM, TO = 4, 15.
	constants = regexp.MustCompile(`(?m)^local ([A-Z_]+(?:, [A-Z_]+)*) = ((?:'[^'\n]*'|\d+)(?:, (?:'[^'\n]*'|\d+))*)\n`)

	// definition is a function at the top of a script, or a table or a name of a key.
	definition = regexp.MustCompile(`(?m)^local (?:function (\w+)\([^\n]*(?: end|(?:\n(?: [^\n]*)?)*\nend)|(\w+) = (?:\{\}|P \.\. '[^'\n]*'|nil))\n`)
)

func withoutComments(script string) string {
	return textOrComment.ReplaceAllStringFunc(script, func(word string) string {
		if strings.HasPrefix(strings.TrimLeft(word, " "), "--") {
			return ""
		}
		return word
	})
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
	return textOrName.ReplaceAllStringFunc(script, func(word string) string {
		if value, is := values[word]; is {
			return value
		}
		return word
	})
}

// withoutUnused drops definitions that nothing else in the script names, until there are none.
func withoutUnused(script string) string {
	for {
		uses := map[string]int{}
		for _, word := range textOrName.FindAllString(script, -1) {
			uses[word]++
		}
		shorter := definition.ReplaceAllStringFunc(script, func(text string) string {
			m := definition.FindStringSubmatch(text)
			name, own := m[1]+m[2], 0
			for _, word := range textOrName.FindAllString(text, -1) {
				if word == name {
					own++
				}
			}
			if uses[name] == own {
				return ""
			}
			return text
		})
		if shorter == script {
			return script
		}
		script = shorter
	}
}
