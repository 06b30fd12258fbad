// Package config reads the configuration: one YAML file. A Config that it hands out is complete and fit to
// run with: every default is filled in, every rule is checked. A file that breaks a rule yields no Config.
// It yields all its mistakes at once, each with its line and key. No mistake shows a secret.
//
// The tags of the structs in config.go and merchant.go say what each key means, its default and its allowed values.
// keys.go says what each tag means. docs/configuration.md is made from the tags.
//
// What a value may be:
//   - ${NAME} is the environment variable NAME, which must be set (it may be empty). ${NAME:-text} is text when
//     NAME is unset or empty. Several may stand in one value. Variables are put in after the YAML is read, so they may
//     hold any character. What a variable holds is not expanded again: a text that needs a literal "${" comes from a
//     variable. Every other dollar stays as it is, $$ too. Inside [ ] and { } a value with ${NAME} needs quotes.
//   - Text is taken as it is written: merchant_no: 0000000001 keeps its zeros. Numbers, durations, true and false
//     may be quoted.
//   - A duration is Go's (10s, 1h30m), with d for 24 hours (30d, 1d12h).
//   - A key without a value (or with ~ or null) keeps its default.
//   - Anchors, aliases, merge keys and tags of YAML are mistakes. Otherwise an unquoted password that begins with
//     & * or ! would silently become another one.
//
// The way of a file:
//   - syntax.go makes nodes of the text;
//   - read.go puts each value into the field of its key, by scalar.go and expand.go;
//   - rules.go checks each key by its tags, with formats.go;
//   - check.go and check_merchant.go check what concerns several keys together;
//   - report.go adds each problem with its line.
package config

import (
	"time"

	"disburser/payout/secrets"
)

// Config is the whole file. Printing it is safe: secrets print as ***.
type Config struct {
	Kafka     Kafka               `key:"kafka" backoffice:"true" acts:"true" about:"where commands come from and results go to"`
	Redis     Redis               `key:"redis" rehearsal:"true" backoffice:"true" about:"where the journal is: the records of all payouts"`
	Merchants map[string]Merchant `key:"merchants" names:"merchant name" commands:"true" about:"the accounts at the provider, by the names that commands use; at least one"`
	Breaker   Breaker             `key:"breaker" rehearsal:"true" about:"stops calls to a provider that fails; one for the sends and one for the queries of each merchant"`
	Actions   Actions             `key:"actions" backoffice:"true" acts:"true" about:"how people's actions are obeyed: pause, resume, cancel, resolve, ask"`
	Disburse  Disburse            `key:"disburse" rehearsal:"true" backoffice:"true" about:"bounds of the loop that sends, asks and announces"`
	Admin     Admin               `key:"admin" backoffice:"true" about:"the HTTP server for health, metrics and profiles"`

	Backoffice Backoffice `key:"backoffice" backoffice:"true" about:"the program backoffice: the books, and the API; the service doesn't read it"`

	// An instance with a newer file may know the merchant. The default is what a rollout of a new file takes.
	UnknownMerchantGrace time.Duration `key:"unknown_merchant_grace" rehearsal:"true" default:"5m" min:"0s" max:"24h" about:"how long a payout of an unknown merchant waits before it is rejected"`

	Log Log `key:"log" backoffice:"true" about:"how much is logged, and for whom"`
}

// Kafka says where commands come from and results go to.
type Kafka struct {
	Brokers []string `key:"brokers" required:"true" format:"addresses" about:"the brokers to begin with; a variable may hold several, with commas"`
	Group   string   `key:"group" default:"disburser" required:"true" about:"the consumer group; one for a fleet"`

	// The default is long enough for a garbage collection or a slow broker. It is short enough that nobody notices
	// when a dead instance's partitions move. Below a second the heartbeats themselves come too late.
	SessionTimeout time.Duration `key:"session_timeout" default:"10s" min:"1s" max:"5m" about:"how soon a dead instance's partitions move to others; brokers usually refuse less than 6s"`
	Topics         Topics        `key:"topics" about:"different topics, which must exist; batches only for the back office"`

	// The most is a bound against mistyping: nobody has more copies of a topic.
	RequireReplicas int      `key:"require_replicas" default:"0" min:"0" max:"32" about:"N: start only where each topic has N replicas, and at least two in sync for each write; 0 only warns"`
	TLS             KafkaTLS `key:"tls" about:"encrypted connections to the brokers"`
	SASL            SASL     `key:"sasl" about:"the login at the brokers; off while mechanism is empty"`
}

