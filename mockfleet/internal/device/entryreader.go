package device

import (
	"encoding/hex"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// EntryReader reads entries of the ledger, device by device.
type EntryReader struct {
	store *Store
	texts textCache
}

// NewEntryReader returns a reader of the devices of s.
func NewEntryReader(s *Store) *EntryReader { return &EntryReader{store: s} }

// Read returns the entry of device i. If the device received nothing, ok is false unless all is
// true.
func (r *EntryReader) Read(i int, all bool) (e ledger.Entry, ok bool) {
	d, version, t := r.store.witness(i)
	if !all && !d.active() {
		return e, false
	}
	return r.entry(i, &d, version, &t), true
}

func (r *EntryReader) entry(i int, d *record, version string, t *faultCounts) ledger.Entry {
	e := ledger.Entry{
		Device: i,
		ID:     address.DeviceID(r.store.Number(i)),
		Counts: ledger.Counts[uint32]{
			Pushes:               d.pushes,
			Applied:              d.applied,
			AppliedTwice:         d.appliedTwice,
			Repeats:              d.repeats,
			Rejected:             d.rejected,
			ForcedRejects:        d.forcedRejects,
			FalseAcks:            t.falseAcks,
			InstallFailures:      t.installFailures,
			Incomplete:           d.incomplete,
			Verifies:             d.verifies,
			Misdirected:          d.misdirected,
			ConnectionsOverLimit: t.overLimit,
			ConnectionsAborted:   t.aborted,
		},
		BytesReceived: d.bytes,
		Version:       version,
		State:         d.state(),
		Stage:         d.stage(),
	}
	if p := r.store.groups; p.HasGroups() {
		e.Group = p.All[p.Of(i)].Name
	}
	e.Digest, e.UpdatedAt = r.texts.of(d)
	e.ContactedNS, e.UpdatedNS = int64(d.contacted.duration()), int64(d.changed.duration())
	for _, c := range t.byKind {
		if e.Faults == nil {
			e.Faults = make(map[string]uint32, len(t.byKind))
		}
		e.Faults[r.store.kinds[c.kind]] = c.times
	}
	return e
}

// Device returns the entry of device i, how many updates its behavior has decided about, and that
// behavior.
func (s *Store) Device(i int) (e ledger.Entry, attempts uint32, b behavior.Behavior) {
	d, version, t := s.witness(i)
	return NewEntryReader(s).entry(i, &d, version, &t), d.attempts, s.behaviors.at(d.behavior).Behavior
}

// textCache keeps the texts of the last entry's update. In a rollout nearly all devices have the
// same update, and formatting it a million times would be most of the time that a ledger takes.
type textCache struct {
	has       bool // whether the fields below are set
	digest    [32]byte
	updatedAt uint32

	digestText, updatedAtText string
}

// of returns the digest and the time of d's update as text, or empty texts before the first.
func (t *textCache) of(d *record) (digest, updatedAt string) {
	if d.flags&flagUpdated == 0 {
		return "", ""
	}
	if !t.has || t.digest != d.digest {
		t.digest, t.digestText = d.digest, hex.EncodeToString(d.digest[:])
	}
	if !t.has || t.updatedAt != d.updatedAt {
		t.updatedAt, t.updatedAtText = d.updatedAt, string(appendTime(nil, d.updatedAt))
	}
	t.has = true
	return t.digestText, t.updatedAtText
}
