package api

// The names of the events of GET /events. Each event's data is one JSON value: an Overview, an Action, a Payout or a Missed.
const (
	EventOverview = "overview" // once a second
	EventAction   = "action"   // what a person said, or what came of it, when the books have read it
	EventHeld     = "held"     // a payout became held
	EventMissed   = "missed"   // what happened since Last-Event-ID isn't told whole
)

// Missed says that a stream goes on now, and not where the one before has ended.
type Missed struct {
	Detail string `json:"detail" doc:"why, and where to read what was missed"`
}
