package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/backoffice/books/bookstest"
	"disburser/internal/cli"
)

// posted is a payment of a statement.
type posted struct{ tradeNo, amount string }

// inFormats are the same payments as a table, as camt.053 and as MT940.
func inFormats(all []posted) map[string]string {
	table, camt := "Order;Amount;Ccy\n", `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>`
	mt940 := ":20:MADEFORTESTS\n:25:0000000001\n:28C:1/1\n:60F:C261124EGP100000,00\n"
	for _, p := range all {
		table += fmt.Sprintf("%s;%s;EGP\n", p.tradeNo, p.amount)
		camt += fmt.Sprintf(`<Ntry><Amt Ccy="EGP">%s</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls><TxDtls><Refs><EndToEndId>%s</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>`, p.amount, p.tradeNo)
		whole, fraction, _ := strings.Cut(p.amount, ".")
		mt940 += fmt.Sprintf(":61:2611251125D%s,%sNTRFNONREF\n:86:/EREF/%s/REMI/SALARY\n", whole, fraction, p.tradeNo)
	}
	return map[string]string{"table": table, "camt053": camt + "</Stmt></BkToCstmrStmt></Document>", "mt940": mt940 + ":62F:C261126EGP1,00\n"}
}

// Whatever the statement is written in, reconcile finds the same, byte by byte.
func TestReconcileFindsTheSameInEveryFormat(t *testing.T) {
	onBooks(t, bookstest.NewRun(rand.New(rand.NewPCG(7, 7)), 30, 1, false))
	all := []posted{{"N-stranger", "1"}}
	for i := 1; i < 30; i += 3 { // those of batch-1
		p := posted{bookstest.Command(i, 30).TradeNo, bookstest.Command(i, 30).Amount.String()}
		switch i {
		case 1: // it is missing
		case 4:
			all = append(all, p, p)
		case 7:
			all = append(all, posted{p.tradeNo, "1.5"})
		default:
			all = append(all, p)
		}
	}
	first := ""
	for format, text := range inFormats(all) {
		name := filepath.Join(t.TempDir(), format)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"reconcile", "--json", "--batch", "batch-1", "--statement", name, "--format", format}
		if format == "table" {
			args = append(args, "--columns", "tradeNo=Order,amount=Amount,currency=Ccy")
		}
		status, out := run(t, args...)
		if first == "" {
			first = out
		}
		if status != cli.Failed || out != first || strings.Count(out, `"class":`) != 4 || !strings.HasPrefix(out, `{"matched":7,`) {
			t.Errorf("%s: status %d, %s\nbefore %s", format, status, out, first)
		}
	}
}
