// Package config promises that a Config it hands out is complete and fit to run
// with: read from one YAML file, every default filled in, every rule checked. A
// file that breaks a rule yields no Config but all of its mistakes at once, each
// with its line; secrets stand in none of them.
//
// What a value may hold:
//   - ${NAME} is the environment variable NAME, which must be set (to nothing, if
//     need be); ${NAME:-text} is text when NAME is unset or empty. Several may stand
//     in one value. Expansion happens after the YAML is read, so a variable may hold
//     any character, and what it holds is never expanded again: a text that needs a
//     literal "${" comes from a variable. Every other dollar stays as it is, $$ too.
//     Inside [ ] or { } write quotes around it: YAML takes its braces for its own.
//   - Text is taken as it is written: merchant_no: 0000000001 keeps its zeros.
//     Numbers, durations, true and false may be quoted, as they come from variables.
//   - A duration is Go's (10s, 1h30m), with d for 24 hours (30d, 1d12h).
//   - A key without a value (or ~ or null) keeps its default.
//   - Anchors, aliases, merge keys and tags are mistakes: an unquoted password that
//     begins with & * or ! would otherwise silently become another one.
//
// The journey: Parse makes a yaml.Node of the text, shape.go says which key goes
// where, read.go carries it there, check.go and merchant.go look at the result.
package config

import (
	"time"

	"disburser/payout/secrets"
)

// Config is the whole file. Printing it is safe: secrets print as ***.
type Config struct {
	Kafka     Kafka
	Redis     Redis
	Merchants map[string]Merchant
	Breaker   Breaker
	Disburse  Disburse
	Admin     Admin

	// UnknownMerchantGrace is how long a payout waits whose merchant isn't configured: an
	// instance with a newer file may know it.
	UnknownMerchantGrace time.Duration

	Log Log
}

// Kafka says where commands come from and results go to.
type Kafka struct {
	Brokers        []string
	Group          string
	SessionTimeout time.Duration // how soon a dead instance's partitions move
	Topics         Topics

	// RequireReplicas is how many replicas each topic must have, and then at least two in
	// sync for each write; 0 = it is only warned of.
	RequireReplicas int

	TLS  KafkaTLS
	SASL SASL
}

// Topics are four different topics.
type Topics struct{ Commands, Results, Decisions, DeadLetter string }

// KafkaTLS holds file names; "" = the system's roots, no client certificate.
type KafkaTLS struct {
	Enabled                   bool
	CAFile, CertFile, KeyFile string
}

// SASL is off while Mechanism is "".
type SASL struct {
	Mechanism, Username string // plain, scram-sha-256, scram-sha-512
	Password            secrets.Secret
}

// Redis says where the journal lives: one address is a single server, several are
// a cluster, and with MasterName they are sentinels, even a single one.
type Redis struct {
	Addresses            []string
	MasterName, Username string
	Password             secrets.Secret
	SentinelUsername     string // the sentinels' own; username and password are for the servers
	SentinelPassword     secrets.Secret
	TLS                  bool
	DB                   int
	Namespace            string // begins every key; no braces, they would be a hash tag
	Shards               int
	DedupWindow          time.Duration // how long a tradeNo is the identity of a payout
}

// IsCluster tells that the addresses are those of a Redis cluster.
func (r Redis) IsCluster() bool { return len(r.Addresses) > 1 && r.MasterName == "" }

// Merchant is one account at the provider.
type Merchant struct {
	Country, BaseURL, MerchantNo string
	Secret                       secrets.Secret // from secret or secret_file
	NotifyURL                    string
	Currency                     string // "" = the country's; any = not checked
	Salt                         string // suffix, prefix
	SignIn                       string // body, header, both; "" = the country's own
	AcceptUnverified             bool
	Paths                        Paths
	Fields                       map[string]Field // payee fields told by the provider
	Amount                       Limits
	UnknownStatus                string // hold, fail
	Contradiction                string // announce, hold
	Timeout                      time.Duration
	Send, Query                  Rate
	Poll                         Poll
	NoRecord                     NoRecord
	TooFast                      TooFast
	Extra                        Extra
}

// Extra are constant fields that the provider wants on a call besides the country's own.
type Extra struct{ Send, Query, Balance map[string]string }

// Paths of the provider's calls; "" = the country's own.
type Paths struct{ Send, Query, Balance string }

// Field is the rule for one payee field. In the file also as one word: required,
// optional or drop.
type Field struct {
	Required bool
	Pattern  string   // Go regular expression for the whole value
	OneOf    []string // empty = anything
	MaxLen   int      // characters; 0 = any
	Drop     bool     // the country asks for it, this merchant does not
}

// Limits are amounts as written, and how many decimals they may have; "" = the country's own.
type Limits struct{ Min, Max, Decimals string }

// Rate is for the whole fleet, per second.
type Rate struct {
	Rate  float64
	Burst int
}

// Poll says when to ask: first after First, then ever later by Factor up to Max,
// until GiveUp after the first send a person is needed.
type Poll struct {
	First       time.Duration
	Factor      float64
	Max, GiveUp time.Duration
	Learn       bool // ask when settle times suggest it, within First and Max
}

// NoRecord says what counts as "the provider knows no such payout", how often it
// must say so, how far apart, and what then happens.
type NoRecord struct {
	Answers int
	Every   time.Duration
	Then    string   // hold, resend
	Codes   []string // outer codes of the query

	EmptyData bool // code 0000 without data says so too
}

// TooFast names how the provider says that it is called too often, beside HTTP 429.
type TooFast struct {
	Codes []string // outer codes or data.statuses, of sends and queries; none = only HTTP 429 says so
}

// Breaker stops calling a provider that fails.
type Breaker struct {
	FailureRatio                float64
	MinRequests                 int
	Window, OpenFor, MaxOpenFor time.Duration
	Probes                      int // good ones in a row that close it
	Refusals                    int // in a row that pause a merchant's sends
}

// Disburse bounds the loop.
type Disburse struct {
	Slots   int           // calls at once, per instance
	Lease   time.Duration // how long a payout belongs to who took it
	MaxOpen int           // open payouts above which intake pauses
	Drain   time.Duration // how long a stop waits for running calls
}

// Admin is the HTTP side door.
type Admin struct {
	Listen string
	Token  secrets.Secret
}

// Log says how much is logged, and for whom.
type Log struct{ Level, Format string }
