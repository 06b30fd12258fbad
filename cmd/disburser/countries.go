package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"disburser/message"
	"disburser/paypro"
)

// countries prints what a country wants of a command: one that is named, or all of them.
func countries(args []string) int {
	flags := flag.NewFlagSet("disburser countries", flag.ContinueOnError)
	asMarkdown := flags.Bool("markdown", false, "all of them, as docs/countries.md has them")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return done
	case err != nil:
		return wrong
	case flags.NArg() > 1 || flags.NArg() > 0 && *asMarkdown:
		fmt.Fprintln(os.Stderr, "disburser countries: give the name of one country, or nothing for all of them")
		return wrong
	case *asMarkdown:
		fmt.Print(markdown(paypro.Sheets()))
		return done
	}
	sheets := paypro.Sheets()
	if name := flags.Arg(0); name != "" {
		i := slices.IndexFunc(sheets, func(s paypro.Sheet) bool { return s.Name == name })
		if i < 0 {
			fmt.Fprintf(os.Stderr, "disburser countries: there is no country %q: known are %s\n", name, strings.Join(names(sheets), ", "))
			return wrong
		}
		sheets = sheets[i : i+1]
	}
	for i, s := range sheets {
		if i > 0 {
			fmt.Println()
		}
		fmt.Print(plain(s))
	}
	return done
}

func names(sheets []paypro.Sheet) []string {
	list := make([]string, len(sheets))
	for i, s := range sheets {
		list[i] = s.Name
	}
	return list
}

// anyPayee stands where no page names a field.
const anyPayee = "no page names the fields: whatever a command has is sent (name them in merchants.*.fields)"

// plain is a country's sheet for a terminal.
func plain(s paypro.Sheet) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", s.Name)
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, value string) { _, _ = fmt.Fprintf(w, "  %s\t%s\n", name, value) }
	row("currency", s.Currency)
	row("decimals", fmt.Sprint(s.Decimals))
	row("amount", s.Amount)
	for _, p := range s.Payee {
		row("payee."+p.Name, need(p)+": "+p.Rule)
	}
	if s.AnyPayee {
		row("payee", anyPayee)
	}
	row("remark", s.Remark)
	row("sign_in", s.SignIn)
	row("paths", strings.Join([]string{s.Paths.Send, s.Paths.Query, s.Paths.Balance}, "  "))
	row("sandbox", sandbox(s))
	row("accept_unverified", accept(s))
	_ = w.Flush()
	text.WriteString("  unverified:\n")
	for _, doubt := range s.Unverified {
		fmt.Fprintf(&text, "  - %s\n", doubt)
	}
	return text.String()
}

func need(p paypro.PayeeRule) string {
	if p.Required {
		return "required"
	}
	return "optional"
}

func sandbox(s paypro.Sheet) string {
	if s.Sandbox == "" {
		return "on no page"
	}
	return s.Sandbox
}

func accept(s paypro.Sheet) string {
	if s.Verified {
		return "not needed"
	}
	return "needed"
}

// markdown is docs/countries.md.
func markdown(sheets []paypro.Sheet) string {
	var text strings.Builder
	fmt.Fprintf(&text, `# What each country wants

Made by `+"`disburser countries --markdown`"+` from the data that commands are checked against; a test holds both equal. In a terminal:
`+"`disburser countries egypt`"+`.

Everywhere a payee field has at most %d characters, known or not. Fields that a country doesn't know are ignored and not sent. What the
provider told you otherwise goes into the merchant's `+"`fields`, `amount`, `paths`, `sign_in`"+`. There are no check digits and no rules across
fields: those are the provider's to check.

| Country | Currency | Decimals | Amount | Payee fields (optional ones in brackets) | `+"`accept_unverified`"+` |
|---|---|---|---|---|---|
`, message.MaxPayeeField)
	for _, s := range sheets {
		var fields []string
		for _, p := range s.Payee {
			if name := "`" + p.Name + "`"; p.Required {
				fields = append(fields, name)
			} else {
				fields = append(fields, "["+name+"]")
			}
		}
		if s.AnyPayee {
			fields = []string{"on no page"}
		}
		fmt.Fprintf(&text, "| [%s](#%s) | %s | %d | %s | %s | %s |\n", s.Name, s.Name, s.Currency, s.Decimals, s.Amount, strings.Join(fields, ", "), accept(s))
	}
	for _, s := range sheets {
		section(&text, s)
	}
	return text.String()
}

// section is a country's part of docs/countries.md.
func section(text *strings.Builder, s paypro.Sheet) {
	fmt.Fprintf(text, "\n## %s\n\n", s.Name)
	fmt.Fprintf(text, "- Currency: %s, %d decimals. Amount: %s.\n", s.Currency, s.Decimals, s.Amount)
	fmt.Fprintf(text, "- Remark: %s.\n", s.Remark)
	fmt.Fprintf(text, "- The sign goes into: %s. Paths: `%s`, `%s`, `%s`.\n", s.SignIn, s.Paths.Send, s.Paths.Query, s.Paths.Balance)
	fmt.Fprintf(text, "- Sandbox: %s.\n\n", sandbox(s))
	if s.AnyPayee {
		fmt.Fprintf(text, "Payee: %s.\n", anyPayee)
	} else {
		text.WriteString("| Payee field | | Rule |\n|---|---|---|\n")
		for _, p := range s.Payee {
			fmt.Fprintf(text, "| `%s` | %s | %s |\n", p.Name, need(p), p.Rule)
		}
	}
	text.WriteString("\nUnverified:\n\n")
	for _, doubt := range s.Unverified {
		fmt.Fprintf(text, "- %s\n", doubt)
	}
}
