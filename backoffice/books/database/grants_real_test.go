//go:build real

package database

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
)

// The statements that we ship make two roles. The one for running starts once the owner has made the tables, does all that the books
// need, and is told what it lacks.
func TestPostgreSQLRoles(t *testing.T) {
	ctx := context.Background()
	owner := openPostgres(t)
	do := func(b *Books, statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := b.write.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	gone := []string{"DROP DATABASE IF EXISTS roles_of_books", "DROP ROLE IF EXISTS payout_books, payout_owner"}
	do(owner, append(gone, "CREATE DATABASE roles_of_books")...)
	t.Cleanup(func() { do(owner, gone...) })
	at := func(user string) string {
		u, err := url.Parse(os.Getenv("DISBURSER_POSTGRES"))
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/roles_of_books"
		if user != "" {
			u.User = url.User(user)
		}
		return u.String()
	}
	roles, err := os.ReadFile("../../../deployments/postgresql/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	super, err := connect(at(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = super.Close() })
	do(super, string(roles))

	refused := func(user, says string) {
		t.Helper()
		b, err := Open(ctx, at(user))
		if err == nil {
			_ = b.Close()
		}
		if !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), says) {
			t.Errorf("as %s: %v, want %q", user, err, says)
		}
	}
	opened := func(user string) *Books {
		t.Helper()
		b, err := Open(ctx, at(user))
		if err != nil {
			t.Fatalf("as %s: %v", user, err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	refused("payout_books", "run backoffice check --connect as their owner")
	opened("payout_owner")
	b := opened("payout_books")
	bookstest.Feed(t, rand.New(rand.NewPCG(5, 5)), bookstest.NewRun(rand.New(rand.NewPCG(5, 5)), 50, 2, true), b, payeeKey, nil)
	if _, err := b.Rebuild(ctx, books.Starts{}, true); err != nil {
		t.Error(err)
	}
	do(super, "REVOKE UPDATE ON payouts FROM payout_books")
	refused("payout_books", "its user lacks UPDATE on payouts: ")
}
