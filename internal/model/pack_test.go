package model

// packed is a state in 40 bytes.
type packed [5]uint64

type packer struct {
	word uint64
	at   uint
}

func (p *packer) put(v uint8, width uint) {
	p.word |= uint64(v) << p.at
	p.at += width
}

func (p *packer) take(width uint) uint8 {
	v := uint8(p.word>>p.at) & (1<<width - 1)
	p.at += width
	return v
}

func (s *state) pack() packed {
	a, b, c := s.redis[0].pack(), s.redis[1].pack(), s.redis[2].pack()
	p := packer{}
	for _, f := range []uint8{s.paid, s.said, s.faults} {
		p.put(f, 2)
	}
	p.put(s.epochs, 3)
	p.put(s.fence[0], 3)
	p.put(s.fence[1], 3)
	return packed{
		s.instance[0].pack(), s.instance[1].pack(),
		a | b<<32, c | p.word<<32 | s.numbers()<<48,
		uint64(s.log[0]) | uint64(s.log[1])<<16 | s.beside()<<32,
	}
}

func (k packed) unpack() state {
	var s state
	s.instance[0].unpack(k[0])
	s.instance[1].unpack(k[1])
	s.redis[0].unpack(k[2] & (1<<32 - 1))
	s.redis[1].unpack(k[2] >> 32)
	s.redis[2].unpack(k[3] & (1<<32 - 1))
	p := packer{word: k[3] >> 32}
	for _, f := range []*uint8{&s.paid, &s.said, &s.faults} {
		*f = p.take(2)
	}
	s.epochs, s.fence[0], s.fence[1] = p.take(3), p.take(3), p.take(3)
	s.log[0], s.log[1] = decisions(uint16(k[4])), decisions(uint16(k[4]>>16))
	p = packer{word: k[4] >> 32}
	m, l := &s.marker, &s.late
	m.at, m.epoch, m.ends[0], m.ends[1], m.said = p.take(2), p.take(3), p.take(3), p.take(3), p.take(2)
	l.kind, l.epoch, l.at = p.take(2), p.take(3), p.take(1)
	p = packer{word: k[3] >> 48}
	for e := 1; e <= mostEpochs; e++ {
		s.number[e] = p.take(2)
	}
	return s
}

func (s *state) numbers() uint64 {
	p := packer{}
	for e := 1; e <= mostEpochs; e++ {
		p.put(s.number[e], 2)
	}
	return p.word
}

// beside is what goes on beside the instances.
func (s *state) beside() uint64 {
	p := packer{}
	m, l := s.marker, s.late
	p.put(m.at, 2)
	p.put(m.epoch, 3)
	p.put(m.ends[0], 3)
	p.put(m.ends[1], 3)
	p.put(m.said, 2)
	p.put(l.kind, 2)
	p.put(l.epoch, 3)
	p.put(l.at, 1)
	return p.word
}

func (d *redis) pack() uint64 {
	p := packer{}
	p.put(d.kind, 2)
	p.put(d.epoch, 3)
	p.put(d.building, 3)
	p.put(d.state, 3)
	p.put(d.token, 2)
	p.put(d.waits, 2)
	p.put(d.mark[0], 3)
	p.put(d.mark[1], 3)
	p.put(d.markSaid, 2)
	p.put(d.number, 2)
	p.put(d.done, 2)
	return p.word
}

func (d *redis) unpack(word uint64) {
	p := packer{word: word}
	d.kind, d.epoch, d.building = p.take(2), p.take(3), p.take(3)
	d.state, d.token, d.waits = p.take(3), p.take(2), p.take(2)
	d.mark[0], d.mark[1], d.markSaid, d.number, d.done = p.take(3), p.take(3), p.take(2), p.take(2), p.take(2)
}

func (n *instance) pack() uint64 {
	p := packer{}
	p.put(n.belief, 3)
	p.put(n.blind, 1)
	p.put(n.keep, 4)
	p.put(n.build, 3)
	p.put(n.noted[0], 3)
	p.put(n.noted[1], 3)
	p.put(n.said, 2)
	p.put(n.work, 4)
	p.put(n.lease, 3)
	p.put(n.void, 1)
	p.put(n.sent, 1)
	p.put(n.live, 1)
	p.put(n.portion, 2)
	p.put(n.portionOf, 3)
	return p.word
}

func (n *instance) unpack(word uint64) {
	p := packer{word: word}
	n.belief, n.blind = p.take(3), p.take(1)
	n.keep, n.build, n.noted[0], n.noted[1], n.said = p.take(4), p.take(3), p.take(3), p.take(3), p.take(2)
	n.work, n.lease, n.void, n.sent, n.live = p.take(4), p.take(3), p.take(1), p.take(1), p.take(1)
	n.portion, n.portionOf = p.take(2), p.take(3)
}
