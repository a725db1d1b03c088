package fault

import "strings"

// Params is a set of fields of Fault.
type Params uint16

// The fields of Fault that only some kinds take.
const (
	ParamOn Params = 1 << iota
	ParamFirst
	ParamAfterBytes
	ParamRate
	ParamDelay
	ParamStatus
	ParamRetryAfter
	ParamOrigin
)

// ParamNames returns the names of the fields in JSON, from the lowest bit on.
func ParamNames() []string {
	return []string{"on", "first", "after_bytes", "rate", "delay", "status", "retry_after", "origin"}
}

// String lists the fields, and share, which every kind takes.
func (p Params) String() string {
	names := []string{"share"}
	for i, name := range ParamNames() {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// KindInfo describes a kind of fault: its name and the parameters that it takes. The scenario schema is
// generated from it.
type KindInfo struct {
	Name      string
	Takes     []string // of Fault's fields, by their names in JSON, those that it takes beside kind and share
	Needs     []string // of these, those without which it makes no sense
	LowStatus int      // bounds of status, where it takes one
	TopStatus int
	NeedsPort bool // is only to be had in port addressing
}

// Kinds describes every kind of fault.
func Kinds() []KindInfo {
	table := Table()
	list := make([]KindInfo, len(table))
	for i, k := range table {
		list[i] = KindInfo{Name: k.Name, NeedsPort: k.NeedsPort}
		list[i].LowStatus, list[i].TopStatus = k.statuses()
		for bit, name := range ParamNames() {
			if k.Params&(1<<bit) != 0 {
				list[i].Takes = append(list[i].Takes, name)
			}
		}
		if k.NeedsRate {
			list[i].Needs = append(list[i].Needs, "rate")
		}
		if k.Params&ParamStatus != 0 && k.Defaults.Status == 0 {
			list[i].Needs = append(list[i].Needs, "status")
		}
	}
	return list
}
