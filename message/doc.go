// Package message promises that what stands on the topics is read as it was written. These are the
// commands that come in, and the results, dead letters and decisions that go out. It is for the
// disburser and for programs that talk to it.
//
//	topic               write                          read
//	payout.commands     Encode                         Decode
//	                    EncodeCarried                  Decode, DecodeCarried, DecodeTrace
//	payout.results      EventOf, EncodeEvent           DecodeEvent
//	payout.dead-letter  EncodeDeadLetter               DecodeDeadLetter
//	payout.decisions    DecisionOf, EncodeDecision     DecodeDecision
//
// Nothing here talks to Kafka. A Message is a key, a value and headers. New makes one of what a Kafka
// library has read. HeadersAs gives such a library its headers. README, Messages, describes every
// field.
//
// # Rules of a command
//
// A command that breaks one of these is rejected, and its result says which. Without a valid
// tradeNo it is a dead letter. The merchant's currency and the fields of its country are checked
// later, by who knows them.
//
//	tradeNo               ValidTradeNo: 1 to MaxTradeNo of A–Z a–z 0–9 _ -
//	amount                money.Parse: plain digits with an optional fraction, more than zero
//	merchant, currency    at most MaxName characters
//	payee                 at most MaxPayeeFields texts, each of at most MaxPayeeField characters
//	remark, batchId       at most MaxRemark and MaxBatchID characters
//	batchSize             a whole number from 1 to MaxBatchSize
//	notBefore, expiresAt  ParseTime, years 2000 to 2199
//
// No text has a control character, or half of one. A name stands once, and its case counts.
package message
