// Package books promises tables that say the same as the topics. A record counts once, in whatever order the topics are
// read: the tables follow from the set of the records that were read.
//
// The way of a record:
//   - decode.go makes facts of it: an order, an event, a send, a lost content;
//   - payout.go joins the facts of a tradeNo. Joining knows no order;
//   - view.go says what the facts of a tradeNo mean;
//   - total.go and batch.go count and sum up what was seen;
//   - write.go does all of that with a page of records, in one transaction with the page's offset.
package books
