package epochs

import "testing"

func TestAnEpochIsOpenOnOneServerOnly(t *testing.T) {
	for _, test := range []struct {
		standing Standing
		want     bool
	}{
		{Standing{RunID: "a", OpenedOn: "a", Epoch: Epoch{7, "x"}}, true},
		{Standing{RunID: "b", OpenedOn: "a", Epoch: Epoch{7, "x"}}, false},
		{Standing{RunID: "a", OpenedOn: "a", Epoch: Epoch{7, ""}}, false},
		{Standing{}, false},
	} {
		if got := test.standing.Open(); got != test.want {
			t.Errorf("%+v: %v", test.standing, got)
		}
	}
}
