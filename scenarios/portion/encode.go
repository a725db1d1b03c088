package portion

import (
	"bytes"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// An Encoder makes the encoded parts of portions. It isn't safe for concurrent use.
type Encoder struct{ encoder *hdr.Encoder }

// NewEncoder returns an encoder.
func NewEncoder() *Encoder { return &Encoder{hdr.NewEncoder()} }

// Histogram returns the encoding of a histogram.
func (e *Encoder) Histogram(h *hdr.Histogram) []byte { return bytes.Clone(e.encoder.Encode(h)) }

// Times returns the encoded times of each of the operations.
func (e *Encoder) Times(ops []delivery.Op, times map[delivery.Op]*load.Latencies) []Times {
	list := []Times{}
	for _, op := range ops {
		l := times[op]
		t := Times{Op: op, Count: l.Count, Overflow: l.Overflow, SumNS: l.Sum, Response: e.Histogram(l.Response)}
		if l.Planned() {
			t.Service = e.Histogram(l.Service)
		}
		list = append(list, t)
	}
	return list
}

// Lateness returns an encoded lateness. It returns nil if l is nil.
func (e *Encoder) Lateness(l *load.Lateness) *Lateness {
	if l == nil {
		return nil
	}
	return &Lateness{
		Queued: e.Histogram(l.Queued), Timer: e.Histogram(l.Timer),
		LastPlannedNS: int64(l.LastPlanned), LastSentNS: int64(l.LastSent),
	}
}

// Group returns the encoded part of a group, without the counts of its devices.
func (e *Encoder) Group(ops []delivery.Op, p load.Part) Group {
	return Group{
		Name: p.Name, Succeeded: p.Succeeded, Failed: p.Failed, Retries: p.Retries, BrokenOff: p.BrokenOff,
		Classes: p.Classes, Times: e.Times(ops, p.Latencies),
	}
}
