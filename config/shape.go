package config

import "maps"

// This file is the shape of the YAML file: which key goes where.

// keys are the keys that a mapping may have, and what takes the value of each.
type keys map[string]into

func (c *Config) keys() keys {
	return keys{
		"kafka":                  section(c.Kafka.keys()),
		"redis":                  section(c.Redis.keys()),
		"merchants":              named(&c.Merchants, readMerchant),
		"breaker":                section(c.Breaker.keys()),
		"disburse":               section(c.Disburse.keys()),
		"admin":                  section(keys{"listen": text(&c.Admin.Listen), "token": secret(&c.Admin.Token)}),
		"unknown_merchant_grace": duration(&c.UnknownMerchantGrace),
		"log":                    section(keys{"level": text(&c.Log.Level), "format": text(&c.Log.Format)}),
	}
}

func (k *Kafka) keys() keys {
	return keys{
		"brokers":          addresses(&k.Brokers),
		"group":            text(&k.Group),
		"session_timeout":  duration(&k.SessionTimeout),
		"require_replicas": whole(&k.RequireReplicas),
		"topics": section(keys{
			"commands":    text(&k.Topics.Commands),
			"results":     text(&k.Topics.Results),
			"decisions":   text(&k.Topics.Decisions),
			"dead_letter": text(&k.Topics.DeadLetter),
		}),
		"tls": section(keys{
			"enabled":   truth(&k.TLS.Enabled),
			"ca_file":   text(&k.TLS.CAFile),
			"cert_file": text(&k.TLS.CertFile),
			"key_file":  text(&k.TLS.KeyFile),
		}),
		"sasl": section(keys{
			"mechanism": text(&k.SASL.Mechanism),
			"username":  text(&k.SASL.Username),
			"password":  unlessUnused(secret(&k.SASL.Password)),
		}),
	}
}

func (r *Redis) keys() keys {
	return keys{
		"addresses":         addresses(&r.Addresses),
		"master_name":       text(&r.MasterName),
		"username":          text(&r.Username),
		"password":          secret(&r.Password),
		"sentinel_username": text(&r.SentinelUsername),
		"sentinel_password": secret(&r.SentinelPassword),
		"tls":               truth(&r.TLS),
		"db":                whole(&r.DB),
		"namespace":         text(&r.Namespace),
		"shards":            whole(&r.Shards),
		"dedup_window":      duration(&r.DedupWindow),
	}
}

// keys has no secret_file: readMerchant turns that into a secret.
func (m *Merchant) keys() keys {
	return keys{
		"country":           text(&m.Country),
		"base_url":          link(&m.BaseURL),
		"merchant_no":       text(&m.MerchantNo),
		"secret":            secret(&m.Secret),
		"notify_url":        link(&m.NotifyURL),
		"currency":          text(&m.Currency),
		"salt":              text(&m.Salt),
		"sign_in":           text(&m.SignIn),
		"accept_unverified": truth(&m.AcceptUnverified),
		"paths": section(keys{
			"send":    text(&m.Paths.Send),
			"query":   text(&m.Paths.Query),
			"balance": text(&m.Paths.Balance),
		}),
		"fields":         named(&m.Fields, readField),
		"amount":         section(keys{"min": text(&m.Amount.Min), "max": text(&m.Amount.Max), "decimals": text(&m.Amount.Decimals)}),
		"unknown_status": text(&m.UnknownStatus),
		"contradiction":  text(&m.Contradiction),
		"timeout":        duration(&m.Timeout),
		"send":           section(m.Send.keys()),
		"query":          section(m.Query.keys()),
		"poll":           section(m.Poll.keys()),
		"no_record":      section(m.NoRecord.keys()),
		"too_fast":       section(keys{"codes": texts(&m.TooFast.Codes)}),
		"extra": section(keys{
			"send":    named(&m.Extra.Send, readText),
			"query":   named(&m.Extra.Query, readText),
			"balance": named(&m.Extra.Balance, readText),
		}),
	}
}

func (r *Rate) keys() keys {
	return keys{"rate": number(&r.Rate), "burst": whole(&r.Burst)}
}

func (p *Poll) keys() keys {
	return keys{
		"first":   duration(&p.First),
		"factor":  number(&p.Factor),
		"max":     duration(&p.Max),
		"give_up": duration(&p.GiveUp),
		"learn":   truth(&p.Learn),
	}
}

func (n *NoRecord) keys() keys {
	return keys{
		"answers":    whole(&n.Answers),
		"every":      duration(&n.Every),
		"then":       text(&n.Then),
		"codes":      texts(&n.Codes),
		"empty_data": truth(&n.EmptyData),
	}
}

func (f *Field) keys() keys {
	return keys{
		"required": truth(&f.Required),
		"pattern":  text(&f.Pattern),
		"one_of":   texts(&f.OneOf),
		"max_len":  whole(&f.MaxLen),
		"drop":     truth(&f.Drop),
	}
}

func (b *Breaker) keys() keys {
	return keys{
		"failure_ratio": number(&b.FailureRatio),
		"min_requests":  whole(&b.MinRequests),
		"window":        duration(&b.Window),
		"open_for":      duration(&b.OpenFor),
		"max_open_for":  duration(&b.MaxOpenFor),
		"probes":        whole(&b.Probes),
		"refusals":      whole(&b.Refusals),
	}
}

func (d *Disburse) keys() keys {
	return keys{
		"slots":    whole(&d.Slots),
		"lease":    duration(&d.Lease),
		"max_open": whole(&d.MaxOpen),
		"drain":    duration(&d.Drain),
	}
}

// and returns both tables in one.
func (k keys) and(more keys) keys {
	all := maps.Clone(k)
	maps.Copy(all, more)
	return all
}
