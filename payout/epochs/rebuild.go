package epochs

// Portion is a part of a rebuild: one partition of the results or of the decisions. One instance
// at a time works it off.
type Portion struct {
	Decisions bool `json:"-"` // else of the results
	Partition int  `json:"-"`

	From int64 `json:"from"` // the first offset of the portion
	Next int64 `json:"next"` // everything before it has been restored
	End  int64 `json:"end"`

	Fence   string `json:"fence,omitempty"`   // of decisions: the epoch id of the last fence before Next, "" if none was seen
	Highest int    `json:"highest,omitempty"` // the highest number of an epoch seen so far
	Worked  int    `json:"worked,omitempty"`  // the same, of epochs that did more than begin
	Action  string `json:"action,omitempty"`  // the latest action on record in what was read; see acts.Place
	Lost    int64  `json:"lost,omitempty"`    // of what came before, in ms, something is gone from the topics; 0 if nothing is known to be

	Done bool `json:"-"`
}
