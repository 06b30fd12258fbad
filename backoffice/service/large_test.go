package service_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/rules"
)

// description is the part of the OpenAPI document that tests walk.
type description struct {
	Paths map[string]map[string]struct {
		OperationID string
		Parameters  []struct {
			Name, In string
			Schema   struct{ Type any }
		}
		RequestBody *struct{ Content map[string]any }
	}
}

func (o *office) described() (d description) {
	o.t.Helper()
	_, text := o.do("/api/v1/openapi.json", "")
	if err := json.Unmarshal(text, &d); err != nil || len(d.Paths) < 10 {
		o.t.Fatal(err)
	}
	return d
}

// A body of 10 MB is a problem that says so, or a file that is read as it comes.
func TestLargeBodies(t *testing.T) {
	k, c, _ := servicetest.World(t, nil)
	tokens := people(&c)
	o := &office{servicetest.StartFor(t, k, c, tokens["both"], rules.Merchants{}), t}
	o.caughtUp()
	large := []byte(`{"kind":"pause","scope":"fleet","reason":"` + strings.Repeat("x", 10<<20) + `"}`)
	table := []byte("tradeNo,amount\n" + strings.Repeat("1\n", 5<<20)) // more lines than a file may have
	wide := []byte("tradeNo,amount\n" + strings.Repeat("x", 10<<20))
	wrong := []byte("tradeNo,amount\n" + strings.Repeat("1\n", 300_000))
	tried := 0
	for path, operations := range o.described().Paths {
		operation, is := operations["post"]
		if !is {
			continue
		}
		tried++
		path = strings.TrimPrefix(path, "/api/v1")
		if _, isFile := operation.RequestBody.Content["text/csv"]; isFile {
			for _, test := range []struct {
				body   []byte
				status int
				says   string
			}{{table, http.StatusRequestEntityTooLarge, "2000000 lines"}, {wide, http.StatusUnprocessableEntity, "bytes"}, {wrong, http.StatusUnprocessableEntity, "more that aren't listed"}, {large, http.StatusUnprocessableEntity, "bytes"}} {
				status, text := o.post(path, tokens["both"], "text/csv", test.body)
				if status != test.status || !strings.Contains(string(text), test.says) || len(text) > 64<<20 {
					t.Errorf("%s with %.30q: %d %.300s", path, test.body, status, text)
				}
			}
			continue
		}
		status, text := o.post(path, tokens["both"], "application/json", large)
		var p api.Problem
		if err := json.Unmarshal(text, &p); status != http.StatusRequestEntityTooLarge || err != nil || p.Status != status || p.Detail == "" {
			t.Errorf("%s: %d %.300s", path, status, text)
		}
	}
	if tried < 2 {
		t.Errorf("%d routes take a body", tried)
	}
}
