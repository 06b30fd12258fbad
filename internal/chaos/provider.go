package chaos

import (
	"context"
	"encoding/json"

	"disburser/internal/harness"
	"disburser/paypro/paysim"
)

// merchantNos are the provider's accounts of the merchants that trial pays for.
var merchantNos = map[string]string{"eg-main": "0000000001", "br-main": "0000000002"}

const secret = "chaos-secret"

// provider is a paysim process that pays again when asked again.
type provider struct{ *harness.Provider }

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
	v, err := harness.StartProvider(ctx, program, dir, config)
	if v == nil {
		return nil, err
	}
	return &provider{v}, err
}

// ledger asks the provider for its books.
func (v *provider) ledger(ctx context.Context) (l paysim.Ledger, err error) {
	err = v.Ledger(ctx, &l)
	return l, err
}

func (v *provider) close() {
	if v != nil {
		v.Kill()
	}
}
