// Package paypro promises to ask the provider exactly once what it was told to
// ask, and to claim no more about the outcome than the answer proves: it turns
// every answer, and every lack of one, into a finding.Finding.
//
// What it never does: repeat a request (no redirect is followed, a 307 would pay
// twice; what broke on the way is not tried again), write a byte after the moment its
// caller named, call something unsent that may have left, or print people's data or a
// secret.
//
// The way of one payout through the files: countries.go says what a country wants
// (the data, one place; profile.go its form, settings.go what an operator may
// change of it), check.go whether a command satisfies it, request.go and sign.go
// make the request, client.go hands it to wire.go, which keeps the connections to a
// server; conn.go is one of these, and proves whether a byte left; answer.go reads
// what came back, and finding.go holds the two tables that judge it. balance.go is
// the third call.
//
// The facts are the provider's pages, digested in docs/paypro-api.md; comments
// name the page ("mexico/balance") that they rest on.
package paypro
