package money

// Share is how much of an ordered amount a provider says was paid.
type Share uint8

// The shares.
const (
	ShareUnknown Share = iota // no readable amount, or nothing to compare it with
	ShareNothing
	SharePart
	ShareAll
	ShareMore
)

// ShareOf compares a paid amount with the ordered one by value: 300.00 is all of 300.
func (a Amount) ShareOf(paid string) Share {
	was, err := Read(paid)
	if a.IsZero() || err != nil {
		return ShareUnknown
	}
	switch c := was.Compare(a); {
	case was.Canonical() == "0":
		return ShareNothing
	case c < 0:
		return SharePart
	case c == 0:
		return ShareAll
	}
	return ShareMore
}
