package device

import "time"

// A moment is a time since the last reset, in units of momentStep, counted from 1. 0 is no time. A
// record has no room for more than four bytes, which last for five days.
type moment uint32

const momentStep = 100 * time.Microsecond

// duration returns the time since the last reset, or 0 if m is no time.
func (m moment) duration() time.Duration { return time.Duration(m) * momentStep }

// momentOf returns the moment of a time.
func (s *Store) momentOf(t time.Time) moment {
	return moment(min(max(t.Sub(s.began), 0)/momentStep, 1<<32-2) + 1)
}

// contact notes that device i receives something. The stripe of the device must be locked.
func (s *Store) contact(d *record) {
	if d.contacted == 0 {
		d.contacted = s.momentOf(time.Now())
	}
}

// SinceReset returns how long ago the last reset was, or the start of the fleet.
func (s *Store) SinceReset() time.Duration {
	st := s.lock(0)
	defer st.mu.Unlock()
	return time.Since(s.began)
}
