// Package paypro promises two things. A request leaves at most once. A finding.Finding says no
// more about the outcome than the provider's answer proves.
//
// It never does the following:
//
//   - repeat a request: it follows no redirect and retries no failed call, because a repeated payout could pay twice;
//   - write a byte after the write deadline that its caller gave;
//   - report a request as not sent if a byte of it may have left;
//   - print payee data or a secret.
//
// A payout goes through these files:
//
//   - countries.go holds the data of each country, profile.go its types, settings.go what an operator can change;
//   - check.go checks a command against the rules of its country;
//   - request.go builds the request, sign.go signs it;
//   - client.go sends it over pool.go, the connection pool of one server;
//   - conn.go is one connection, and knows whether a byte of a request left;
//   - answer.go reads the answer, finding.go turns it into a finding.
//
// balance.go makes the third call of the provider, the balance query.
//
// The provider's pages are summarized in docs/paypro-api.md. Comments name the page that they
// follow, such as "mexico/balance".
package paypro
