package config

import (
	"fmt"
	"os"
	"reflect"
)

// Rules is what other packages know about a configuration. Config imports none of them, so it is told.
type Rules struct {
	// Countries are the countries that the provider's package knows, and whether their merchants need
	// accept_unverified. nil: any country will do.
	Countries map[string]bool

	LookupEnv func(string) (string, bool)  // nil: os.LookupEnv
	ReadFile  func(string) ([]byte, error) // nil: os.ReadFile

	// CheckMerchant has the rules of the provider's package. It sees every merchant whose country is good. nil: there are
	// none. What it says about a key that is wrong already is dropped. Its texts must not print secrets.
	CheckMerchant func(name string, m Merchant) []Problem
}

// Load reads the file at path, and the files that its secret_file keys name (relative to where the program runs). The
// strings are warnings: worth a line in the log, no reason to stop. An error because of the content is Problems.
func Load(path string, rules Rules) (Config, []string, error) {
	rules = rules.complete()
	text, err := rules.ReadFile(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, text, rules)
}

// Parse is Load for a text that was read already. The name stands in front of every problem.
func Parse(name string, text []byte, rules Rules) (Config, []string, error) {
	r := &reader{file: name, rules: rules.complete(), only: func(k key) bool { return !notOfTheService(k) }, places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
	c := Default()
	if root := r.parse(text); root != nil {
		r.read(value{node: root, line: 1}, func(v value) { r.section(v, reflect.ValueOf(&c).Elem()) })
		r.check(c)
	}
	r.problems.sort()
	r.warnings.sort()
	if len(r.problems) > 0 {
		return Config{}, r.warnings.lines(), r.problems
	}
	return c, r.warnings.lines(), nil
}

// LoadForCommands reads of the file at path only what says which commands a merchant takes: country, currency,
// fields and amount. It expands no other variable, reads no other file, and looks at no other section. Of each
// Merchant these keys are set, and no others. Its errors are those of Load.
func LoadForCommands(path string, rules Rules) (map[string]Merchant, error) {
	var c Config
	check := func(r *reader) { r.checkCommands(c.Merchants) }
	if err := loadOnly(path, rules, func(k key) bool { return k.commands }, &c, check); err != nil {
		return nil, err
	}
	return c.Merchants, nil
}

// LoadForRehearsal reads of the file at path only what says how payouts go. That is what LoadForCommands reads, and
// how fast payouts are sent and asked about, and when they are held. It needs no secret and no address. All other
// keys have their defaults. Its errors are those of Load.
func LoadForRehearsal(path string, rules Rules) (Config, error) {
	c := Default()
	check := func(r *reader) {
		r.checkCommands(c.Merchants)
		r.checkPaces(c)
	}
	err := loadOnly(path, rules, func(k key) bool { return k.commands || k.rehearsal }, &c, check)
	return c, err
}

// LoadForActions reads of the file at path only what is needed to write an action: the sections kafka and actions. It expands no
// variable of another section. Its errors are those of Load.
func LoadForActions(path string, rules Rules) (Config, error) {
	c := Default()
	check := func(r *reader) {
		r.checkTLS(c.Kafka.TLS)
		r.checkSASL(c.Kafka)
		r.checkActions(c.Actions)
	}
	err := loadOnly(path, rules, func(k key) bool { return k.acts }, &c, check)
	return c, err
}

// loadOnly reads only some keys of the file at path into c, and checks them.
func loadOnly(path string, rules Rules, only func(key) bool, c *Config, check func(*reader)) error {
	rules = rules.complete()
	text, err := rules.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	r := &reader{file: path, rules: rules, only: only, places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
	if root := r.parse(text); root != nil {
		r.read(value{node: root, line: 1}, func(v value) { r.section(v, reflect.ValueOf(c).Elem()) })
		r.checkTags("", reflect.ValueOf(*c))
		check(r)
	}
	if r.problems.sort(); len(r.problems) > 0 {
		return r.problems
	}
	return nil
}

// complete fills in what nil stands for.
func (rules Rules) complete() Rules {
	if rules.LookupEnv == nil {
		rules.LookupEnv = os.LookupEnv
	}
	if rules.ReadFile == nil {
		rules.ReadFile = os.ReadFile
	}
	return rules
}
