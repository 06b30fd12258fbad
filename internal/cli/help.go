package cli

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Example is one line that a reader can type, and what it does.
type Example struct {
	Line, Does string
}

// help prints kong's help text of a program or command, then its examples and the exit
// statuses.
func (p Program) help(options kong.HelpOptions, c *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, c); err != nil {
		return err
	}
	node := c.Selected()
	if node == nil {
		node = c.Model.Node
	}
	if all := examples(node); len(all) > 0 {
		fmt.Fprint(c.Stdout, "\nExamples:\n")
		printExamples(c.Stdout, all)
	}
	fmt.Fprint(c.Stdout, "\nExit status:\n")
	for status, usual := range statuses {
		fmt.Fprintf(c.Stdout, "  %d  %s\n", status, cmp.Or(p.Statuses[status], usual))
	}
	return nil
}

// examples are those of a command, or else those of all its commands.
func examples(node *kong.Node) (all []Example) {
	if of, has := node.Target.Addr().Interface().(interface{ Examples() []Example }); has {
		return of.Examples()
	}
	for _, child := range node.Children {
		all = append(all, examples(child)...)
	}
	return all
}

func printExamples(w io.Writer, all []Example) {
	for _, e := range all {
		fmt.Fprintf(w, "  %s\n", e.Line)
		if e.Does != "" {
			fmt.Fprintf(w, "      %s\n", e.Does)
		}
	}
}

// formatValue is what a help text says about a flag: kong's words, and its default.
func formatValue(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	if v.HasDefault && v.Default != "" {
		text = strings.TrimSuffix(text, ".") + " (default: " + v.Default + ")."
	}
	return text
}

// stringsAsTheyAre takes the bytes of a text as they stand. Kong's own way is through JSON,
// which replaces what is not UTF-8, for instance in the name of a file.
var stringsAsTheyAre = kong.KindMapper(reflect.String, kong.MapperFunc(func(c *kong.DecodeContext, target reflect.Value) error {
	token, err := c.Scan.PopValue("text")
	if err == nil {
		target.SetString(fmt.Sprint(token.Value))
	}
	return err
}))
