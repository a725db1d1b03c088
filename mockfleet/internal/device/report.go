package device

import (
	"encoding/hex"
	"time"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Report is what a device reports in answer to one version request.
type Report struct {
	fault.VersionReport
	updated   bool // runs an artifact that was pushed to it; otherwise it reports no digest and no time
	state     wire.State
	updatedAt uint32 // Unix seconds

	Behavior *Compiled // of the device
	Number   uint32    // of the request, counted from 1 since the device was given its behavior
}

// reportOf returns the report of device i, whose record (or a copy of it) is d. The stripe of the
// device must be locked.
func (s *Store) reportOf(i int, d *record) Report {
	return Report{
		VersionReport: fault.VersionReport{Device: s.Number(i), Version: s.versions.slots[d.version].quoted, Digest: d.digest},
		updated:       d.flags&flagUpdated != 0,
		state:         d.state(),
		updatedAt:     d.updatedAt,
	}
}

// Report counts a version request to device i and returns the device's report. It is for a fleet in
// which no device has a behavior.
func (s *Store) Report(i int) Report {
	st := s.lock(i)
	defer st.mu.Unlock()
	s.contact(&s.devices[i])
	s.devices[i].verifies++
	st.totals.Verifies++
	return s.reportOf(i, &s.devices[i])
}

// ReportWithFaults is Report for a fleet in which a device may have a behavior. It writes the
// report to v, and returns the fault that changes the response, if any.
func (s *Store) ReportWithFaults(i int, q *fault.Request, v *Report) (response fault.Injection) {
	st := s.lock(i)
	defer st.mu.Unlock()
	s.contact(&s.devices[i])
	s.devices[i].verifies++
	s.devices[i].versionReads++
	st.totals.Verifies++
	d := s.visible(st, i)
	b := s.behaviors.at(d.behavior)
	*v = s.reportOf(i, &d)
	v.Behavior, v.Number = b, d.versionReads
	at := s.attempt(i, d.versionReads)
	if in := b.faults.First(fault.PointReport, at, q); !in.IsZero() {
		s.countInjection(st, in)
		in.Kind.Report(&v.VersionReport, in)
	}
	response = b.faults.First(fault.PointVersionResponse, at, q)
	s.onVersionRead(st, i)
	return response
}

// Append appends the report as a wire.VersionAnswer in JSON.
func (v *Report) Append(dst []byte) []byte {
	dst = append(dst, `{"device_id":"`...)
	dst = address.AppendDeviceID(dst, v.Device)
	dst = append(dst, `","version":`...)
	dst = append(dst, v.Version...)
	dst = append(dst, `,"digest":"`...)
	if v.updated {
		dst = hex.AppendEncode(dst, v.Digest[:])
	}
	dst = append(dst, `","state":"`...)
	dst = append(dst, v.state...)
	dst = append(dst, `","updated_at":"`...)
	if v.updated {
		dst = appendTime(dst, v.updatedAt)
	}
	return append(dst, `"}`...)
}

// appendTime appends a time, given in Unix seconds, in RFC 3339 form and UTC.
func appendTime(dst []byte, seconds uint32) []byte {
	return time.Unix(int64(seconds), 0).UTC().AppendFormat(dst, time.RFC3339)
}