// Topics are six different topics.
type Topics struct {
	Commands   string `key:"commands" default:"payout.commands" format:"topic" about:"read: what to pay"`
	Results    string `key:"results" default:"payout.results" format:"topic" about:"written: what came of it"`
	Decisions  string `key:"decisions" default:"payout.decisions" format:"topic" about:"written before anything is sent; never compact it or delete it early"`
	DeadLetter string `key:"dead_letter" default:"payout.dead-letter" format:"topic" about:"written: what could not be understood"`
	Actions    string `key:"actions" default:"payout.actions" format:"topic" about:"read: what people said, such as a pause; one partition, kept for ever"`
	Batches    string `key:"batches" default:"payout.batches" format:"topic" about:"written by the back office: how far each batch is"`
}

// KafkaTLS holds names of files.
type KafkaTLS struct {
	Enabled  bool   `key:"enabled" default:"false" about:"whether brokers are reached over TLS"`
	CAFile   string `key:"ca_file" about:"the roots that sign the brokers' certificates; empty: the system's"`
	CertFile string `key:"cert_file" about:"a client certificate, together with key_file; empty: none"`
	KeyFile  string `key:"key_file" about:"the key of the client certificate"`
}

// SASL is off while Mechanism is empty.
type SASL struct {
	Mechanism string         `key:"mechanism" oneof:",plain,scram-sha-256,scram-sha-512" about:"how to log in; empty: not at all"`
	Username  string         `key:"username" about:"the login at the brokers; required with a mechanism"`
	Password  secrets.Secret `key:"password" secret:"true" unset:"allowed" about:"its password; required with a mechanism"`
}

// Redis says where the journal is.
type Redis struct {
	Addresses        []string       `key:"addresses" required:"true" format:"addresses" about:"one: a single server; several: a cluster, or sentinels with master_name"`
	MasterName       string         `key:"master_name" about:"given: the addresses are sentinels, even a single one"`
	Username         string         `key:"username" about:"the login at Redis"`
	Password         secrets.Secret `key:"password" secret:"true" about:"its password"`
	SentinelUsername string         `key:"sentinel_username" about:"the sentinels' own login, where they want one"`
	SentinelPassword secrets.Secret `key:"sentinel_password" secret:"true" about:"its password"`
	TLS              bool           `key:"tls" default:"false" about:"whether Redis is reached over TLS"`
	DB               int            `key:"db" default:"0" min:"0" about:"the number of the database; a cluster has only 0"`

	// No braces: Redis would take them for a hash tag, and the shards would not be spread.
	Namespace string `key:"namespace" default:"disburser" format:"namespace" about:"begins every key; another one for every fleet that shares this Redis"`

	// 1: one server is enough for a fleet, more shards only help a cluster. Every instance runs scripts for every shard.
	Shards int `key:"shards" rehearsal:"true" backoffice:"true" default:"1" min:"1" max:"64" about:"into how many parts the journal is divided; it can't be changed while payouts are open"`

	// The default recognises a monthly payroll that is repeated by mistake. Below the least a tradeNo could be
	// forgotten while it is still on its way.
	DedupWindow time.Duration `key:"dedup_window" rehearsal:"true" backoffice:"true" default:"30d" min:"1m" about:"how long a tradeNo is remembered: within it, it is never paid twice"`
}

// IsCluster tells that the addresses are those of a Redis cluster.
func (r Redis) IsCluster() bool { return len(r.Addresses) > 1 && r.MasterName == "" }

