package books

import "slices"

// Starts say from which offset on each partition can be read again. What stands before it is known to the books alone.
type Starts map[Topic]map[int]int64

func (s Starts) again(topic Topic, at Place) bool {
	start, known := s[topic][at.Partition]
	return known && at.Offset >= start
}

// Older drops what can be read again, and tells whether anything is left. Of copies only the first one is left: how many of
// the others can be read again isn't known.
func (p *Payout) Older(starts Starts) (left bool) {
	p.Orders = slices.DeleteFunc(p.Orders, func(o Order) bool { return starts.again(Commands, o.Place) })
	for i := range p.Orders {
		p.Orders[i].Copies = min(1, p.Orders[i].Copies)
	}
	p.Events = slices.DeleteFunc(p.Events, func(e Event) bool { return starts.again(Results, e.Place) })
	p.Lost = slices.DeleteFunc(p.Lost, func(l Lost) bool { return starts.again(DeadLetters, l.Place) })
	if p.Sent != nil && starts.again(Decisions, p.Sent.Place) {
		p.Sent = nil
	}
	if p.Sent != nil {
		p.Sent.Times = 1
	}
	return len(p.Orders)+len(p.Events)+len(p.Lost) > 0 || p.Sent != nil
}
