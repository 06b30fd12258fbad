package paypro

import (
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"disburser/message"
)

// extraProblems says what is wrong with the merchant's constant fields. None may have the name
// of a field that the call already has.
func (p profile) extraProblems() []error {
	errs := slices.Concat(
		checkExtra("extra.send", p.extra.Send),
		checkExtra("extra.query", p.extra.Query),
		checkExtra("extra.balance", p.extra.Balance),
	)
	for _, name := range slices.Sorted(maps.Keys(p.extra.Send)) {
		if _, payee := p.fields[name]; payee {
			errs = append(errs, inSetting("extra.send."+name, errors.New("is a payee field, which the command fills in")))
		}
	}
	if p.balanceHeaderOnly && len(p.extra.Balance) > 0 {
		errs = append(errs, inSetting("extra.balance", errors.New("can't be sent: the balance call of "+p.name+" has no fields")))
	}
	return errs
}

// checkExtra checks the constant fields of one call.
func checkExtra(setting string, fields map[string]string) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := checkConstant(name, fields[name]); err != nil {
			errs = append(errs, inSetting(setting+"."+name, err))
		}
	}
	return errs
}

// checkConstant checks the name and the value of a constant field.
func checkConstant(name, value string) error {
	switch {
	case !fieldName.MatchString(name):
		return errors.New("is no field name: use letters, digits and _")
	case slices.Contains(reservedNames, name):
		return errors.New("is filled in by the disburser, it can't be constant")
	case value == "":
		return errors.New("is empty, and what is empty is neither sent nor signed")
	case !validText(value):
		return errors.New("must be UTF-8 text without control characters")
	case utf8.RuneCountInString(value) > message.MaxPayeeField:
		return errors.New("must not be longer than 256 characters")
	}
	return nil
}
