package paysim

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Values of data.status (paypro-api.md §5.2).
const (
	statusPaid    = "0000"
	statusPartial = "0001"
	statusPending = "0015"
	statusFailed  = "00029"
	statusLimited = "0100019"
	statusUnknown = "00032"
)

var (
	outcomes = map[string]string{statusPaid: "paid", statusPartial: "partial", statusFailed: "failed",
		statusLimited: "failed", statusUnknown: "unknown"}
	messages = map[string]string{statusPaid: "SUCCESS", statusPartial: "PARTIAL_SUCCESS", statusPending: "CREDIT_INPROGRESS",
		statusFailed: "REJECTED_TRANSACTION", statusLimited: "DAILY_LIMIT", statusUnknown: "UNKNOWN_ERROR"}
)

// envelope is the outer layer of every answer. The tables call timestamp and success texts, the
// samples show a number and a boolean (paypro-api.md §4.1). The simulator follows the samples.
type envelope struct {
	Msg       string `json:"msg"`
	Code      string `json:"code"`
	Timestamp any    `json:"timestamp"`
	Success   any    `json:"success"`
	Data      any    `json:"data"`
}

func (e envelope) answer() answer {
	body, err := json.Marshal(e)
	if err != nil { // it has texts, numbers and maps of them only, which always encode
		panic(err)
	}
	return answer{status: http.StatusOK, body: body}
}

// refusal is outer 8000. What data is then is [U]; here it is null.
func refusal(why string, now time.Time) answer {
	return envelope{Msg: why, Code: "8000", Timestamp: now.UnixMilli(), Success: false}.answer()
}

// systemException is outer 5000, which says nothing about the order.
func systemException(now time.Time) answer {
	return envelope{Msg: "system exception", Code: "5000", Timestamp: now.UnixMilli(), Success: false}.answer()
}

func success(data any, now time.Time) envelope {
	return envelope{Msg: "success", Code: "0000", Timestamp: now.UnixMilli(), Success: true, Data: data}
}

// payoutData is the data of the answer to a payout (pages egypt/payout, kenya/payout).
type payoutData struct {
	TradeNo         string `json:"tradeNo"`
	PlatFormTradeNo string `json:"platFormTradeNo,omitempty"`
	SerialNumber    string `json:"serialNumber,omitempty"`
	Status          string `json:"status"`
	Desc            string `json:"desc"`
	Remark          string `json:"remark"`
}

// payoutReply is the answer to an accepted placement.
func (a *account) payoutReply(o *order, x *Execution, p params, now time.Time) answer {
	d := payoutData{TradeNo: o.TradeNo, Status: statusPending, Desc: "CREATED", Remark: p.value("remark")}
	switch {
	case x.Status == "" && o.fate == fateFailedAtOnce: // no order is kept
		d.Status = statusFailed
	case x.atOnce:
		d.Status = x.Status
	}
	if d.Status != statusPending {
		d.Desc = messages[d.Status]
	}
	if a.profile.serialNumber {
		d.SerialNumber = x.PlatformTradeNo
	} else {
		d.PlatFormTradeNo = x.PlatformTradeNo
	}
	return success(d, now).answer()
}

// queryData is the data of the answer to a query (paypro-api.md §4.3).
type queryData struct {
	TradeNo         string `json:"tradeNo"`
	PlatFormTradeNo string `json:"platFormTradeNo"`
	Status          string `json:"status"`
	Message         string `json:"message"`
	Amount          any    `json:"amount,omitempty"`
	OrderAmount     string `json:"orderAmount,omitempty"`
	PayAmount       string `json:"payAmount,omitempty"`
	SuccessTime     string `json:"successTime"`
}

// queryReply is the answer to a query that found an execution. As in the samples, a failure has
// a successTime too, and amounts before the outcome mean nothing.
func (a *account) queryReply(o *order, x *Execution, status string, now time.Time) answer {
	d := queryData{TradeNo: o.TradeNo, PlatFormTradeNo: x.PlatformTradeNo, Status: status, Message: messages[status]}
	if status != statusPending {
		d.SuccessTime = x.SettledAt.In(a.profile.zone).Format(time.DateTime)
	}
	paid := x.PaidAmount
	if status == statusPartial || status == statusPending { // a pending answer and PartialFirst show half too
		paid = half(x.Amount)
	}
	amount := x.Amount
	if status == statusPartial {
		amount = paid
	}
	switch a.profile.amounts {
	case twoAmounts:
		d.OrderAmount, d.PayAmount = fixed(x.Amount, 2), fixed(paid, 2)
	case numberAmount:
		d.Amount = json.Number(fixed(amount, 4))
	default:
		d.Amount = amount
	}
	return success(d, now).answer()
}

// fixed writes an amount with at least that many decimals.
func fixed(amount string, decimals int) string {
	whole, fraction, _ := strings.Cut(amount, ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" { // JSON numbers take no leading zeros
		whole = "0"
	}
	if short := decimals - len(fraction); short > 0 {
		fraction += strings.Repeat("0", short)
	}
	return whole + "." + fraction
}

// openingBalance is the balance at the start (page mexico/balance).
const openingBalance = "9998989"

// answerBalance handles the balance call. That freezeAmount is the sum of pending payouts is a
// guess [U]. It adds up all orders, which is slow, but balance calls are rare.
func (a *account) answerBalance(p params, now time.Time) answer {
	if wrong := a.checkCommon(opBalance, p); wrong != "" {
		return a.refuse(opBalance, wrong, now)
	}
	available, frozen := a.balances(now)
	name := "availableAmount"
	if a.profile.shortAvailable {
		name = "availablAmount"
	}
	e := success(map[string]any{name: a.money(available), "freezeAmount": a.money(frozen), "unsettledAmount": a.money(new(big.Rat))}, now)
	if a.profile.textEnvelope {
		e.Timestamp, e.Success = strconv.FormatInt(now.UnixMilli(), 10), "true"
	}
	a.requests["balance answered"]++
	return a.withLatency(e.answer(), "", len(a.arrivals[opBalance]))
}

func (a *account) money(r *big.Rat) any {
	if a.profile.numberBalance {
		return json.Number(r.FloatString(4))
	}
	return r.FloatString(4)
}

// balances returns what is available and what is frozen for pending payouts.
func (a *account) balances(now time.Time) (available, frozen *big.Rat) {
	available, frozen = ratOr(a.Balance, openingBalance), new(big.Rat)
	for _, o := range a.orders {
		for i := range o.Executions {
			x := &o.Executions[i]
			if x.settled(now) {
				available.Sub(available, ratOr(x.PaidAmount, "0"))
				continue
			}
			amount := ratOr(x.Amount, "0")
			available.Sub(available, amount)
			frozen.Add(frozen, amount)
		}
	}
	return available, frozen
}
