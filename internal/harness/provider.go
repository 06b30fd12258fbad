package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Provider is a paysim process.
type Provider struct {
	*Process
	Address string
}

var listening = regexp.MustCompile(`listening on http://(\S+)`)

// StartProvider runs the simulator with a configuration of its own and waits until it
// listens.
func StartProvider(ctx context.Context, program, dir string, config []byte) (*Provider, error) {
	file := filepath.Join(dir, "paysim.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	p, err := Start("paysim", filepath.Join(dir, "paysim.log"), program, "--listen", "127.0.0.1:0", "--config", file)
	if err != nil {
		return nil, err
	}
	v := &Provider{Process: p}
	err = Until(ctx, 20*time.Second, "paysim listens", func() bool {
		if m := listening.FindSubmatch(p.Printed()); m != nil {
			v.Address = string(m[1])
		}
		return v.Address != "" || !p.Running()
	})
	if err == nil && v.Address == "" {
		err = fmt.Errorf("paysim ended:\n%s", p.Tail())
	}
	return v, err
}

// Ledger reads the provider's books.
func (v *Provider) Ledger(ctx context.Context, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.Address+"/ledger", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}
