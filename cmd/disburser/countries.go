package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"disburser/internal/cli"
	"disburser/message"
	"disburser/paypro"
)

// countries prints what a country wants of a command: one that is named, or all of them.
type countries struct {
	Country  string `arg:"" name:"country" optional:"" help:"The country, such as egypt. Without it: all of them."`
	Markdown bool   `name:"markdown" help:"All of them, as docs/countries.md has them."`
}

// Help is what the help text says beyond the flags.
func (*countries) Help() string {
	return "For each country: payee fields, amount, currency, decimals, and what is unverified. Known are " + strings.Join(names(paypro.Sheets()), ", ") + "."
}

func (*countries) Examples() []cli.Example {
	return []cli.Example{
		{Line: "disburser countries egypt"},
		{Line: "disburser countries --markdown", Does: "makes docs/countries.md"},
	}
}

func (c *countries) Run(s cli.Streams) error {
	sheets := paypro.Sheets()
	switch {
	case c.Markdown && c.Country != "":
		return cli.Usage(errors.New("give the name of one country or --markdown, not both"))
	case c.Markdown:
		fmt.Fprint(s.Out, markdown(sheets))
		return nil
	case c.Country != "":
		i := slices.IndexFunc(sheets, func(s paypro.Sheet) bool { return s.Name == c.Country })
		if i < 0 {
			return cli.Usage(fmt.Errorf("there is no country %q: known are %s", c.Country, strings.Join(names(sheets), ", ")))
		}
		sheets = sheets[i : i+1]
	}
	for i, sheet := range sheets {
		if i > 0 {
			fmt.Fprintln(s.Out)
		}
		fmt.Fprint(s.Out, plain(sheet))
	}
	return nil
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
