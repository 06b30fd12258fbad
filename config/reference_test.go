package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout/secrets"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// The reference of all keys is made of the tags of the structs.
func TestTheReferenceIsWhole(t *testing.T) {
	const page = "../docs/configuration.md"
	text := referencePage()
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil || string(have) != text {
		t.Errorf("docs/configuration.md is not what the keys are: go test ./config -run TestTheReferenceIsWhole -update (%v)", err)
	}
}

const head = `# Configuration

Every key of the configuration file. The test ` + "`TestTheReferenceIsWhole`" + ` makes this page from the tags of the structs in ` + "`config/config.go`" + `
and ` + "`config/merchant.go`" + `, and writes it anew with ` + "`go test ./config -run TestTheReferenceIsWhole -update`" + `. An example of a whole file is
[deployments/disburser.example.yaml](../deployments/disburser.example.yaml).

A star stands for a name of your own. Durations are Go's (10s, 1h30m), with d for 24 hours. ` + "`${NAME}`" + ` is an environment variable,
` + "`${NAME:-text}`" + ` has a default. ` + "`disburser check`" + ` reports every mistake with its line.

- *Type*: "by name" is a mapping whose keys are names of your own. "secret": always printed as ***. "never shown": no
  message about the file has the value.
- *Default*: the value without the key. **required** means that the file must give one.
- *Allowed*: what else the value must be.
- *SIGHUP*: "yes" means that a running instance takes a new value when it reads the file again. The others need a restart.
`

const tableHead = "\n| Key | Type | Default | Allowed | SIGHUP | For |\n|---|---|---|---|---|---|\n"

// referencePage is docs/configuration.md: a chapter for each key of Config.
func referencePage() string {
	var b strings.Builder
	b.WriteString(head)
	c := reflect.ValueOf(Default())
	for _, k := range keysOf(c.Type()) {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n%s", k.name, strings.ToUpper(k.about[:1])+k.about[1:], tableHead)
		row(&b, k.name, k, c.FieldByIndex(k.index))
	}
	return b.String()
}

// row writes a line for a key, and for each key below it.
func row(b *strings.Builder, path string, k key, of reflect.Value) {
	kind, preset := described(of)
	if k.required && k.preset == "" {
		preset = "**required**"
	}
	if k.unit != "" {
		kind += " (" + k.unit + ")"
	}
	if k.secret && kind != "secret" {
		kind += ", never shown"
	}
	reload := ""
	if k.reload {
		reload = "yes"
	}
	if strings.Contains(path, ".") || kind != "section" {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", path, kind, preset, allowed(k), reload, k.about)
	}
	switch {
	case of.Type() == reflect.TypeFor[map[string]Merchant]():
		rows(b, path+".*", reflect.ValueOf(merchantKeys{Merchant: DefaultMerchant()}))
	case of.Type() == reflect.TypeFor[map[string]Field]():
		rows(b, path+".*", reflect.ValueOf(Field{}))
	case of.Type() == reflect.TypeFor[Users]():
		rows(b, path+"[]", reflect.ValueOf(User{}))
	case isSection(of.Type()):
		rows(b, path, of)
	}
}

func rows(b *strings.Builder, path string, of reflect.Value) {
	for _, k := range keysOf(of.Type()) {
		row(b, path+"."+k.name, k, of.FieldByIndex(k.index))
	}
}

// described says how a value is written, and what it is without the key.
func described(of reflect.Value) (kind, preset string) {
	switch x := of.Interface().(type) {
	case secrets.Secret:
		return "secret", "none"
	case time.Duration:
		return "duration", "`" + brief(x) + "`"
	case string:
		if x == "" {
			return "text", "`\"\"`"
		}
		return "text", "`" + x + "`"
	case bool:
		return "true or false", fmt.Sprintf("`%v`", x)
	case int:
		return "whole number", fmt.Sprintf("`%v`", x)
	case []secrets.Secret:
		return "list", "none"
	case []string:
		return "list", fmt.Sprintf("`[%s]`", strings.Join(x, ", "))
	case float64:
		return "number", fmt.Sprintf("`%v`", x)
	case Users:
		return "list of users", "none"
	case map[string]string, map[string]Field, map[string]Merchant:
		return "by name", "`{}`"
	default:
		return "section", ""
	}
}

