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
	r := &reader{file: name, rules: rules.complete(), places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
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
	rules = rules.complete()
	text, err := rules.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	r := &reader{file: path, rules: rules, narrow: true, places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
	var c Config
	if root := r.parse(text); root != nil {
		r.read(value{node: root, line: 1}, func(v value) { r.section(v, reflect.ValueOf(&c).Elem()) })
		r.checkTags("", reflect.ValueOf(c))
		r.checkCommands(c.Merchants)
	}
	if r.problems.sort(); len(r.problems) > 0 {
		return nil, r.problems
	}
	return c.Merchants, nil
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
