package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// mistakes: what is changed in minimal.yaml (from "" = added, on line 10 and on), and
// every problem that must be told, less the file's name.
var mistakes = []struct {
	name, from, to string
	want           []string
}{
	{"negative", "", "    send: {rate: -3}", []string{"10: merchants.eg.send.rate must be more than 0, is -3"}},
	{"wrong kind", "", "    send: 5", []string{"10: merchants.eg.send must be a mapping of keys to values, is a single value"}},
	{"list for text", "", "    salt: [hunter2]", []string{"10: merchants.eg.salt must be text, is a list"}},
	{"mapping for text", "", "    salt: {hunter2: x}", []string{"10: merchants.eg.salt must be text, is a mapping"}},
	{"list for secret", "hunter2&*!", "[hunter2]", []string{"8: merchants.eg.secret must be text, is a list"}},
	{"list in list", "", "    no_record:\n      codes:\n      - 8000\n      - [8000]", []string{"13: merchants.eg.no_record.codes[1] must be text, is a list"}},
	{"long value", "", "log: {level: " + strings.Repeat("x", 70) + "}", []string{"10: log.level must be one of debug, info, warn, error, is \"" + strings.Repeat("x", 60) + "…\""}},
	{"days and nonsense", "", "    timeout: 1dx", []string{"10: merchants.eg.timeout must be a duration such as 10s, 5m, 72h or 30d, is 1dx"}},
	{"unset field", "", "    fields: {walletId: \"${NONE}\"}", []string{"10: merchants.eg.fields.walletId needs the environment variable NONE, which is not set"}},
	{"text for list", "", "    no_record: {codes: 8000}", []string{"10: merchants.eg.no_record.codes must be a list such as [a, b], is a single value"}},
	{"no number", "", "disburse: {slots: many}", []string{`10: disburse.slots must be a whole number, is "many"`}},
	{"fraction", "", "disburse: {slots: 1.5}", []string{"10: disburse.slots must be a whole number, is 1.5"}},
	{"infinite", "", "    query: {rate: .inf}", []string{`10: merchants.eg.query.rate must be a number, is .inf`}},
	{"no bool", "", "kafka2: 1", []string{"10: kafka2 is not a known key: did you mean kafka?"}},
	{"yes", "redis: {", "redis: {tls: yes, ", []string{`2: redis.tls must be true or false, is "yes"`}},
	{"no unit", "", "    timeout: 10", []string{"10: merchants.eg.timeout must be a duration such as 10s, 5m, 72h or 30d, is 10"}},
	{"odd days", "", "    timeout: -1d", []string{"10: merchants.eg.timeout must be a duration such as 10s, 5m, 72h or 30d, is -1d"}},
	{"env in number", "redis: {", `redis: {db: "${REDIS_SECRET}", `, []string{"2: redis.db must be a whole number, is ${REDIS_SECRET}"}},
	{"env below key", "", "log:\n  level:\n    ${REDIS_SECRET}", []string{"12: log.level must be one of debug, info, warn, error, is ${REDIS_SECRET}"}},
	{"unset", "", "log: {level: \"${NONE}\"}", []string{"10: log.level needs the environment variable NONE, which is not set"}},
	{"unset required", "hunter2&*!", "${NONE}", []string{"8: merchants.eg.secret needs the environment variable NONE, which is not set"}},
	{"bad reference", "", "log: {level: \"${A-B}\"}", []string{"10: log.level has a ${ that is neither ${NAME} nor ${NAME:-default}"}},

	{"unknown, near", "", "    sessionTimeout: 5s", []string{"10: merchants.eg.sessionTimeout is not a known key: known are accept_unverified, amount, base_url, contradiction, country, currency, extra, fields, merchant_no, no_record, notify_url, paths, poll, query, salt, secret, secret_file, send, sign_in, timeout, too_fast, unknown_status"}},
	{"unknown, other case", "", "    signIn: body", []string{"10: merchants.eg.signIn is not a known key: did you mean sign_in?"}},
	{"unknown, odd", "", `"a\nb": 1`, []string{`10: "a\nb" is not a known key: known are actions, admin, backoffice, breaker, disburse, kafka, log, merchants, redis, unknown_merchant_grace`}},
	{"comma in password", "redis: {", "redis: {password: x,hunter2, ", []string{"2: redis has a key in { } that is not known: known are addresses, db, dedup_window, master_name, namespace, password, sentinel_password, sentinel_username, shards, tls, username; a text with a comma needs quotes"}},
	{"comma twice", "redis: {", "redis: {password: x,hunter2,hunter2, ", []string{
		"2: redis has a key in { } that is not known: known are addresses, db, dedup_window, master_name, namespace, password, sentinel_password, sentinel_username, shards, tls, username; a text with a comma needs quotes",
		"2: redis has a key in { } that is not known: known are addresses, db, dedup_window, master_name, namespace, password, sentinel_password, sentinel_username, shards, tls, username; a text with a comma needs quotes"}},
	{"twice", "", "    country: egypt", []string{"10: merchants.eg.country stands twice, first on line 5"}},
	{"merchant twice", "", "  eg: {}", []string{"10: merchants.eg stands twice, first on line 4"}},
	{"section twice", "", "kafka: {}", []string{"10: kafka stands twice, first on line 1"}},
	{"alias", "hunter2&*!", "*hunter2", []string{"8: begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"}},
	{"anchor", "hunter2&*!", "&hunter2 x", []string{"8: merchants.eg.secret begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"}},
	{"tag", "hunter2&*!", "!hunter2 x", []string{"8: merchants.eg.secret begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"}},
	{"known alias", "", "log: &a {}\nadmin: *a", []string{
		"10: log begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there",
		"11: admin begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"}},
	{"merge", "", "    <<: {salt: suffix}", []string{"10: merchants.eg has a merge key (<<), which is not supported: write the keys out"}},
	{"list as key", "", "? [a]\n: b", []string{"10: has a key that is not plain text"}},

	{"no YAML", "", "a: b: hunter2", []string{"10: is not YAML: mapping values are not allowed in this context"}},
	{"open quote", "", "log: {level: 'hunter2", []string{"10: is not YAML: found unexpected end of stream"}},
	{"bare variable in { }", "", "log: {level: ${HUNTER}}\nadmin: {}", []string{"10: is not YAML: did not find expected ',' or '}'; inside { } and [ ] a value such as ${NAME} needs quotes"}},
	{"quote that never ends", "", "log: {level: 'hunter2\nadmin: {}\n", []string{"10: is not YAML: found unexpected end of stream"}},
	{"bracket that never ends", "", "log: [a\n\n", []string{"10: is not YAML: did not find expected ',' or ']'"}},
	{"wrong bracket", "", "log: {level: info]\n", []string{"10: is not YAML: did not find expected ',' or '}'"}},
	{"control character", "", "\nlog: {level: hunter2\x01}", []string{"11: is not YAML: control characters are not allowed (value: 1)"}},
	{"tab", "", "log:\n\tlevel: info", []string{"11: is not YAML: found character that cannot start any token"}},
	{"two documents", "", "---\nlog: {}", []string{"10: is a second document (---): the file must be one"}},

	{"no brokers", "[localhost:9092]", "[]", []string{"1: kafka.brokers is required"}},
	{"empty broker", "[localhost:9092]", `"${EMPTY}"`, []string{"1: kafka.brokers is required"}},
	{"no port", "localhost:9092", "a:1, localhost", []string{"1: kafka.brokers must be host:port each, number 2 is not"}},
	{"big port", "localhost:6379", "a:65536", []string{"2: redis.addresses must be host:port each, number 1 is not"}},
	{"broker twice", "localhost:9092", "a:1, a:1", []string{"1: kafka.brokers names an address twice"}},
	{"group", "kafka: {", "kafka: {group: '', ", []string{"1: kafka.group is required"}},
	{"session", "kafka: {", "kafka: {session_timeout: 6m, ", []string{"1: kafka.session_timeout must be from 1s to 5m, is 6m"}},
	{"replicas", "kafka: {", "kafka: {require_replicas: -1, ", []string{"1: kafka.require_replicas must be from 0 to 32, is -1"}},
	{"short session", "kafka: {", "kafka: {session_timeout: 999ms, ", []string{"1: kafka.session_timeout must be from 1s to 5m, is 999ms"}},
	{"topic name", "kafka: {", "kafka: {topics: {commands: a b}, ", []string{`1: kafka.topics.commands must be a topic name: 1 to 249 of A-Z a-z 0-9 . _ -, is "a b"`}},
	{"dots", "kafka: {", "kafka: {topics: {commands: ..}, ", []string{`1: kafka.topics.commands must be a topic name: 1 to 249 of A-Z a-z 0-9 . _ -, is ..`}},
	{"same topics", "kafka: {", "kafka: {topics: {results: payout.commands}, ", []string{`1: kafka.topics.results must differ from kafka.topics.commands, is "payout.commands"`}},
	{"actions' topic", "kafka: {", "kafka: {topics: {actions: payout.results}, ", []string{`1: kafka.topics.actions must differ from kafka.topics.results, is "payout.results"`}},
	{"staleness", "", "actions: {staleness: 100ms}", []string{"10: actions.staleness must be from 200ms to 1m, is 100ms"}},
	{"short key", "", "actions: {key: hunter2}", []string{"10: actions.key must have 32 bytes or more"}},
	{"empty old key", "", "actions: {key: hunter2&hunter2&hunter2&hunter2&, old_keys: ['']}", []string{"10: actions.old_keys must not have an empty key"}},
	{"old key alone", "", "actions: {old_keys: hunter2}", []string{"10: actions.old_keys must be a list such as [a, b], is a single value"}},
	{"old key that isn't set", "", "actions: {old_keys: ['${NONE}']}", []string{"10: actions.old_keys[0] needs the environment variable NONE, which is not set"}},
	{"same as default", "kafka: {", "kafka: {topics: {commands: payout.decisions}, ", []string{`1: kafka.topics.decisions must differ from kafka.topics.commands`}},
	{"half a certificate", "kafka: {", "kafka: {tls: {enabled: true, cert_file: a}, ", []string{"1: kafka.tls must have cert_file and key_file together, or neither"}},
	{"mechanism", "kafka: {", "kafka: {sasl: {mechanism: PLAIN, username: u, password: p}, ", []string{`1: kafka.sasl.mechanism must be one of "", plain, scram-sha-256, scram-sha-512, is "PLAIN"`}},
	{"no user", "kafka: {", "kafka: {sasl: {mechanism: scram-sha-256}, ", []string{"1: kafka.sasl.password is required", "1: kafka.sasl.username is required"}},

	{"db", "redis: {", "redis: {db: -1, ", []string{"2: redis.db must be 0 or more, is -1"}},
	{"cluster db", "[localhost:6379]", "[a:1, b:1], db: 1", []string{"2: redis.db must be 0 (several addresses without master_name are a cluster, which has one database only), is 1"}},
	{"namespace", "redis: {", "redis: {namespace: '{a}', ", []string{`2: redis.namespace must be 1 to 64 of A-Z a-z 0-9 . _ : -, is "{a}"`}},
	{"shards", "redis: {", "redis: {shards: 0, ", []string{"2: redis.shards must be from 1 to 64, is 0"}},
	{"window", "redis: {", "redis: {dedup_window: 59s, ", []string{"2: redis.dedup_window must be 1m or more, is 59s"}},

	{"country", "egypt", "Egypt", []string{`5: merchants.eg.country must be one of brazil, egypt, india, is "Egypt": did you mean egypt?`}},
	{"country, mistyped", "egypt", "egpyt", []string{`5: merchants.eg.country must be one of brazil, egypt, india, is "egpyt": did you mean egypt?`}},
	{"country, in part", "egypt", "razi", []string{`5: merchants.eg.country must be one of brazil, egypt, india, is "razi": did you mean brazil?`}},
	{"country, of somewhere else", "egypt", "narnia", []string{`5: merchants.eg.country must be one of brazil, egypt, india, is "narnia"`}},
	{"unverified", "egypt", "india", []string{"4: merchants.eg.accept_unverified must be true for india, where paths or payee fields are undocumented (set them first as the provider told them)"}},
	{"no merchant", "", "merchants: {}", []string{"10: merchants stands twice, first on line 3"}},
	{"bare merchant", "", "  br:", []string{
		"10: merchants.br.base_url is required", "10: merchants.br.country is required", "10: merchants.br.merchant_no is required",
		"10: merchants.br.notify_url is required", "10: merchants.br.secret is required"}},
	{"merchant name", "  eg:", "  e/g:", []string{"4: merchants.e/g must have a name of 1 to 64 of A-Z a-z 0-9 _ . -"}},
	{"merchant name with a line break", "", "  \"a\\nb\": {}", []string{
		`10: merchants."a\nb" must have a name of 1 to 64 of A-Z a-z 0-9 _ . -`,
		`10: merchants."a\nb".base_url is required`, `10: merchants."a\nb".country is required`, `10: merchants."a\nb".merchant_no is required`,
		`10: merchants."a\nb".notify_url is required`, `10: merchants."a\nb".secret is required`}},
	{"base_url", "https://paypro", "ftp://hunter2@paypro", []string{"6: merchants.eg.base_url must be an absolute URL such as https://host/path"}},
	{"no host", "https://paypro.example.com", "https://:80", []string{"6: merchants.eg.base_url must be an absolute URL such as https://host/path"}},
	{"user in URL", "https://paypro", "https://hunter2@paypro", []string{"6: merchants.eg.base_url must have no user, no ? and no #"}},
	{"notify_url", "https://example.com/notify", "/notify?hunter2", []string{"9: merchants.eg.notify_url must be an absolute URL such as https://host/path"}},
	{"merchant_no", "0000000001", "a1", []string{`7: merchants.eg.merchant_no must be digits only, is "a1"`}},
	{"no secret", "hunter2&*!", `""`, []string{"8: merchants.eg.secret is required"}},
	{"both secrets", "", "    secret_file: key", []string{"10: merchants.eg.secret_file must not stand together with secret"}},
	{"no secret file", "secret: hunter2&*!", "secret_file: hunter2/none", []string{"8: merchants.eg.secret_file can't be read: file does not exist"}},
	{"empty secret file", "secret: hunter2&*!", "secret_file: empty", []string{"8: merchants.eg.secret_file is an empty file"}},
	{"currency", "", "    currency: egp", []string{`10: merchants.eg.currency must be three capital letters, any (nothing is checked), or "" (the country's), is "egp"`}},
	{"salt", "", "    salt: ''", []string{`10: merchants.eg.salt must be one of suffix, prefix, is ""`}},
	{"sign_in", "", "    sign_in: url", []string{`10: merchants.eg.sign_in must be one of "", body, header, both, is "url"`}},
	{"path", "", "    paths: {send: v1/payout, query: /a/../b}", []string{
		`10: merchants.eg.paths.query must be a path such as /v1/paypro/payout, or "", is "/a/../b"`,
		`10: merchants.eg.paths.send must be a path such as /v1/paypro/payout, or "", is "v1/payout"`}},
	{"field word", "", "    fields: {walletId: needed}", []string{`10: merchants.eg.fields.walletId must be required, optional, drop, or a mapping of rules, is "needed"`}},
	{"decimals", "", "    amount: {decimals: 9}", []string{`10: merchants.eg.amount.decimals must be a whole number from 0 to 8, or "" (the currency's), is 9`}},
	{"field rules", "", "    fields:\n      a: {pattern: '(?=x)', max_len: -1, one_of: [a, a]}\n      b: {drop: true, required: true}\n      c-d: optional", []string{
		"11: merchants.eg.fields.a.max_len must be from 0 to 256, is -1",
		"11: merchants.eg.fields.a.one_of must be different texts, none of them empty",
		`11: merchants.eg.fields.a.pattern must be a regular expression as Go knows them (no look-ahead), is "(?=x)"`,
		"12: merchants.eg.fields.b must not be dropped and have other rules too",
		`13: merchants.eg.fields.c-d must be named as the provider names it: a letter, then letters, digits, _, is "optional"`}},
	{"amounts", "", "    amount: {min: -1, max: 1e3}", []string{
		"10: merchants.eg.amount.max must be plain digits with an optional fraction, such as 300 or 300.50, is 1e3",
		"10: merchants.eg.amount.min must be plain digits with an optional fraction, such as 300 or 300.50, is -1"}},
	{"min above max", "", "    amount: {min: 10, max: 9.99}", []string{"10: merchants.eg.amount.max must not be less than min, is 9.99"}},
	{"unknown_status", "", "    unknown_status: pay", []string{`10: merchants.eg.unknown_status must be one of hold, fail, is "pay"`}},
	{"poll", "", "    poll: {first: 0s, factor: 0.9, max: 1m, give_up: 1m}", []string{
		"10: merchants.eg.poll.factor must be 1 or more, is 0.9",
		"10: merchants.eg.poll.first must be more than 0, is 0s",
		"10: merchants.eg.poll.give_up must be more than max (1m), is 1m"}},
	{"poll.max", "", "    poll: {first: 1h, max: 30m}", []string{"10: merchants.eg.poll.max must not be less than first (1h), is 30m"}},
	{"burst", "", "    send: {burst: 0}\n    query: {burst: 0, rate: 0}\n    timeout: 0s", []string{
		"10: merchants.eg.send.burst must be more than 0, is 0", "11: merchants.eg.query.burst must be more than 0, is 0",
		"11: merchants.eg.query.rate must be more than 0, is 0", "12: merchants.eg.timeout must be more than 0, is 0s"}},
	{"no_record", "", "    no_record: {answers: 0, every: 0s, then: pay, codes: []}", []string{
		"10: merchants.eg.no_record.answers must be more than 0, is 0",
		"10: merchants.eg.no_record.codes must be one code or more, none of them empty",
		"10: merchants.eg.no_record.every must be more than 0, is 0s",
		`10: merchants.eg.no_record.then must be one of hold, resend, is "pay"`}},
	{"no_record without a sign", "", "    no_record: {codes: [], empty_data: false}", []string{"10: merchants.eg.no_record.codes must be one code or more, none of them empty"}},
	{"empty_data", "", "    no_record: {empty_data: often}", []string{`10: merchants.eg.no_record.empty_data must be true or false, is "often"`}},
	{"contradiction", "", "    contradiction: fail", []string{`10: merchants.eg.contradiction must be one of announce, hold, is "fail"`}},
	{"extra, unknown call", "", "    extra: {ask: {a: b}}", []string{"10: merchants.eg.extra has a key in { } that is not known: known are balance, query, send; a text with a comma needs quotes"}},
	{"extra, no text", "", "    extra: {send: {subMerchantNo: [hunter2]}}", []string{"10: merchants.eg.extra.send.subMerchantNo must be text, is a list"}},
	{"extra, unset", "", "    extra: {send: {subMerchantNo: \"${NONE}\"}}", []string{"10: merchants.eg.extra.send.subMerchantNo needs the environment variable NONE, which is not set"}},
	{"0000", "", "    no_record: {codes: [8000, 0000]}", []string{"10: merchants.eg.no_record.codes must not have 0000 (accepted) or 5000 (outcome unknown)"}},
	{"too_fast twice", "", "    too_fast: {codes: ['8000']}", []string{"10: merchants.eg.too_fast.codes must not have a code that no_record.codes has too: it can't say both"}},
	{"too_fast empty", "", "    too_fast: {codes: ['']}", []string{"10: merchants.eg.too_fast.codes must not have an empty code"}},
	{"5000", "", "    no_record: {codes: ['5000']}", []string{"10: merchants.eg.no_record.codes must not have 0000 (accepted) or 5000 (outcome unknown)"}},

	{"breaker", "", "breaker: {failure_ratio: 1.1, min_requests: 0, window: 0s, open_for: 2m, probes: 0, refusals: 0}", []string{
		"10: breaker.failure_ratio must be more than 0 and at most 1, is 1.1",
		"10: breaker.max_open_for must not be less than open_for (2m)",
		"10: breaker.min_requests must be more than 0, is 0",
		"10: breaker.probes must be more than 0, is 0",
		"10: breaker.refusals must be more than 0, is 0",
		"10: breaker.window must be more than 0, is 0s"}},
	{"open_for", "", "breaker: {open_for: 0s, failure_ratio: 0}", []string{
		"10: breaker.failure_ratio must be more than 0 and at most 1, is 0", "10: breaker.open_for must be more than 0, is 0s"}},
	{"disburse", "", "disburse: {slots: 0, lease: 0s, max_open: 0, drain: 0s}", []string{
		"10: disburse.drain must be more than 0, is 0s", "10: disburse.lease must be more than 0, is 0s",
		"10: disburse.max_open must be more than 0, is 0", "10: disburse.slots must be more than 0, is 0"}},
	{"lease", "", "disburse: {lease: 11900ms}", []string{"10: disburse.lease must be at least 12s (merchants.eg.timeout of 10s, and time to decide before it and to write after it: raise the lease or lower the timeout), is 11900ms"}},
	{"default lease", "", "    timeout: 28s", []string{"10: disburse.lease must be at least 30.5s (merchants.eg.timeout of 28s, and time to decide before it and to write after it: raise the lease or lower the timeout)"}},
	{"listen", "", "admin: {listen: '8080'}", []string{"10: admin.listen must be host:port or :port, is 8080"}},
	{"log", "", "log: {level: loud, format: xml}", []string{
		`10: log.format must be one of json, console, is "xml"`, `10: log.level must be one of debug, info, warn, error, is "loud"`}},
}