func allowed(k key) string {
	var rules []string
	if k.required && k.preset != "" {
		rules = append(rules, "not empty")
	}
	if k.oneOf != nil {
		rules = append(rules, "one of "+k.choices())
	}
	if bounds := k.bounds(); bounds != "" {
		rules = append(rules, bounds)
	}
	for _, name := range k.formats {
		rules = append(rules, formats[name].looks)
	}
	if k.names != "" {
		rules = append(rules, "names: "+formats[k.names].looks)
	}
	return strings.Join(rules, "; ")
}

// Every field of the configuration has tags that are known and fit together.
func TestTheTagsAreSound(t *testing.T) {
	known := map[string]bool{}
	for _, name := range []string{"key", "about", "default", "required", "above", "min", "max", "oneof", "format", "names", "unit", "reload", "secret", "unset", "commands", "rehearsal", "backoffice", "acts"} {
		known[name] = true
	}
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		for _, field := range reflect.VisibleFields(of) {
			if field.Anonymous {
				continue
			}
			k, at := keyOf(field), of.Name()+"."+field.Name
			for _, tag := range tagName.FindAllStringSubmatch(string(field.Tag), -1) {
				if !known[tag[1]] {
					t.Errorf("%s has the tag %s, which nobody reads", at, tag[1])
				}
			}
			if !keyName.MatchString(k.name) || k.about == "" || strings.ContainsAny(k.about, "|") {
				t.Errorf("%s needs a key in small letters and a line about it, without |", at)
			}
			secret := field.Type == reflect.TypeFor[secrets.Secret]() || field.Type == reflect.TypeFor[[]secrets.Secret]()
			if secret && !k.secret {
				t.Errorf("%s is a secret and has not the tag", at)
			}
			for _, name := range append(k.formats, k.names) {
				if _, exists := formats[name]; name != "" && !exists {
					t.Errorf("%s has the format %q, which formats.go does not have", at, name)
				}
			}
			inner := field.Type
			if inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if isSection(inner) {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	walk(reflect.TypeFor[merchantKeys]())
	if k, _ := find(keysOf(reflect.TypeFor[Field]()), "max_len"); k.max != fmt.Sprint(message.MaxPayeeField) {
		t.Errorf("fields.*.max_len may be %s, a payee field has %d characters at most", k.max, message.MaxPayeeField)
	}
}

var (
	tagName = regexp.MustCompile(`(\w+):"(?:[^"\\]|\\.)*"`)
	keyName = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
)

// A new key is one field: its tags are enough for default, reading and every rule.
func TestAFieldWithTagsIsAKey(t *testing.T) {
	type actions struct {
		Staleness time.Duration  `key:"staleness" default:"1s" above:"0" max:"1m" about:"how old the knowledge of actions may be"`
		Key       secrets.Secret `key:"key" required:"true" secret:"true" about:"signs actions"`
		People    []string       `key:"people" default:"alice,bob" format:"different texts" about:"who may act"`
		Mode      string         `key:"mode" default:"strict" oneof:"strict,loose" about:"how strictly"`
	}
	for _, c := range []struct {
		text string
		want []string
	}{
		{"{key: k}", nil},
		{"staleness: 2m\npeople: [a, a]\nmode: lax\nkeys: 1", []string{
			"f:1: key is required",
			"f:1: staleness must be more than 0 and at most 1m, is 2m",
			"f:2: people must be different texts, none of them empty",
			`f:3: mode must be one of strict, loose, is "lax"`,
			"f:4: keys is not a known key: did you mean key?",
		}},
	} {
		var a actions
		setDefaults(&a)
		r := &reader{file: "f", rules: Rules{}.complete(), places: map[string]place{}, told: map[string]bool{}, unset: map[string]string{}}
		of := reflect.ValueOf(&a).Elem()
		r.read(value{node: r.parse([]byte(c.text)), line: 1}, func(v value) { r.section(v, of) })
		r.checkTags("", of)
		r.problems.sort()
		same(t, r.problems.lines(), c.want)
		if c.want == nil && (a.Staleness != time.Second || a.Key.Reveal() != "k" || len(a.People) != 2) {
			t.Errorf("got %+v", a)
		}
	}
}
