package rules

import (
	"disburser/config"
	"disburser/paypro"
)

// FieldsOf are a merchant's own rules for payee fields, as the provider's package wants them.
func FieldsOf(m config.Merchant) map[string]paypro.Field {
	fields := make(map[string]paypro.Field, len(m.Fields))
	for name, f := range m.Fields {
		fields[name] = paypro.Field{Required: f.Required, Pattern: f.Pattern, OneOf: f.OneOf, MaxLen: f.MaxLen, Drop: f.Drop}
	}
	return fields
}
