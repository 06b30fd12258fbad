// Package disburse promises that each payout gets its next step when it is due. There are never
// more calls at once than slots, tickets and an unbroken provider allow.
//
// The loop asks the journal what is due and starts lanes: sends and asks of each merchant,
// announcements, reviews. A lane leases a group of payouts and makes a task of each. Polling,
// retry, crash recovery and unpublished results are the same thing: a payout that comes due.
//
// # A payout's way
//
//	send           prepared -> decided -> calling -> judged -> written -> done, or in hand
//	ask            prepared -> calling -> judged -> written -> done, or in hand
//	announcement   prepared (-> decided: ends by our own word) -> announcing -> judged -> written -> done
//	review         prepared -> judged -> written -> done
//	in hand        -> prepared for its ask, or -> announcing
//	returned       nothing was called, or nobody acknowledged: the payout comes due again
//	lost           nothing can be written under the lease any more: the payout comes due after it
//
// The table in task.go is complete: what it doesn't list is refused. A send is called only once
// its decision is acknowledged. The last check before each call is mayBegin, in begin.go.
//
// # Goroutines
//
//	 the journal: what is due
//	      |
//	+-----v-----+ starts  +------+  a task and its permit  +--------+  call   +----------+
//	|    Run    |-------->| lane |------------------------>| worker |<------->| provider |
//	+-----^-----+         +--^---+                         +---+----+         +----------+
//	      | Nudge            | a task in hand, for its ask     | a change
//	      |                  |                                 v
//	      |                  |         the lease goes on   +--------+  apply
//	      |                  +-----------------------------| writer |---------> the journal
//	      |                  |                             +-^-+----+
//	      |                  v in hand, to be announced      | |
//	      |            +-----------+  a change               | |
//	      |            | announcer |-------------------------+ |
//	      |            +-----------+                           |
//	      +--- what was written comes due before Run wakes ----+
//
// The journal nudges too, after each insert. So does a slot that becomes free, if a lane has found too
// few.
//
// What each goroutine owns, and what wakes it:
//
//	goroutine   there are                 owns                                  is woken by
//	Run         one                       when a lane ran last                  Nudge, its own timer
//	lane        one while it has work     its permits; tasks until decided      Run, its own timer, a task in hand
//	worker      one for each call         a task and its permit until judged    a lane
//	writer      one                       tasks from judged to written          a change in its channel, the last call's end
//	announcer   one                       tasks of the group it publishes       a task in hand to announce
//	executor    one, if there are any     its table of people's actions         its own timer, a worker that is done
//	its workers one for each action       that action's entry                   the executor
//
// Between two goroutines a task is in a channel (to the writer) or in hand (a list under a
// lock). Slots and breakers have locks of their own.
package disburse
