package mockfleet

// install decides about an update whose bytes are all here, and takes the device through what follows.
func (s *store) install(sh *shard, i int, p *push) outcome {
	d := &s.devices[i]
	o := s.fits(d, p)
	if o != applied {
		return o
	}
	c := p.behavior.Life.passage(s.seed, i, p.attempt).accepted()
	if life := p.strikes.life; !life.none() {
		c = life.live(life).within(c)
	}
	if c.none() && d.flags&flagTrouble == 0 {
		return s.apply(sh, d, p)
	}
	before := d.software()
	if !c.fails {
		s.versions.retain(before.version, 1) // apply gives up the device's own
		if o = s.apply(sh, d, p); o != applied {
			s.versions.release(before.version)
			return o
		}
	}
	s.settleDown(sh, i)
	if life := p.strikes.life; !life.none() {
		s.hit(sh, life)
	}
	p.passage = c
	switch {
	case c.fails:
		d.flags &^= flagsOfFate
		s.live(sh, i, c, software{})
		return unfit
	case c.installing == 0 && c.gone == 0 && !c.relapses:
		s.versions.release(before.version)
	default:
		s.live(sh, i, c, before)
	}
	return applied
}

// fits tells whether an update is to be applied: unless the artifact is another than announced, or one that
// the device runs already.
func (s *store) fits(d *device, p *push) outcome {
	if p.problem != "" { // found only now: a chunked body turned out to be empty
		return malformed
	}
	if p.hasDigest && p.want != p.digest {
		return mismatched
	}
	if d.flags&flagUpdated == 0 {
		return applied
	}
	same := s.runs(d, p)
	if p.hasKey && d.flags&flagKeyed != 0 && d.key == p.key {
		if !same {
			return keyReused
		}
		return repeated
	}
	if same && !p.hasKey {
		return repeated
	}
	return applied
}

// runs tells whether the device runs that very update.
func (s *store) runs(d *device, p *push) bool {
	return d.flags&flagUpdated != 0 && d.digest == p.digest && s.versions.slots[d.version].text == string(p.versionText())
}

// apply makes the device run an update that fits.
func (s *store) apply(sh *shard, d *device, p *push) outcome {
	same, version := s.runs(d, p), p.versionText()
	if s.versions.slots[d.version].text != string(version) {
		slot, ok := s.versions.acquire(version)
		if !ok {
			return versionsFull
		}
		s.versions.release(d.version)
		d.version = slot
	}
	d.digest, d.key = p.digest, p.key
	d.updatedAt = uint32(s.now.Load() / 1e9)
	d.flags &^= flagKeyed | flagsOfFate
	d.flags |= flagUpdated
	if p.hasKey {
		d.flags |= flagKeyed
	}
	if same {
		d.twice++
		sh.totals.twice++
	}
	if d.applied == 0 {
		sh.totals.updated++
	}
	return applied
}
