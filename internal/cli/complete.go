package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completion is what a shell may complete, of one command.
type completion struct {
	path  string // the command's words; "" of the program itself
	words []complement
	files bool // its argument is a file
}

// complement is one word that a shell may add: a command, a flag or a value.
type complement struct {
	text, help string
	values     []string // of a flag that takes one of some
	file       bool     // of a flag that takes a file
	value      bool     // of a flag that takes something else
}

// scopes are what a scope of an action begins with.
var scopes = []string{"fleet", "merchant:", "batch:", "payout:"}

// Complete answers the script that completes the program's commands, flags and values in bash, zsh or fish. It follows from
// the grammar: what is added there is completed too.
func (p Program) Complete(shell string) (string, error) {
	k, err := p.parser(Streams{Out: io.Discard, Err: io.Discard}, func(int) {})
	if err != nil {
		return "", err
	}
	all := completions(k.Model.Node, "", commonFlags(k.Model.Node))
	write := map[string]func(string, []completion) string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	if write == nil {
		return "", Usage(fmt.Errorf("no completion for %s: there is bash, zsh and fish", shell))
	}
	return write(p.Name, all), nil
}

func commonFlags(root *kong.Node) (all []complement) {
	for _, f := range root.Flags {
		all = append(all, complement{text: "--" + f.Name, help: f.Help})
	}
	return all
}

// completions are those of a command and all below it.
func completions(node *kong.Node, path string, common []complement) []completion {
	own := completion{path: path, words: slices.Clone(common)}
	var below []completion
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		own.words = append(own.words, complement{text: child.Name, help: child.Help})
		below = append(below, completions(child, strings.TrimSpace(path+" "+child.Name), common)...)
	}
	for _, f := range node.Flags {
		c := complement{text: "--" + f.Name, help: f.Help, value: !f.IsBool(), values: valuesOf(f.Value), file: strings.Contains(f.PlaceHolder, "FILE")}
		if !f.Hidden && !slices.ContainsFunc(common, func(other complement) bool { return other.text == c.text }) {
			own.words = append(own.words, c)
		}
	}
	for _, arg := range node.Positional {
		values := valuesOf(arg)
		if arg.Name == "scope" {
			values = scopes
		}
		for _, value := range values {
			own.words = append(own.words, complement{text: value})
		}
		own.files = own.files || arg.Name == "file"
	}
	return append([]completion{own}, below...)
}

// valuesOf are those of which a flag or an argument takes one.
func valuesOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}

// branches writes a case of the shell for each command: which words there are, and what comes behind a flag.
func branches(all []completion) string {
	var out strings.Builder
	for _, c := range all {
		var words, flags []string
		fmt.Fprintf(&out, "\t%q)\n\t\tcase $before in\n", c.path)
		for _, w := range c.words {
			if strings.HasPrefix(w.text, "-") {
				flags = append(flags, w.text)
			} else {
				words = append(words, w.text)
			}
			switch {
			case len(w.values) > 0:
				fmt.Fprintf(&out, "\t\t%s) words=%q ;;\n", w.text, strings.Join(w.values, " "))
			case w.file:
				fmt.Fprintf(&out, "\t\t%s) files=1 ;;\n", w.text)
			case w.value:
				fmt.Fprintf(&out, "\t\t%s) ;;\n", w.text)
			}
		}
		fmt.Fprintf(&out, "\t\t*) words=%q flags=%q files=%s ;;\n\t\tesac ;;\n", strings.Join(words, " "), strings.Join(flags, " "), map[bool]string{true: "1"}[c.files])
	}
	return out.String()
}

// paths are the commands, for a case of the shell.
func paths(all []completion) string {
	var some []string
	for _, c := range all[1:] {
		some = append(some, fmt.Sprintf("%q", c.path))
	}
	return strings.Join(some, "|")
}

// bash writes the script of bash. A colon ends a word there, so a scope is completed up to it.
func bash(name string, all []completion) string {
	return fmt.Sprintf(`# bash completion of %[1]s: source it, or put it into ~/.local/share/bash-completion/completions/%[1]s
_%[1]s() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command="" words="" flags="" files="" i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "${command:+$command }${COMP_WORDS[i]}" in
		%[2]s) command="${command:+$command }${COMP_WORDS[i]}" ;;
		esac
	done
	[[ $current == "=" ]] && current=""
	[[ $before == "=" ]] && before=${COMP_WORDS[COMP_CWORD-2]}
	case "$command" in
%[3]s	esac
	[[ $current == -* || ! $words$files ]] && words=$flags
	local IFS=$'\n'
	[[ $words ]] && COMPREPLY=($(compgen -W "${words// /$'\n'}" -- "$current"))
	[[ $files && $current != -* ]] && COMPREPLY+=($(compgen -f -- "$current")) && compopt -o filenames
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
	return 0
}
complete -F _%[1]s %[1]s
`, name, paths(all), branches(all))
}

// zsh writes the script of zsh.
func zsh(name string, all []completion) string {
	return fmt.Sprintf(`#compdef %[1]s
# zsh completion of %[1]s: put it as _%[1]s into a folder of $fpath, or source it after compinit
_%[1]s() {
	local current=${words[CURRENT]} before=${words[CURRENT-1]} command="" flags="" files="" i
	local -a typed=("${words[@]}")
	local words=""
	for ((i = 2; i < CURRENT; i++)); do
		case "${command:+$command }${typed[i]}" in
		%[2]s) command="${command:+$command }${typed[i]}" ;;
		esac
	done
	case "$command" in
%[3]s	esac
	[[ $current == -* || -z $words$files ]] && words=$flags
	[[ -n $words ]] && compadd -- ${(s: :)words}
	[[ -n $files ]] && _files
	return 0
}
if [[ $funcstack[1] == _%[1]s ]]; then _%[1]s "$@"; else compdef _%[1]s %[1]s; fi
`, name, paths(all), branches(all))
}

// fish writes the script of fish. It shows the help of each word.
func fish(name string, all []completion) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# fish completion of %[1]s: put it into ~/.config/fish/completions/%[1]s.fish\ncomplete -c %[1]s -f\n", name)
	for _, c := range all {
		condition := "__fish_use_subcommand"
		if c.path != "" {
			var seen []string
			for _, word := range strings.Fields(c.path) {
				seen = append(seen, "__fish_seen_subcommand_from "+word)
			}
			condition = strings.Join(seen, "; and ")
		}
		for _, w := range c.words {
			line := fmt.Sprintf("complete -c %s -n %s", name, quoted(condition))
			if flag, is := strings.CutPrefix(w.text, "--"); is {
				line += " -l " + flag
			} else {
				line += " -a " + quoted(w.text)
			}
			switch {
			case len(w.values) > 0:
				line += " -x -a " + quoted(strings.Join(w.values, " "))
			case w.file:
				line += " -r -F"
			case w.value:
				line += " -x"
			}
			if w.help != "" {
				line += " -d " + quoted(w.help)
			}
			out.WriteString(line + "\n")
		}
		if c.files {
			fmt.Fprintf(&out, "complete -c %s -n %s -F\n", name, quoted(condition))
		}
	}
	return out.String()
}

// quoted is a text as fish takes it.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
