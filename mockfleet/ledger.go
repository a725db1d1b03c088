package mockfleet

import (
	"iter"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// Ledger yields an entry for every device that received anything, in order of index. Each entry is
// consistent in itself, but devices go on while the ledger is read. For a ledger that is consistent
// as a whole, stop the clients first.
func (f *Fleet) Ledger() iter.Seq[ledger.Entry] {
	entries, _ := f.Find(ledger.Query{}) // the zero Query can't be wrong
	return entries
}

// DeviceStatus is the current status of a device.
type DeviceStatus struct {
	ledger.Entry
	Address  string            `json:"address"`
	Attempts uint32            `json:"attempts"` // updates that its behavior has decided about
	Behavior behavior.Behavior `json:"behavior"`
}

// Device returns the status of device i, whether it received anything or not. It returns an error
// if the fleet has no such device.
func (f *Fleet) Device(i int) (DeviceStatus, error) {
	if err := f.checkDevice(i); err != nil {
		return DeviceStatus{}, err
	}
	e, attempts, b := f.store.Device(i)
	return DeviceStatus{Entry: e, Address: f.DeviceAddress(i), Attempts: attempts, Behavior: b}, nil
}

// Find returns the entries that match q, in order of index. Each entry is consistent in itself, but
// devices go on while the entries are read. The error is a *ConfigError if q can't be used.
func (f *Fleet) Find(q ledger.Query) (iter.Seq[ledger.Entry], error) {
	groups, group, all := f.store.Groups(), 0, true
	if q.Group != "" {
		var err error
		if group, all, err = groups.Lookup(q.Group); err != nil {
			return nil, err
		}
	}
	if err := q.Validate(f.store.Kinds()); err != nil {
		return nil, err
	}
	end := f.Devices()
	if q.To > 0 {
		end = min(end, q.To)
	}
	return func(yield func(ledger.Entry) bool) {
		left := q.Limit
		entries := device.NewEntryReader(f.store)
		for i := q.From; i < end; i++ {
			if !all && groups.Of(i) != group {
				continue
			}
			e, ok := entries.Read(i, q.All)
			if !ok || !q.Matches(&e) {
				continue
			}
			if !yield(e) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}, nil
}

// Summarize returns the sums of the entries that match q. The error is a *ConfigError if q can't be
// used.
func (f *Fleet) Summarize(q ledger.Query) (ledger.Summary, error) {
	entries, err := f.Find(q)
	if err != nil {
		return ledger.Summary{}, err
	}
	return ledger.Summarize(entries), nil
}
