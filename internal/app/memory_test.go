package app

import (
	"fmt"
	"maps"
	"runtime"
	"testing"
)

// A merchant that does nothing takes a few kilobytes, its settings not counted. What it needs
// while it works is made when it begins to.
func TestWhatAnIdleMerchantTakes(t *testing.T) {
	const few, many, most = 100, 1100, 8 << 10
	small, a := liveWith(t, few)
	large, b := liveWith(t, many)
	each := (large - small) / (many - few)
	t.Logf("%d bytes for each merchant", each)
	if each > most {
		t.Errorf("an idle merchant takes %d bytes, %d at most", each, most)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

// liveWith answers what is alive in the heap because of an App of so many merchants.
func liveWith(t *testing.T, merchants int) (bytes int, a *App) {
	t.Helper()
	c := testConfig()
	c.Merchants = maps.Clone(c.Merchants)
	eg := c.Merchants["eg-main"]
	for i := range merchants {
		eg.MerchantNo = fmt.Sprintf("1%09d", i)
		eg.BaseURL = fmt.Sprintf("http://paysim/m%04d", i)
		c.Merchants[fmt.Sprintf("m%04d", i)] = eg
	}
	before := live()
	a, err := New(c, Options{LogTo: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	return live() - before, a
}

// live is what is alive in the heap.
func live() int {
	runtime.GC()
	runtime.GC() // what the first one found unused in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
