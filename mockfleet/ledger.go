package mockfleet

import (
	"encoding/hex"
	"iter"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// Entry is what the fleet witnessed of one device since the start or the last Reset. At every moment,
//
//	Pushes = Applied + Repeats + Rejected + Feigned + Unfit + Broken + (1 if an update is under way)
type Entry struct {
	Device int    `json:"device"`
	ID     string `json:"id"`
	Group  string `json:"group,omitempty"` // empty where the fleet has no groups

	Pushes       uint32 `json:"pushes"`        // updates received, whole or broken off
	Applied      uint32 `json:"applied"`       // updates installed
	AppliedTwice uint32 `json:"applied_twice"` // of those, installs of the version and digest that it ran already
	Repeats      uint32 `json:"repeats"`       // acknowledged as a repeat of the update that it runs, without installing
	Rejected     uint32 `json:"rejected"`      // answered 3xx, 4xx or 5xx, and not applied
	Faulted      uint32 `json:"faulted"`       // of those, the ones that its behaviour made fail
	Feigned      uint32 `json:"feigned"`       // acknowledged and not applied: the fault ok-but-not-applied
	Unfit        uint32 `json:"unfit"`         // taken, and then not to be installed: the fault failed-install
	Broken       uint32 `json:"broken"`        // broken off before the last byte
	Verifies     uint32 `json:"verifies"`      // looks at the version
	Misaddressed uint32 `json:"misaddressed"`  // pushes whose X-Device-ID named another device; treated like any other

	TurnedAway uint32            `json:"turned_away"`      // connections beyond those that its behaviour lets it have
	Struck     uint32            `json:"struck"`           // connections that a fault ended unanswered: as they were accepted (in path addressing, as their first request came), or used again
	Faults     map[string]uint32 `json:"faults,omitempty"` // how often each kind of fault struck; nil is never

	BytesReceived uint64     `json:"bytes_received"` // of artifacts, broken off ones included
	Version       string     `json:"version"`
	Digest        string     `json:"digest"`     // SHA-256 in lower-case hex; empty before the first update
	State         wire.State `json:"state"`      // as the device tells it
	Stage         Stage      `json:"stage"`      // as the fleet knows it
	UpdatedAt     string     `json:"updated_at"` // RFC 3339, UTC, whole seconds; empty before the first update
}

// Ledger yields an entry for every device that received anything, in order of index. Each entry is
// consistent in itself; devices go on while it is read. Stop them first for one consistent whole.
func (f *Fleet) Ledger() iter.Seq[Entry] {
	entries, _ := f.Find(Query{}) // which has nothing that could be wrong
	return entries
}

// DeviceStatus is one device as the control port tells of it.
type DeviceStatus struct {
	Entry
	Address  string   `json:"address"`
	Attempts uint32   `json:"attempts"` // updates that its behaviour has decided about
	Behavior Behavior `json:"behavior"`
}

// Device tells of device i, whether it received anything or not.
func (f *Fleet) Device(i int) (DeviceStatus, error) {
	if err := f.checkDevice(i); err != nil {
		return DeviceStatus{}, err
	}
	d, version, t := f.store.witness(i)
	return DeviceStatus{
		Entry:    f.newEntry(i, &d, version, &t, &ledgerTexts{}),
		Address:  f.DeviceAddress(i),
		Attempts: d.attempts,
		Behavior: f.store.behaviors.at(d.behavior).Behavior,
	}, nil
}

func (f *Fleet) newEntry(i int, d *device, version string, t *tally, texts *ledgerTexts) Entry {
	e := Entry{
		Device:        i,
		ID:            DeviceID(i),
		Pushes:        d.pushes,
		Applied:       d.applied,
		AppliedTwice:  d.twice,
		Repeats:       d.repeats,
		Rejected:      d.rejected,
		Faulted:       d.faulted,
		Feigned:       t.feigned,
		Unfit:         t.unfit,
		Broken:        d.broken,
		Verifies:      d.verifies,
		Misaddressed:  d.strays,
		TurnedAway:    t.turnedAway,
		Struck:        t.struck,
		BytesReceived: d.bytes,
		Version:       version,
		State:         d.state(),
		Stage:         d.stage(),
	}
	if p := f.store.population; p.divided() {
		e.Group = p.groups[p.of(i)].Name
	}
	e.Digest, e.UpdatedAt = texts.of(d)
	for _, c := range t.counts {
		if e.Faults == nil {
			e.Faults = make(map[string]uint32, len(t.counts))
		}
		e.Faults[f.kinds[c.kind]] = c.times
	}
	return e
}

// ledgerTexts keeps what the entry before said of its update: in a rollout nearly all devices have the
// same, and a million times the same text would be most of what a ledger takes to read.
type ledgerTexts struct {
	has       bool // of an update
	digest    [32]byte
	updatedAt uint32

	digestText, updatedAtText string
}

// of gives the digest and the time of d's update, empty before the first.
func (t *ledgerTexts) of(d *device) (digest, updatedAt string) {
	if d.flags&flagUpdated == 0 {
		return "", ""
	}
	if !t.has || t.digest != d.digest {
		t.digest, t.digestText = d.digest, hex.EncodeToString(d.digest[:])
	}
	if !t.has || t.updatedAt != d.updatedAt {
		t.updatedAt, t.updatedAtText = d.updatedAt, string(d.appendUpdatedAt(nil))
	}
	t.has = true
	return t.digestText, t.updatedAtText
}
