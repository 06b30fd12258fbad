package simulation

import (
	"slices"
	"sync"
	"time"

	"disburser/paypro/paysim"
)

// unleash lets all faults of the plan happen and returns when the last one is over.
func (w *world) unleash() {
	var faults sync.WaitGroup
	redis := make(chan struct{}, 1) // one fault of Redis at a time
	for _, f := range w.plan.Faults {
		faults.Go(func() {
			switch f.Kind {
			case Kill:
				w.killed(f)
			case Pause:
				w.paused(f)
			case Lose:
				w.losing(f)
			case Wipe, Restart, SetBack, Split:
				w.unstored(f, redis)
			case Leaders:
				w.until(f.At)
				w.broker.ShufflePartitionLeaders()
				w.broker.RehashCoordinators()
			case Ail:
				w.until(f.At)
				cure := w.broker.ail(f.Which)
				w.until(min(f.At+f.For, calm))
				cure()
			case Outage:
				w.until(f.At)
				w.provider.SetOutage("", f.Outage)
				w.until(min(f.At+f.For, calm))
				w.provider.SetOutage("", paysim.Up)
			case Misbehave, Deny:
				w.misbehaving(f)
			}
		})
	}
	faults.Wait()
}

// killed: at the n-th message, or soon if there are not so many.
func (w *world) killed(f Fault) {
	w.until(f.At)
	i := w.at(f.Slot)
	i.link.after(f.After, i.kill)
	select {
	case <-i.killed:
	case <-time.After(2 * time.Second):
		i.kill()
	}
	w.watching.Go(func() { w.ends(i) })
	time.Sleep(min(f.For, calm-time.Since(epoch)))
	w.mu.Lock()
	again := w.instances[f.Slot] == i // another kill may have been faster
	if again {
		w.dead = append(w.dead, i)
	}
	w.mu.Unlock()
	if !again {
		return
	}
	if err := w.start(f.Slot); err != nil {
		w.problem("no new instance in slot %d: %v", f.Slot, err)
	}
}

// ends: whatever is away, a process that is told to end does so in time.
func (w *world) ends(i *instance) {
	select {
	case <-i.ended:
	case <-time.After(drain + 2*time.Second):
		w.problem("%s, cut off from everything, did not stop within drain + 2 s", i.name)
	}
}

func (w *world) paused(f Fault) {
	w.until(f.At)
	i := w.at(f.Slot)
	struck := make(chan struct{})
	i.link.after(f.After, func() { close(struck) })
	select {
	case <-struck:
	case <-i.killed:
		return
	case <-time.After(2 * time.Second): // it says little: then between any two of its few messages
	}
	i.link.pause()
	time.Sleep(f.For)
	i.link.resume()
}

func (w *world) losing(f Fault) {
	w.until(f.At)
	i := w.at(f.Slot)
	i.link.lose(f.Party, f.Share)
	w.until(min(f.At+f.For, calm))
	i.link.lose(f.Party, 0)
}

// unstored are the faults of Redis. Connections are cut after the change, as by a server
// that went away: what was written meanwhile is lost with it.
func (w *world) unstored(f Fault, busy chan struct{}) {
	w.until(max(f.At-f.Age, 100*time.Millisecond))
	busy <- struct{}{}
	defer func() { <-busy }()
	var kept snapshot
	var err error
	if f.Kind == SetBack || f.Kind == Split {
		if kept, err = shoot(w.stores.mainOne()); err != nil {
			w.problem("%v", err)
			return
		}
	}
	w.until(f.At)
	switch f.Kind {
	case Wipe:
		w.stores.mainOne().FlushAll()
	case Split:
		w.split(f, kept)
	default:
		w.replace(kept)
	}
}

func (w *world) replace(kept snapshot) {
	next, err := w.stores.start(kept)
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.stores.lead(next)
	w.cutRedis()
}

func (w *world) cutRedis(slots ...int) {
	for slot := range w.instances {
		if len(slots) == 0 || slices.Contains(slots, slot) {
			w.at(slot).link.cut(toRedis)
		}
	}
}

func (w *world) split(f Fault, kept snapshot) {
	old := w.stores.mainOne()
	other, err := w.stores.start(kept)
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.stores.lead(other, f.Away...)
	w.cutRedis(f.Away...)
	w.until(min(f.At+f.For, calm))
	if f.Copy {
		old = other
	}
	w.stores.lead(old)
	w.cutRedis()
}

// misbehaving changes what the provider is like and changes it back; of two at once the
// later one counts.
func (w *world) misbehaving(f Fault) {
	w.until(f.At)
	b := f.Manners
	b.NoRecordLag = f.Lag
	w.provider.SetBehavior("", b)
	w.until(min(f.At+f.For, calm))
	w.provider.SetBehavior("", w.plan.Provider)
}
