package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"disburser/paypro/paysim"
)

// merchantNos are the provider's accounts of the merchants that trial pays for.
var merchantNos = map[string]string{"eg-main": "0000000001", "br-main": "0000000002"}

const secret = "chaos-secret"

var listening = regexp.MustCompile(`listening on http://(\S+)`)

// provider is a paysim process that pays again when asked again.
type provider struct {
	process *process
	address string
}

func newProvider(ctx context.Context, program, dir string, seed uint64, b paysim.Behavior) (*provider, error) {
	config, err := json.Marshal(paysim.Config{
		Seed: seed, Repeat: paysim.PayAgain, Behavior: b,
		Merchants: []paysim.Merchant{
			{Country: "egypt", MerchantNo: merchantNos["eg-main"], Secret: secret, BasePath: "/egy-pay"},
			{Country: "brazil", MerchantNo: merchantNos["br-main"], Secret: secret, BasePath: "/brz-pay"},
		},
	})
	if err != nil {
		return nil, err
	}
	file, log := filepath.Join(dir, "paysim.json"), filepath.Join(dir, "paysim.log")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	p, err := start("paysim", log, program, "--listen", "127.0.0.1:0", "--config", file)
	if err != nil {
		return nil, err
	}
	v := &provider{process: p}
	err = until(ctx, 20*time.Second, "paysim listens", func() bool {
		text, _ := os.ReadFile(log)
		if m := listening.FindSubmatch(text); m != nil {
			v.address = string(m[1])
		}
		return v.address != "" || !p.running()
	})
	if err == nil && v.address == "" {
		err = fmt.Errorf("paysim ended:\n%s", p.tail())
	}
	return v, err
}

// ledger asks the provider for its books.
func (v *provider) ledger(ctx context.Context) (l paysim.Ledger, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/ledger", nil)
	if err != nil {
		return l, err
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return l, err
	}
	defer res.Body.Close()
	return l, json.NewDecoder(res.Body).Decode(&l)
}

func (v *provider) close() {
	if v != nil {
		v.process.kill()
	}
}
