package model

// guard is a rule of protocol.md that a run can leave out.
type guard uint32

// The rules, in the order of protocol.md.
const (
	stateCheck    guard = 1 << iota // S1: only what is received is leased for a send
	tokenCheck                      // S2: apply compares the token
	decision                        // S3: nothing is sent before a decision is written
	acknowledged                    // S3: acknowledged means that both errors are nil
	theLook                         // S4: no foreign fence between the last look and the own record
	lookFromFence                   // S4: an instance that joins looks from its epoch's fence, not from where it starts
	leaseEpoch                      // S4, E2: what was leased in one epoch is not decided or written in the next
	deadline                        // S5: no byte of a request leaves after the lease
	finalDecision                   // O2: an own final is a decision too
	finalLook                       // O2: with its look
	waitAfter                       // O4: after a rebuild "no record" counts only when every lease from before it is over
	byID                            // E1: epochs are told apart by id, not by number
	runID                           // E2: every script compares the server's run id
	buildRefuses                    // E4 a: from the building record on every script of the old epoch refuses
	fenceAll                        // E4 b: a fence in every partition
	notedAfter                      // E4 c: ends are noted after the fences
	fenceLast                       // E4 c: the own fence is the last one in every partition
	replay                          // E4 d: what the log says is written into Redis before it opens
	sendOutranks                    // E4 d: a final of our own without a valid decision ranks below a decision to send
	finalValid                      // E4 d: a final decision counts only if its epoch is that of the last fence before it
	tiedReplay                      // E4 e: each write of the replay, and the opening, requires the own building record
	markLooks                       // E5: no watermark past a foreign fence
	markOrder                       // E5: ends first, then the look
)

func (g guard) has(one guard) bool { return g&one != 0 }

// options are what a run may do, and which rules it goes without.
type options struct {
	off      guard
	faults   int  // of Redis: wipes, restarts and splits
	epochs   int  // ids, the first one included
	together bool // both instances decide in the same partition
	busy     bool // an instance that holds a lease may build at the same time
	late     bool // what was not acknowledged may arrive later
	expiry   bool // expiresAt may pass
	mark     bool // watermarks are written
}
