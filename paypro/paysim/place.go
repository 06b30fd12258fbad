package paysim

import "time"

// authorize checks the signature. Every page requires one, except mexico/balance.
func (a *account) authorize(c call) (refusal string) {
	if a.profile.calls[c.op].unsigned {
		return ""
	}
	if !a.signed(c.params, c.sign) {
		return "sign error"
	}
	return ""
}

// handle executes a call and decides the answer. The caller holds mu. The answer shows the
// state of now, even if latency delays it.
func (a *account) handle(c call, now time.Time) answer {
	if c.problem != "" {
		return a.refuse(c.op, c.problem, now)
	}
	if refusal := a.authorize(c); refusal != "" {
		return a.refuse(c.op, refusal, now)
	}
	if a.outage == Disabled {
		return a.refuse(c.op, "merchant is disabled", now)
	}
	switch c.op {
	case opPayout:
		return a.place(c.params, now)
	case opQuery:
		return a.answerQuery(c.params, now)
	}
	return a.answerBalance(c.params, now)
}

// refuse answers outer 8000 and counts it. The reason is a key of Ledger.Requests, so it never
// contains a value.
func (a *account) refuse(o op, why string, now time.Time) answer {
	a.requests[o.String()+" refused: "+why]++
	return a.withLatency(refusal(why, now), "", len(a.arrivals[o]))
}

// place handles the payout call.
func (a *account) place(p params, now time.Time) answer {
	tradeNo := p.value("tradeNo")
	if tradeNo == "" {
		return a.refuse(opPayout, "tradeNo is required", now)
	}
	o := a.order(tradeNo)
	o.receive(p, now)
	fault := a.random.placementFault(&a.behavior, tradeNo, o.Placements)
	executed := true
	if fault == fault5000 || a.outage == Hung {
		executed = a.random.draw(drawExecuted, tradeNo, o.Placements) < 0.5
	}
	if a.outage == Hung {
		fault = faultHang
	}
	if fault == faultEarlyError || !executed {
		a.requests["payout "+faultNames[fault]+", not executed"]++
		return a.applyFault(fault, a.withLatency(systemException(now), tradeNo, o.Placements), now)
	}
	ok, wrong := a.accept(o, p, now)
	if wrong != "" {
		o.Refusals++
		ok = a.refuse(opPayout, wrong, now)
	} else {
		a.requests["payout "+faultNames[fault]]++
	}
	return a.applyFault(fault, a.withLatency(ok, tradeNo, o.Placements), now)
}

// accept executes a placement, or says what is wrong with it.
func (a *account) accept(o *order, p params, now time.Time) (ok answer, wrong string) {
	if a.outage == Broke {
		return ok, "insufficient balance"
	}
	if wrong := a.checkPayout(p); wrong != "" {
		return ok, wrong
	}
	if len(o.Executions) > 0 && a.repeat == Refuse {
		return ok, "tradeNo already exists"
	}
	if len(o.Executions) > 0 && a.repeat == Replay {
		return a.payoutReply(o, &o.Executions[0], p, now), ""
	}
	o.fate = a.random.fate(&a.behavior, o.TradeNo)
	switch o.fate {
	case fateRefused:
		return ok, "request failed"
	case fateFailedAtOnce, fateVanished:
		return a.payoutReply(o, &Execution{At: now, PlatformTradeNo: a.platformNumber(o.TradeNo, 0)}, p, now), ""
	}
	return a.payoutReply(o, a.execute(o, p.value("amount"), now), p, now), ""
}

// withLatency adds the latency, drawn for each call.
func (a *account) withLatency(ok answer, tradeNo string, attempt int) answer {
	u := a.random.draw(drawLatency, tradeNo, attempt)
	ok.wait = uniform(u, a.behavior.Latency, a.behavior.LatencyMax)
	return ok
}

// answerQuery handles the query call. Only our tradeNo is a key. What the provider answers to
// an unknown one is [U], and so is how soon it finds an order.
func (a *account) answerQuery(p params, now time.Time) answer {
	if wrong := a.checkCommon(opQuery, p); wrong != "" {
		return a.refuse(opQuery, wrong, now)
	}
	o := a.order(p.value("tradeNo"))
	o.Queries++
	fault := a.random.queryFault(&a.behavior, o.TradeNo, o.Queries)
	if a.outage == Hung {
		fault = faultHang
	}
	ok := a.queryAnswer(o, fault, now)
	a.requests["query "+faultNames[fault]]++
	return a.applyFault(fault, a.withLatency(ok, o.TradeNo, -o.Queries), now)
}

// queryAnswer is the answer to a query before faults change it.
func (a *account) queryAnswer(o *order, fault fault, now time.Time) answer {
	x := o.latestVisible(now)
	if x == nil {
		a.requests["query no record"]++
		return refusal("order does not exist", now)
	}
	if !x.settled(now) {
		return a.queryReply(o, x, statusPending, now)
	}
	status := x.Status
	if o.settledAnswers == 0 && status == statusPaid && a.random.draw(drawPartialFirst, o.TradeNo, 0) < a.behavior.PartialFirst {
		status = statusPartial
	}
	if fault == noFault || fault == faultHang && a.behavior.HangFor > 0 { // the client gets the answer, if late
		o.settledAnswers++
	}
	return a.queryReply(o, x, status, now)
}

var faultNames = map[fault]string{
	noFault: "answered", faultEarlyError: "http 500 early", faultLateError: "http 500", faultLost: "reply lost",
	fault5000: "outer 5000", faultGarbled: "garbled", faultHang: "hung",
}

// applyFault changes a good answer as the fault says.
func (a *account) applyFault(f fault, ok answer, now time.Time) answer {
	switch f {
	case faultEarlyError, faultLateError:
		return answer{status: 500, body: []byte("Internal Server Error"), wait: ok.wait}
	case faultLost:
		return answer{cut: true, wait: ok.wait}
	case fault5000:
		wait := ok.wait
		ok = systemException(now)
		ok.wait = wait
	case faultGarbled:
		ok.body = ok.body[:len(ok.body)/2]
	case faultHang:
		ok.wait, ok.noAnswer = a.behavior.HangFor, a.behavior.HangFor == 0
	}
	return ok
}