func TestMistakes(t *testing.T) {
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			rules := rules()
			rules.ReadFile = func(name string) ([]byte, error) {
				if name == "empty" {
					return []byte("\n"), nil
				}
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			_, _, err := Parse("f", []byte(with(t, c.from, c.to)), rules)
			problems, _ := errors.AsType[Problems](err)
			var got []string
			for _, p := range problems {
				got = append(got, strings.TrimPrefix(p.Error(), "f:"))
				noSecret(t, p.Error())
			}
			same(t, got, c.want)
		})
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "~", "{}", "kafka: ~", "merchants:"} {
		_, _, err := Parse("f", []byte(text), rules())
		problems, _ := errors.AsType[Problems](err)
		same(t, problems.lines(), []string{
			"f:1: kafka.brokers is required", "f:1: merchants must name at least one merchant", "f:1: redis.addresses is required"})
	}
	_, _, err := Parse("f", []byte("[a]"), rules())
	if want := "f:1: must be a mapping of keys to values, is a list"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"", "    no_record: {then: resend}", "10: merchants.eg.no_record.then resend needs the provider's word that a tradeNo can't be executed twice; without it people are paid twice"},
		{"", "    unknown_status: fail", "10: merchants.eg.unknown_status fail calls a code failed that no page names: where that is wrong, people pay a second time"},
		{"https://paypro.example.com", "http://10.0.0.1", "6: merchants.eg.base_url is http: payees' data and signatures travel in clear"},
		{"https://paypro.example.com", "http://127.0.0.1:80", ""},
		{"https://paypro.example.com", "http://[::1]:80", ""},
		{"https://paypro.example.com", "http://localhost:80", ""},
		{"0000000001", "0000001", "7: merchants.eg.merchant_no has 7 digits, the provider's pages say 10"},
		{"hunter2&*!", `"hunter2 "`, "8: merchants.eg.secret begins or ends with white space, which is taken as part of it"},
		{"kafka: {", "kafka: {session_timeout: 1s, ", "1: kafka.session_timeout is below 6s, which brokers refuse unless their group.min.session.timeout.ms says otherwise"},
		{"kafka: {", "kafka: {tls: {ca_file: a}, ", "1: kafka.tls names files but is not used: enabled is false"},
		{"kafka: {", "kafka: {sasl: {mechanism: plain, username: u, password: p}, ", "1: kafka.sasl.mechanism plain without kafka.tls sends the password in clear"},
		{"redis: {", "redis: {dedup_window: 1m, ", "2: redis.dedup_window is below 1h: a tradeNo that comes again later than that is paid again"},
		{"", "actions: {old_keys: [hunter2]}", "10: actions.old_keys are not used: without actions.key everything is obeyed"},
		{"", "actions: {key: '${LONG}', old_keys: [hunter2, '${LONG}']}", ""},
		{"", "admin: {listen: ':8080'}", "10: admin.listen is open to other machines, and there is no admin.token"},
		{"", "admin: {listen: '0.0.0.0:8080', token: t}", ""},
		{"", "admin: {listen: 'localhost:0'}", ""},
		{"", "  eg2: {country: egypt, base_url: 'https://paypro.example.com/egy-pay/', merchant_no: 0000000001, secret: x, notify_url: 'https://a'}",
			"10: merchants.eg2.merchant_no with this base_url is also merchants.eg: together they send at the sum of both rates"},
	} {
		_, warnings := good(t, with(t, c.from, c.to))
		if got := strings.Join(warnings, "\n"); got != strings.TrimSuffix("f:"+c.want, "f:") {
			t.Errorf("%s:\ngot  %s\nwant %s", c.to, got, c.want)
		}
		noSecret(t, strings.Join(warnings, "\n"))
	}
}
