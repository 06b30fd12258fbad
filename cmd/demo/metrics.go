package main

// counted sums a counter with one label over the instances.
func (w *world) counted(name, value string) int {
	sum := 0.0
	for _, registry := range w.registries {
		families, err := registry.Gather()
		if err != nil {
			continue
		}
		for _, f := range families {
			if f.GetName() != name {
				continue
			}
			for _, m := range f.GetMetric() {
				if labels := m.GetLabel(); len(labels) == 1 && labels[0].GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int(sum)
}
