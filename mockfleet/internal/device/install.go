package device

// installUpdate decides about an update whose bytes are all here, and takes the device through what follows.
func (s *Store) installUpdate(sh *shard, i int, p *Update) Outcome {
	d := &s.devices[i]
	o := s.checkUpdate(d, p)
	if o != Applied {
		return o
	}
	c := p.Behavior.Life.Lifecycle(s.seed, i, p.Attempt).Accepted()
	if life := p.Injections.Install; !life.IsZero() {
		c = life.Kind.Install(life).Merge(c)
	}
	if c.IsZero() && d.flags&flagSideState == 0 {
		return s.setUpdate(sh, d, p)
	}
	before := d.software()
	if !c.FailInstall {
		s.versions.retain(before.version, 1) // setUpdate gives up the device's own
		if o = s.setUpdate(sh, d, p); o != Applied {
			s.versions.release(before.version)
			return o
		}
	}
	s.cancelLifecycle(sh, i)
	if life := p.Injections.Install; !life.IsZero() {
		s.countInjection(sh, life)
	}
	p.Lifecycle = c
	switch {
	case c.FailInstall:
		d.flags &^= lastUpdateFlags
		s.startLifecycle(sh, i, c, software{})
		return InstallFailed
	case c.Install == 0 && c.Reboot == 0 && !c.Rollback:
		s.versions.release(before.version)
	default:
		s.startLifecycle(sh, i, c, before)
	}
	return Applied
}

// checkUpdate reports whether an update is to be applied: unless the artifact is another than announced, or one that
// the device runs already.
func (s *Store) checkUpdate(d *record, p *Update) Outcome {
	if p.Problem != "" { // found only now: a chunked body turned out to be empty
		return Invalid
	}
	if p.HasDigest && p.WantDigest != p.Digest {
		return DigestMismatch
	}
	if d.flags&flagUpdated == 0 {
		return Applied
	}
	same := s.isInstalled(d, p)
	if p.HasKey && d.flags&flagKeyed != 0 && d.key == p.Key {
		if !same {
			return KeyReused
		}
		return Repeated
	}
	if same && !p.HasKey {
		return Repeated
	}
	return Applied
}

// isInstalled reports whether the device runs that very update.
func (s *Store) isInstalled(d *record, p *Update) bool {
	return d.flags&flagUpdated != 0 && d.digest == p.Digest && s.versions.slots[d.version].text == string(p.versionText())
}

// setUpdate makes the device run an update that fits.
func (s *Store) setUpdate(sh *shard, d *record, p *Update) Outcome {
	same, version := s.isInstalled(d, p), p.versionText()
	if s.versions.slots[d.version].text != string(version) {
		slot, ok := s.versions.acquire(version)
		if !ok {
			return TooManyVersions
		}
		s.versions.release(d.version)
		d.version = slot
	}
	d.digest, d.key = p.Digest, p.Key
	d.updatedAt = uint32(s.now.Load() / 1e9)
	d.flags &^= flagKeyed | lastUpdateFlags
	d.flags |= flagUpdated
	if p.HasKey {
		d.flags |= flagKeyed
	}
	if same {
		d.appliedTwice++
		sh.totals.AppliedTwice++
	}
	if d.applied == 0 {
		sh.totals.Updated++
	}
	return Applied
}
