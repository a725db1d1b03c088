package device

import "time"

// installUpdate decides about an update whose body has been received, applies it, and begins the
// device's lifecycle.
func (s *Store) installUpdate(st *stripe, i int, u *Update) Outcome {
	d := &s.devices[i]
	o := s.checkUpdate(d, u)
	if o != Applied {
		return o
	}
	c := u.Behavior.Life.Lifecycle(s.seed, s.Number(i), u.Attempt).Accepted()
	if life := u.Injections.Install; !life.IsZero() {
		c = life.Kind.Install(life).Merge(c)
	}
	if c.IsZero() && d.flags&flagSideState == 0 {
		return s.setUpdate(st, d, u)
	}
	before := d.software()
	if !c.FailInstall {
		s.versions.retain(before.version, 1) // setUpdate releases the device's own reference
		if o = s.setUpdate(st, d, u); o != Applied {
			s.versions.release(before.version)
			return o
		}
	}
	s.cancelLifecycle(st, i)
	if life := u.Injections.Install; !life.IsZero() {
		s.countInjection(st, life)
	}
	u.Lifecycle = c
	switch {
	case c.FailInstall:
		d.flags &^= lastUpdateFlags
		s.startLifecycle(st, i, c, software{})
		return InstallFailed
	case c.Install == 0 && c.Reboot == 0 && !c.Rollback:
		s.versions.release(before.version)
	default:
		s.startLifecycle(st, i, c, before)
	}
	return Applied
}

// checkUpdate returns Applied if an update is to be applied. Otherwise it returns the outcome: the
// artifact isn't the announced one, or the device runs it already.
func (s *Store) checkUpdate(d *record, u *Update) Outcome {
	if u.Problem != "" { // found only now: a chunked body turned out to be empty
		return Invalid
	}
	if u.HasDigest && u.WantDigest != u.Digest {
		return DigestMismatch
	}
	if d.flags&flagUpdated == 0 {
		return Applied
	}
	same := s.isInstalled(d, u)
	if u.HasKey && d.flags&flagKeyed != 0 && d.key == u.Key {
		if !same {
			return KeyReused
		}
		return Repeated
	}
	if same && !u.HasKey {
		return Repeated
	}
	return Applied
}

// isInstalled reports whether the device runs that very update.
func (s *Store) isInstalled(d *record, u *Update) bool {
	return d.flags&flagUpdated != 0 && d.digest == u.Digest && s.versions.slots[d.version].text == string(u.versionText())
}

// setUpdate makes the device run an update. It fails if the fleet has no room for one more version.
func (s *Store) setUpdate(st *stripe, d *record, u *Update) Outcome {
	same, version := s.isInstalled(d, u), u.versionText()
	if s.versions.slots[d.version].text != string(version) {
		slot, ok := s.versions.acquire(version)
		if !ok {
			return TooManyVersions
		}
		s.versions.release(d.version)
		d.version = slot
	}
	d.digest, d.key = u.Digest, u.Key
	d.updatedAt, d.changed = uint32(s.now.Load()/1e9), s.momentOf(time.Now())
	d.flags &^= flagKeyed | lastUpdateFlags
	d.flags |= flagUpdated
	if u.HasKey {
		d.flags |= flagKeyed
	}
	if same {
		d.appliedTwice++
		st.totals.AppliedTwice++
	}
	if d.applied == 0 {
		st.totals.Updated++
	}
	return Applied
}