// Breaker stops calls to a provider that fails.
type Breaker struct {
	// 0.5: half of all calls don't fail by chance.
	FailureRatio float64 `key:"failure_ratio" default:"0.5" above:"0" max:"1" reload:"true" about:"the breaker opens when this share of the calls in the window fails"`
	// 20: fewer calls prove nothing.
	MinRequests int `key:"min_requests" default:"20" above:"0" reload:"true" about:"the share counts from so many calls on; so many failures in a row open the breaker too"`
	// 30s: the good calls of a calm day must not hide a bad half-minute. Not reloaded: gobreaker takes it once.
	Window time.Duration `key:"window" default:"30s" above:"0" about:"the time in which the calls are counted"`
	// 10s: most failures are over by then.
	OpenFor time.Duration `key:"open_for" default:"10s" above:"0" reload:"true" about:"how long the breaker stays open; doubled each time that the probes fail"`
	// 60s: after a long outage work goes on within a minute.
	MaxOpenFor time.Duration `key:"max_open_for" default:"60s" reload:"true" about:"the longest time that the breaker stays open; not less than open_for"`
	// 3: one good answer may be luck. Not reloaded: gobreaker takes it once.
	Probes int `key:"probes" default:"3" above:"0" about:"so many good calls in a row close the breaker"`
	// 20: a low balance or a revoked key refuses every send.
	Refusals int `key:"refusals" default:"20" above:"0" reload:"true" about:"so many refused sends in a row (a low balance, a revoked key) pause the merchant's sends"`
}

// Actions says how people's actions are obeyed.
type Actions struct {
	// 1s: a pause is felt within a second. It leaves time for three lost answers of Kafka.
	Staleness time.Duration `key:"staleness" default:"1s" min:"200ms" max:"1m" about:"no send begins unless the actions were read to their end within this time; so a pause holds that long after it is acknowledged"`

	Key     secrets.Secret   `key:"key" secret:"true" about:"signs actions, 32 bytes or more; empty: actions without a signature are obeyed"`
	OldKeys []secrets.Secret `key:"old_keys" secret:"true" about:"keys that sign nothing any more; what they signed stands for ever, so none is ever taken away"`

	TwoPeople []string `key:"two_people" format:"actions" about:"actions that need a second person's confirm: resume, cancel, paid (a resolve as paid), failed; a forced resolve always does, a pause never"`
}

// Disburse bounds the loop.
type Disburse struct {
	// 128: enough for 100 calls a second that take a second each.
	Slots int `key:"slots" default:"128" above:"0" about:"calls at once, for each instance"`
	// 30s: twice the timeout of a call and its margin.
	Lease time.Duration `key:"lease" backoffice:"true" default:"30s" above:"0" about:"how long a payout belongs to the instance that took it; check says the least for the longest timeout"`
	// 1000000: at about 1 kB each, a small Redis holds so many.
	MaxOpen int `key:"max_open" default:"1000000" above:"0" about:"open payouts above which no more commands are read"`

	MaxParked int `key:"max_parked" default:"1000000" min:"0" about:"so many parked payouts of a merchant don't count among these: a batch that is paused must not stop the intake of others"`
	// 25s: Kubernetes kills after 30 s.
	Drain time.Duration `key:"drain" default:"25s" above:"0" about:"how long a stop waits for calls; let your platform kill 5s later"`
}

// Admin is the HTTP server for people and machines that watch.
type Admin struct {
	// The default can be reached from the same machine only.
	Listen string         `key:"listen" default:"127.0.0.1:8080" format:"listen address" about:"address of /healthz, /readyz and /metrics; :8080 is open to everybody, then with a token"`
	Token  secrets.Secret `key:"token" secret:"true" about:"bearer token for the profiles and for /payouts"`
}

// Log says how much is logged, and for whom.
type Log struct {
	Level  string `key:"level" default:"info" oneof:"debug,info,warn,error" reload:"true" about:"the least level that is logged"`
	Format string `key:"format" default:"json" oneof:"json,console" about:"console is for people"`
}

// Default is the Config of a file that says nothing. It has no merchants, see DefaultMerchant.
func Default() Config {
	var c Config
	setDefaults(&c)
	return c
}
