package device

import (
	"encoding/hex"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// Report counts a look at device i and returns a copy of it, with its version as a JSON string.
func (s *Store) Report(i int) (record, string) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].verifies++
	sh.totals.Verifies++
	return s.devices[i], s.versions.slots[s.devices[i].version].quoted
}

// AppendReport counts a look at device i of a fleet in which every device is well, and appends what the
// device says about itself: a wire.VersionAnswer in JSON.
func (s *Store) AppendReport(dst []byte, i int) []byte {
	d, version := s.Report(i)
	return appendVersionAnswer(dst, i, &d, version)
}

// Report is what a device tells of itself.
type Report struct {
	fault.VersionReport
	device record
	Plan   *Compiled
	Number uint32 // of the look
}

// ReportWithFaults is verify for a fleet in which not every device is well: it writes to v what the device says
// about itself, and returns the fault that changes the response.
func (s *Store) ReportWithFaults(i int, q *fault.Request, v *Report) (response fault.Injection) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].verifies++
	s.devices[i].versionReads++
	sh.totals.Verifies++
	d := s.visible(sh, i)
	p := s.behaviors.at(d.behavior)
	*v = Report{fault.VersionReport{Device: i, Version: s.versions.slots[d.version].quoted, Digest: d.digest}, d, p, d.versionReads}
	at := s.attempt(i, d.versionReads)
	if st := p.faults.First(fault.PointReport, at, q); !st.IsZero() {
		s.countInjection(sh, st)
		st.Kind.Report(&v.VersionReport, st)
		v.device.digest = v.Digest
	}
	response = p.faults.First(fault.PointVersionResponse, at, q)
	s.onVersionRead(sh, i)
	return response
}

// Append appends what the device says about itself: a wire.VersionAnswer in JSON.
func (v *Report) Append(dst []byte) []byte {
	return appendVersionAnswer(dst, v.Device, &v.device, v.Version)
}

// appendVersionAnswer writes a wire.VersionAnswer. version is a JSON string, quotes and all.
func appendVersionAnswer(dst []byte, i int, d *record, version string) []byte {
	dst = append(dst, `{"device_id":"`...)
	dst = address.AppendDeviceID(dst, i)
	dst = append(dst, `","version":`...)
	dst = append(dst, version...)
	dst = append(dst, `,"digest":"`...)
	if d.flags&flagUpdated != 0 {
		dst = hex.AppendEncode(dst, d.digest[:])
	}
	dst = append(dst, `","state":"`...)
	dst = append(dst, d.state()...)
	dst = append(dst, `","updated_at":"`...)
	dst = d.appendUpdatedAt(dst)
	return append(dst, `"}`...)
}
