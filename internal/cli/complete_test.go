package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"disburser/internal/cli"
)

// paying is a program with all that a shell completes.
type paying struct {
	Resolve struct {
		TradeNo string `arg:"" name:"tradeNo" help:"The payout."`
		As      string `name:"as" enum:"paid,failed" required:"" help:"How it ended."`
		Reason  string `name:"reason" help:"Why it's so."`
	} `cmd:"" name:"resolve" help:"Ends a payout."`
	Pause struct {
		Scope string `arg:"" name:"scope" help:"What is stopped."`
	} `cmd:"" name:"pause" help:"Stops sends."`
	Letters struct {
		List struct {
			Out string `name:"out" placeholder:"FILE" help:"Where to."`
		} `cmd:"" name:"list" help:"Lists them."`
		Show struct{} `cmd:"" name:"show" help:"Shows one."`
	} `cmd:"" name:"dead-letters" help:"What can't be a payout."`
	Check struct {
		File string `arg:"" name:"file" help:"A table."`
	} `cmd:"" name:"check" help:"Checks a file."`
}

// tab is a script that presses Tab behind words, and prints what is offered.
var tab = map[string]string{
	"bash": `source "$1"; shift; compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pay; printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `compdef() { :; }; compadd() { shift; local w; for w in "$@"; do [[ $w == ${words_typed[CURRENT]}* ]] && print -r -- "$w"; done }; _files() { print -l -- ${words_typed[CURRENT]}*(N); }
source "$1"; shift; words=("$@"); words_typed=("$@"); CURRENT=$#; _pay`,
	"fish": `source $argv[1]; complete -C (string join -- ' ' $argv[2..-1]) | string replace -r '\t.*' ''; true`,
}

// Each shell that is there completes commands, those below them, flags, values and files.
func TestShellsComplete(t *testing.T) {
	program := cli.Program{Name: "pay", About: "Pays.", Grammar: &paying{}}
	if _, err := program.Complete("tcsh"); err == nil {
		t.Error("tcsh is taken")
	}
	for shell, press := range tab {
		t.Run(shell, func(t *testing.T) {
			text, err := program.Complete(shell)
			if err != nil {
				t.Fatal(err)
			}
			at, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			dir := t.TempDir()
			script := filepath.Join(dir, "script")
			for name, text := range map[string]string{script: text, filepath.Join(dir, "payroll.csv"): ""} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for typed, want := range map[string]string{
				"re":                          "resolve",
				"resolve --a":                 "--as",
				"resolve --as ":               "failed paid",
				"resolve --as p":              "paid",
				"resolve --reason ":           "",
				"pause ":                      "batch: fleet merchant: payout:",
				"pause f":                     "fleet",
				"dead-letters ":               "list show",
				"dead-letters list -":         "--help --out --version",
				"check pay":                   "payroll.csv",
				"dead-letters list --out pay": "payroll.csv",
			} {
				args := []string{"-c", press}
				if shell != "fish" {
					args = append(args, "test")
				}
				args = append(args, script, "pay")
				run := exec.Command(at, append(args, strings.Split(typed, " ")...)...)
				run.Dir, run.Env = dir, append(os.Environ(), "HOME="+dir)
				out, err := run.CombinedOutput()
				got := strings.Fields(string(out))
				for i, word := range got { // fish offers -h too
					if word == "-h" {
						got = append(got[:i], got[i+1:]...)
						break
					}
				}
				if err != nil || !same(got, strings.Fields(want)) {
					t.Errorf("pay %s: %v %q, want %q", typed, err, got, want)
				}
			}
		})
	}
}

// same tells whether two lists hold the same, in any order.
func same(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	counts := map[string]int{}
	for i := range a {
		counts[a[i]]++
		counts[b[i]]--
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}
