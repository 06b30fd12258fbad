package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// evil is a text that would clear a screen, set a title and make a line of its own. A table would run it as a formula.
const evil = "=x\x1b[2J\x1b]0;t\a\r\nFORGED\u202e\u009b2J\u2028\x00+1"

// filled makes a value whose every text is evil, and every list and map has one entry.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "Next" {
				filled(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filled(key)
		filled(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(evil)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	default: // no answer has any of these
	}
}

func evilOf[T any](change ...func(*T)) any {
	var value T
	filled(reflect.ValueOf(&value).Elem())
	for _, c := range change {
		c(&value)
	}
	return value
}

// evilOffice answers everything with evil texts; with a status, as a problem.
func evilOffice(t *testing.T, status int, over func()) *httptest.Server {
	t.Helper()
	closed := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/v1")
		var answer any
		switch first, _, deeper := strings.Cut(strings.TrimPrefix(path, "/"), "/"); {
		case status == http.StatusUnprocessableEntity && first == "batches" && r.Method == http.MethodPost:
			answer = evilOf[api.BadFile]()
		case status != 0:
			answer = evilOf[api.Problem]()
		case first == "events" && closed:
			over() // who watches has seen everything
			<-r.Context().Done()
			return
		case first == "events":
			for name, data := range map[string]any{api.EventMissed: evilOf[api.Missed](), api.EventHeld: evilOf[api.Payout](), api.EventAction: evilOf[api.Action](), api.EventOverview: evilOf[api.Overview]()} {
				text, _ := json.Marshal(data)
				fmt.Fprintf(w, "event: %s\nid: 1-1\ndata: %s\n\n", name, text)
			}
			closed = true
			return
		case first == "overview":
			answer = evilOf[api.Overview]()
		case first == "batches" && r.Method == http.MethodPost:
			answer = evilOf(func(f *api.File) { f.Problems, f.Known.Other, f.Known.Same, f.Count = nil, 0, 0, 3 })
		case first == "batches" && deeper:
			answer = evilOf(func(b *api.Batch) { b.Closed = closed })
		case first == "batches":
			answer = evilOf[api.Batches]()
		case first == "payouts" && deeper:
			answer = evilOf[api.PayoutDetail]()
		case first == "payouts":
			answer = evilOf[api.Payouts]()
		case first == "why":
			answer = evilOf[api.Why]()
		case first == "actions" && (deeper || r.Method == http.MethodPost):
			answer = evilOf[api.Action]()
		case first == "actions":
			answer = evilOf[api.Actions]()
		case first == "records":
			answer = evilOf(func(r *api.Records) {
				if over == nil { // its times are read
					r.Records[0].Orders[0].NotBefore = ""
				}
			})
		case path == "/dead-letters/replay":
			answer = evilOf(func(r *api.Replay) { r.Next = "" })
		case first == "dead-letters" && deeper:
			answer = evilOf[api.LetterDetail]()
		case first == "dead-letters":
			answer = evilOf[api.Letters]()
		default:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if status != 0 {
			w.WriteHeader(status)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server
}

// evilLines are command lines of every command that shows something from outside.
func evilLines(file string) map[string][]string {
	return map[string][]string{
		"check": {"check " + file}, "send": {"send " + file + " --yes"}, "batches": {"batches"}, "batch": {"batch b", "batch b --file " + file}, "watch": {"watch b", "watch"},
		"show": {"show T"}, "why": {"why T"}, "held": {"held"}, "find": {"find --payee x"}, "actions": {"actions"},
		"reconcile": {"reconcile --batch b --statement " + file + " --columns tradeNo=tradeNo,amount=amount"},
		"pause":     {"pause fleet --reason x"}, "resume": {"resume fleet --reason x"}, "cancel": {"cancel payout:T --reason x"}, "confirm": {"confirm A --reason x"},
		"ask":          {"ask payout:T --reason x", "ask --from " + file + ".list --reason x --yes"},
		"resolve":      {"resolve T --as paid --reason x", "resolve --where state=held --as failed --reason x --yes"},
		"dead-letters": {"dead-letters list", "dead-letters show 0-1", "dead-letters replay --yes", "dead-letters replay 0-1 --yes"},
		"completion":   nil, // it shows nothing from outside
		"rehearse":     nil, // it asks nobody; the file's own texts are check's
	}
}

// Whatever the back office answers, nothing of it moves the cursor, makes a line of its own, or is anything but text.
func TestNothingFromOutsideReachesTheTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.csv")
	for name, text := range map[string]string{file: "tradeNo,amount,status\nT1,1,paid\nT2,1,\"=x\x1b[2J\nFORGED\"\n", file + ".list": "T1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("PAYCTL_TOKEN", "token")
	k, err := kong.New(&commands{}, kong.Vars(program().Vars))
	if err != nil {
		t.Fatal(err)
	}
	lines := evilLines(file)
	for _, leaf := range k.Model.Leaves(true) {
		name := strings.Fields(leaf.Path())[0]
		if _, listed := lines[name]; !listed && !leaf.Hidden {
			t.Errorf("payctl %s isn't tried", name)
		}
	}
	for _, status := range []int{0, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusInternalServerError} {
		for _, all := range lines {
			for _, line := range all {
				for _, more := range []string{"", " --json"} {
					if status >= 500 && strings.HasPrefix(line, "watch") {
						continue // it goes on
					}
					ctx, cancel := context.WithCancel(t.Context())
					server := evilOffice(t, status, cancel)
					t.Setenv("PAYCTL_URL", server.URL)
					var printed bytes.Buffer
					program().Run(ctx, strings.Fields(line+more), cli.Streams{Out: &printed, Err: &printed})
					cancel()
					server.Close()
					said := printed.String()
					for _, text := range strings.SplitAfter(said, "\n") {
						if strings.HasPrefix(text, "FORGED") || strings.IndexFunc(strings.TrimSuffix(text, "\n"), func(c rune) bool { return c != '\t' && !unicode.IsPrint(c) }) >= 0 {
							t.Errorf("payctl %s, status %d: %.300q", line+more, status, text)
							break
						}
					}
					if said == "" {
						t.Errorf("payctl %s, status %d: says nothing", line+more, status)
					}
				}
			}
		}
	}
}

// No cell of a table that we write begins as a formula does.
func TestNoCellIsAFormula(t *testing.T) {
	t.Setenv("PAYCTL_TOKEN", "token")
	t.Setenv("PAYCTL_URL", evilOffice(t, 0, nil).URL)
	dir := t.TempDir()
	file := filepath.Join(dir, "f.csv")
	if err := os.WriteFile(file, []byte("tradeNo,amount,walletId,customerName,=evil\n=T1,+1,-2,@x,\"\t=1\"\nT2,1,=HYPERLINK(1),k,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	statement := filepath.Join(dir, "s.csv")
	if err := os.WriteFile(statement, []byte("tradeNo,amount\n=T1,1\n@T2,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _ := site(t, good)
	written := []string{filepath.Join(dir, "r.csv"), file + ".errors.csv"}
	if status, out := run(t, "reconcile", "--batch", "b", "--statement", statement, "--columns", "tradeNo=tradeNo,amount=amount", "--csv", written[0]); status != cli.Failed {
		t.Error(status, out)
	}
	if status, out := run(t, "check", file, "--config", config); status != cli.Wrong {
		t.Error(status, out)
	}
	for _, name := range written {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil || len(rows) < 2 {
			t.Fatal(name, len(rows), err)
		}
		for _, row := range rows {
			if strings.HasSuffix(name, ".errors.csv") {
				row = row[len(row)-1:] // the other cells are the file's own: somebody corrects them
			}
			for _, cell := range row {
				if trimmed := strings.TrimLeft(cell, " \t\r\n"); trimmed != "" && strings.ContainsRune("=+-@", rune(trimmed[0])) {
					t.Errorf("%s: %q", filepath.Base(name), cell)
				}
			}
		}
	}
}
