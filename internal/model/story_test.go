package model

import (
	"fmt"
	"slices"
	"strings"
)

// step is who did what where.
type step struct {
	what act
	who  uint8
	at   uint8 // a copy of Redis or a partition
}

func did(what act, who, at int) step { return step{what, uint8(who), uint8(at)} }

type act uint8

// What can be done. Some are followed by variants: see words.
const (
	inserts act = iota
	leasesSend
	leasesExpiry
	leasesAsk
	leasesAnnounce
	skipsDecision
	decides
	decidesEnd
	decidesUnacknowledged
	decidesEndUnacknowledged
	decidesLate
	decidesEndLate
	notWritten
	leftEpoch
	looks
	seesFence
	sends
	notSent
	tooLate
	asksPaid
	asksNoRecord
	announces
	announcesRejected
	drops
	joins
	begins
	fences
	fencesUnacknowledged
	fencesLate
	skipsFence
	notes
	overtakenAt
	replays
	replaysResults
	replaysDecisions
	callsDone
	dropsPortion
	opens
	buildRefused
	marksLook
	marksRead
	marksWrite
	marksDrop
	leaseEnds
	arrives
	dies
	wipes
	freezes
	splits
	restarts
	applies               // + the new state
	appliesUnacknowledged = applies + 8
)

// words say it; %[1]s is the instance, %[2]s the copy of Redis, %[3]d the partition.
var words = map[act]string{
	inserts:                  "%[1]s inserts the command into %[2]s: received",
	leasesSend:               "%[1]s leases the payout for a send in %[2]s: sending",
	leasesExpiry:             "%[1]s leases the payout in %[2]s because expiresAt has passed",
	leasesAsk:                "%[1]s leases the payout for an ask in %[2]s",
	leasesAnnounce:           "%[1]s leases the payout for its announcement in %[2]s",
	skipsDecision:            "%[1]s writes no decision",
	decides:                  "%[1]s decides to send: record in partition %[3]d, acknowledged",
	decidesEnd:               "%[1]s decides that it is rejected: record in partition %[3]d, acknowledged",
	decidesUnacknowledged:    "%[1]s decides to send: record in partition %[3]d, but the acknowledgement is lost",
	decidesEndUnacknowledged: "%[1]s decides that it is rejected: record in partition %[3]d, but the acknowledgement is lost",
	decidesLate:              "%[1]s decides to send: no acknowledgement, the record is still on its way to partition %[3]d",
	decidesEndLate:           "%[1]s decides that it is rejected: no acknowledgement, the record is still on its way to partition %[3]d",
	notWritten:               "%[1]s decides, but partition %[3]d refuses the record",
	leftEpoch:                "%[1]s notices that it has left the lease's epoch",
	looks:                    "%[1]s looks: no foreign fence before its record in partition %[3]d",
	seesFence:                "%[1]s looks: a foreign fence stands in partition %[3]d; the epoch is over for it",
	sends:                    "%[1]s sends: THE PROVIDER PAYS",
	notSent:                  "%[1]s does not send: no token in time",
	tooLate:                  "%[1]s does not send: its lease is over",
	asksPaid:                 "%[1]s asks the provider: paid",
	asksNoRecord:             "%[1]s asks the provider: no record",
	announces:                "%[1]s announces: PAID",
	announcesRejected:        "%[1]s announces: REJECTED",
	drops:                    "%[1]s drops its lease",
	joins:                    "%[1]s joins the epoch that %[2]s says is open",
	begins:                   "%[1]s writes the building record of a new epoch into %[2]s",
	fences:                   "%[1]s fences partition %[3]d",
	fencesUnacknowledged:     "%[1]s fences partition %[3]d, but the acknowledgement is lost; it starts over",
	fencesLate:               "%[1]s fences partition %[3]d: no acknowledgement, the fence is still on its way; it starts over",
	skipsFence:               "%[1]s leaves partition %[3]d without a fence",
	notes:                    "%[1]s notes the end of partition %[3]d",
	overtakenAt:              "%[1]s finds a later fence in partition %[3]d; it starts over",
	replays:                  "%[1]s replays results and decisions into %[2]s",
	replaysResults:           "%[1]s replays the results into %[2]s",
	replaysDecisions:         "%[1]s replays the decisions into %[2]s",
	callsDone:                "%[1]s calls its portion done in %[2]s",
	dropsPortion:             "%[1]s drops its portion",
	opens:                    "%[1]s opens its epoch in %[2]s",
	buildRefused:             "%[1]s finds its building record gone; it starts over",
	marksLook:                "%[1]s looks for foreign fences, for a watermark: none",
	marksRead:                "%[1]s reads the ends of results and decisions, for a watermark",
	marksWrite:               "%[1]s writes the watermark into %[2]s",
	marksDrop:                "%[1]s drops its watermark",
	leaseEnds:                "%[1]s's lease ends",
	arrives:                  "the late record arrives in partition %[3]d",
	dies:                     "%[1]s dies and starts again",
	wipes:                    "%[2]s is wiped",
	freezes:                  "%[2]s's replica and disk get nothing more from here on",
	splits:                   "the replica is promoted beside its master: Redis is split, %[2]s is the new half",
	restarts:                 "%[2]s comes back as disk or replica had it",
}

var stateWords = []string{"absent", "received", "received again", "sending", "paid", "rejected", "paid, announced", "rejected, announced"}

func (w step) String() string {
	who, where := string('A'+rune(w.who)), "Redis "+string('1'+rune(w.at))
	switch {
	case w.what >= appliesUnacknowledged:
		return fmt.Sprintf("%s writes %s into %s, but the reply is lost", who, stateWords[w.what-appliesUnacknowledged], where)
	case w.what >= applies:
		return fmt.Sprintf("%s writes %s into %s", who, stateWords[w.what-applies], where)
	}
	text := strings.NewReplacer("%[1]s", who, "%[2]s", where, "%[3]d", fmt.Sprint(w.at)).Replace(words[w.what])
	return text
}

// trace is the shortest way to the violation.
func (r *run) trace() []string {
	var path []uint32
	for at := r.last; ; at = r.from[at] {
		path = append(path, at)
		if at == 0 {
			break
		}
	}
	slices.Reverse(path)
	var lines []string
	for i := 0; i+1 < len(path); i++ {
		s, goal := r.seen.key(path[i]).unpack(), r.seen.key(path[i+1])
		found := ""
		r.took = func(what step, t *state) {
			if found == "" && t.pack() == goal {
				found = what.String()
			}
		}
		r.steps(&s)
		lines = append(lines, found)
	}
	return lines
}
