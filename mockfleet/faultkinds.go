package mockfleet

// FaultKind says what a kind of fault takes, for who wants to describe a fault before it is had.
type FaultKind struct {
	Name      string
	Takes     []string // of Fault's fields, by their names in JSON, those that it takes beside kind and share
	Needs     []string // of these, those without which it makes no sense
	LowStatus int      // bounds of status, where it takes one
	TopStatus int
	NeedsPort bool // is only to be had in port addressing
}

// FaultParameters are the fields of Fault, by their names in JSON, that only some kinds take.
func FaultParameters() []string { return parameterNames() }

// FaultKinds lists the kinds of faults.
func FaultKinds() []FaultKind {
	table := kinds()
	list := make([]FaultKind, len(table))
	for i, k := range table {
		list[i] = FaultKind{Name: k.name, NeedsPort: k.needsPort}
		list[i].LowStatus, list[i].TopStatus = k.statuses()
		for bit, name := range parameterNames() {
			if k.takes&(1<<bit) != 0 {
				list[i].Takes = append(list[i].Takes, name)
			}
		}
		if k.needsRate {
			list[i].Needs = append(list[i].Needs, "rate")
		}
		if k.takes&takesStatus != 0 && k.preset.Status == 0 {
			list[i].Needs = append(list[i].Needs, "status")
		}
	}
	return list
}
