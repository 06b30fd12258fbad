package message

// CarriedHeader marks a command that was published again because its payout had been
// open for long. Its value is how far it was: received, held, or sending if it may have
// been sent.
const CarriedHeader = "carried"

// CarriedReceivedAt and CarriedCountry go with it: when the payout was first read, and
// its country, which a merchant that isn't configured any more can't tell.
const (
	CarriedReceivedAt = "carried-received-at"
	CarriedCountry    = "carried-country"
)
