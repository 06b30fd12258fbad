package config

import "time"

// Default is the Config of a file that says nothing. It has no merchants (see
// DefaultMerchant), and brokers and addresses are for the file to say.
func Default() Config {
	return Config{
		Kafka: Kafka{
			Group: "disburser",
			// Long enough for a garbage collection or a slow broker, short enough
			// that a dead instance's partitions move before anybody notices.
			SessionTimeout: 10 * time.Second,
			Topics: Topics{
				Commands:   "payout.commands",
				Results:    "payout.results",
				Decisions:  "payout.decisions",
				DeadLetter: "payout.dead-letter",
			},
		},
		Redis: Redis{
			Namespace:   "disburser",
			Shards:      1,                   // one server does what a fleet needs; more only helps a cluster
			DedupWindow: 30 * 24 * time.Hour, // a monthly payroll repeated by mistake is still recognised
		},
		Breaker: Breaker{
			FailureRatio: 0.5,              // half of all calls failing is no accident
			MinRequests:  20,               // fewer calls prove nothing
			Window:       30 * time.Second, // a calm day must not outweigh a bad half-minute
			OpenFor:      10 * time.Second, // most hiccups are over by then
			MaxOpenFor:   60 * time.Second, // after a long outage work goes on within a minute
			Probes:       3,                // one good answer may be luck
			Refusals:     20,               // a low balance or a revoked key refuses everything
		},
		Disburse: Disburse{
			Slots:   128,              // 100 calls a second that take a second each, and some room
			Lease:   30 * time.Second, // the timeout and its margin, twice
			MaxOpen: 1_000_000,        // at about 1 kB each what a small Redis holds
			Drain:   25 * time.Second, // Kubernetes kills after 30 s
		},
		Admin:                Admin{Listen: "127.0.0.1:8080"}, // reachable by others only if somebody wants it
		UnknownMerchantGrace: 5 * time.Minute,                 // what a rollout of a new file takes
		Log:                  Log{Level: "info", Format: "json"},
	}
}

// DefaultMerchant is the merchant of whom nothing is said; country, base_url,
// merchant_no, the secret and notify_url are for the file to say.
func DefaultMerchant() Merchant {
	return Merchant{
		Salt:          "suffix",         // the only place that any page shows (paypro-api.md §2)
		UnknownStatus: "hold",           // a wrong guess at "failed" invites a second payment
		Contradiction: "announce",       // the pages don't say in which unit the query's amount is
		Timeout:       10 * time.Second, // the provider answers in one or two; after ten it is lost
		Send:          Rate{Rate: 50, Burst: 5},
		Query:         Rate{Rate: 100, Burst: 10}, // twice the sends: a payout is asked about more than once
		Poll: Poll{
			First:  2 * time.Second, // most are settled by then
			Factor: 1.6,             // 2 s to 5 min in about ten steps
			Max:    5 * time.Minute,
			GiveUp: 72 * time.Hour, // a weekend and a bank holiday
			Learn:  true,           // fewer asks, and nobody waits longer for a result
		},
		NoRecord: NoRecord{
			Answers: 3,               // one may come from a replica that lags
			Every:   5 * time.Minute, // longer than any such lag
			Then:    "hold",          // resend needs the provider's word
			Codes:   []string{"8000"},
		},
	}
}
