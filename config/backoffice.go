package config

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"disburser/payout/secrets"
)

// Backoffice is the section of the program of that name. The service doesn't look at it.
type Backoffice struct {
	// The default can be reached from the same machine only: tokens travel in clear.
	Listen string `key:"listen" default:"127.0.0.1:8088" format:"listen address" about:"address of the API, /healthz, /readyz and /metrics; put TLS in front of it for other machines"`

	Database secrets.Secret `key:"database" default:"sqlite:books.db" secret:"true" about:"where the books are: sqlite:FILE for one instance (sqlite:books.db without the key), postgres://… for several"`

	PayeeKey secrets.Secret `key:"payee_key" required:"true" secret:"true" about:"for keyed hashes of payee fields and encrypted fingerprints, 32 bytes or more; with another key nobody finds what was read before: rebuild"`

	// 400d: a year's payroll can be compared with the one before.
	Keep time.Duration `key:"keep" default:"400d" min:"1d" about:"how long the books keep payouts that have ended; counts and sums of batches stay"`

	Disbursers []string `key:"disbursers" format:"base URLs" about:"admin addresses of the service, such as http://10.0.0.5:8080, for what happens next to a payout; empty: it isn't told"`

	Users Users `key:"users" about:"who may use the API: name, token_sha256, and roles of viewer, operator, approver; backoffice token makes a token"`
}

// Users are those who may use the API.
type Users []User

// User is one of them.
type User struct {
	Name   string   `key:"name" required:"true" about:"stands in everything that is done with the token"`
	SHA256 string   `key:"token_sha256" required:"true" about:"of the token, in hexadecimal"`
	Roles  []string `key:"roles" required:"true" about:"viewer reads, operator acts, approver confirms"`
}

// The roles of users.
const (
	Viewer   = "viewer"
	Operator = "operator"
	Approver = "approver"
)

// readKey reads a list of users.
func (u *Users) readKey(r *reader, v value) {
	if v.node.Kind != yaml.SequenceNode {
		r.wrong(v, "must be a list of users, is %s", kindOf(v.node))
		return
	}
	for i, node := range v.node.Content {
		var one User
		child := value{node: node, name: v.name, path: fmt.Sprintf("%s[%d]", v.path, i), line: node.Line}
		r.read(child, func(v value) { r.section(v, reflect.ValueOf(&one).Elem()) })
		*u = append(*u, one)
	}
}

// LoadForBackoffice reads of the file at path what the back office needs: kafka, actions, admin, log and its own section. Of redis
// these are the number of shards and the deduplication window, and of the merchants what their commands must fulfil. It expands no other variable. So it
// needs none of the provider's secrets. Its errors and warnings are those of Load.
func LoadForBackoffice(path string, rules Rules) (Config, []string, error) {
	c := Default()
	var warnings []string
	check := func(r *reader) {
		r.checkSessionTimeout(c.Kafka)
		r.checkTopicsDiffer(c.Kafka.Topics)
		r.checkTLS(c.Kafka.TLS)
		r.checkSASL(c.Kafka)
		r.checkActions(c.Actions)
		r.checkCommands(c.Merchants)
		r.checkBackoffice(c.Backoffice)
		r.warnings.sort()
		warnings = r.warnings.lines()
	}
	if err := loadOnly(path, rules, func(k key) bool { return k.commands || k.backoffice }, &c, check); err != nil {
		return Config{}, warnings, err
	}
	return c, warnings, nil
}

// notOfTheService are keys of other programs' sections.
func notOfTheService(k key) bool { return k.name == "backoffice" }

var sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (r *reader) checkBackoffice(b Backoffice) {
	database := b.Database.Reveal()
	r.must(strings.HasPrefix(database, "sqlite:") && len(database) > len("sqlite:") || strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://"),
		"backoffice.database", "must be sqlite:FILE or postgres://…")
	if n := len(b.PayeeKey.Reveal()); n > 0 && n < leastKey {
		r.warn("backoffice.payee_key", "has less than 32 bytes: who learns the hashes may guess it, and then payees")
	}
	if host, _, _ := net.SplitHostPort(b.Listen); !isLoopback(host) && !r.silenced("backoffice.listen") {
		r.warn("backoffice.listen", "is open to other machines, and tokens travel in clear: put TLS in front of it")
	}
	if len(b.Users) == 0 && !r.silenced("backoffice.users") {
		r.warn("backoffice.users", "has nobody: nobody can ask anything")
	}
	names, tokens := map[string]bool{}, map[string]bool{}
	for i, u := range b.Users {
		path := fmt.Sprintf("backoffice.users[%d]", i)
		r.required(path+".name", u.Name != "")
		r.must(!names[u.Name], path+".name", "must not stand twice")
		r.required(path+".token_sha256", u.SHA256 != "")
		r.must(u.SHA256 == "" || sha256Text.MatchString(u.SHA256), path+".token_sha256", "must be 64 of 0-9 a-f: backoffice token prints it")
		r.must(u.SHA256 == "" || !tokens[u.SHA256], path+".token_sha256", "must not be another user's")
		r.required(path+".roles", len(u.Roles) > 0)
		for _, role := range u.Roles {
			r.must(slices.Contains([]string{Viewer, Operator, Approver}, role), path+".roles", "must be of viewer, operator, approver")
		}
		names[u.Name], tokens[u.SHA256] = true, true
	}
}

// wrongBaseURLs are addresses of several servers.
func wrongBaseURLs(list []string) string {
	seen := map[string]bool{}
	for _, text := range list {
		if wrong := wrongURL(text); wrong != "" {
			return wrong
		}
		if seen[text] {
			return "must not have an address twice"
		}
		seen[text] = true
	}
	return ""
}
