package mockfleet

import "time"

// trouble is what the fleet keeps of a device that a fault has to do with. It is apart from the
// device's record, so that a device without faults stays as small as it is.
type trouble struct {
	dials, reuses, looks uint32 // attempts of their kind, since the device has its behaviour

	feigned uint32        // updates that it acknowledged and didn't apply
	struck  uint32        // connections on which a fault struck before anything was answered
	counts  []strikeCount // strikes by kind

	goneUntil time.Time // the device doesn't answer before
	phase     phase
	until     time.Time // when the phase ends; zero in relapsing: after the next look
	before    software  // what the device ran before the update that brought the phase
}

type strikeCount struct {
	kind  uint8
	times uint32
}

// phase is what a device goes through after an update.
type phase uint8

const (
	calm       phase = iota
	installing       // shows what it ran before, and takes no other update
	relapsing        // goes back to what it ran before
)

// software is what a device runs. It holds a reference to the version's slot.
type software struct {
	digest    [32]byte
	key       uint64
	updatedAt uint32
	version   uint32
	flags     uint8 // of a device's, those in softwareFlags
}

const softwareFlags = flagUpdated | flagKeyed

func (d *device) software() software {
	return software{d.digest, d.key, d.updatedAt, d.version, d.flags & softwareFlags}
}

func (d *device) run(s software) {
	d.digest, d.key, d.updatedAt, d.version = s.digest, s.key, s.updatedAt, s.version
	d.flags = d.flags&^softwareFlags | s.flags
}

// passage is what a device goes through after it applied an update.
type passage struct {
	status     int // of the answer; 0 is the usual one
	message    string
	installing time.Duration // runs the update only then
	gone       time.Duration // doesn't answer until then
	relapses   bool          // goes back to what it ran before, after relapseIn
	relapseIn  time.Duration // 0 is after the next look at its version
}

func (t *trouble) count(kind uint8) {
	for i := range t.counts {
		if t.counts[i].kind == kind {
			t.counts[i].times++
			return
		}
	}
	t.counts = append(t.counts, strikeCount{kind, 1})
}

func (t *trouble) gone(now time.Time) bool { return now.Before(t.goneUntil) }

// trouble returns what is kept of device i beside its record; nil is nothing. Its shard is locked.
func (s *store) trouble(sh *shard, i int) *trouble {
	if s.devices[i].flags&flagTrouble == 0 {
		return nil
	}
	return sh.troubles[i]
}

func (s *store) makeTrouble(sh *shard, i int) *trouble {
	if t := s.trouble(sh, i); t != nil {
		return t
	}
	if sh.troubles == nil {
		sh.troubles = make(map[int]*trouble)
	}
	t := &trouble{}
	sh.troubles[i] = t
	s.devices[i].flags |= flagTrouble
	return t
}

// note counts a strike.
func (s *store) note(st strike) {
	sh := s.shard(st.device)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.makeTrouble(sh, st.device).count(st.number)
	sh.totals.injected++
}

// dial counts a connection to device i, or the first request on one, and tells which fault strikes it.
func (s *store) dial(i int) (st strike, gone bool) {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := s.behaviors.at(s.devices[i].behavior)
	if t := s.trouble(sh, i); t != nil && t.gone(time.Now()) {
		return strike{}, true
	}
	if !p.has(levelPort) {
		return strike{}, false
	}
	t := s.makeTrouble(sh, i)
	t.dials++
	if st = s.choose(p, levelPort, i, t.dials, nil); !st.none() {
		s.strikeConnection(sh, t, st)
	}
	return st, false
}

// gone tells whether device i doesn't answer now.
func (s *store) gone(i int) bool {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := s.trouble(sh, i)
	return t != nil && t.gone(time.Now()) || s.offline(s.behaviors.at(s.devices[i].behavior), i)
}

// reuse does the same for a request on a connection that was used before. A device that is gone for
// good is so on those too.
func (s *store) reuse(i int, w *workspace) (st strike, gone bool) {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p := s.behaviors.at(s.devices[i].behavior)
	if t := s.trouble(sh, i); t != nil && t.gone(time.Now()) || s.offline(p, i) {
		return strike{}, true
	}
	if !p.has(levelReuse) {
		return strike{}, false
	}
	t := s.makeTrouble(sh, i)
	t.reuses++
	if st = s.choose(p, levelReuse, i, t.reuses, w); !st.none() {
		s.strikeConnection(sh, t, st)
	}
	return st, false
}

func (s *store) offline(p *plan, i int) bool {
	for n := range p.levels[levelPort] {
		a := &p.levels[levelPort][n]
		if _, ok := a.act.(goneForGood); ok && (strike{armed: a, seed: s.seed, device: i}).shares() {
			return true
		}
	}
	return false
}

func (s *store) strikeConnection(sh *shard, t *trouble, st strike) {
	t.struck++
	t.count(st.number)
	sh.totals.struck++
	sh.totals.injected++
}

// live takes device i through what a fault says, after an update that it applied over before.
func (s *store) live(sh *shard, i int, c passage, before software) {
	t, now := s.makeTrouble(sh, i), time.Now()
	if c.gone > 0 {
		t.goneUntil = now.Add(c.gone)
	}
	t.phase, t.until = calm, time.Time{}
	switch {
	case c.installing > 0:
		t.phase, t.until, t.before = installing, now.Add(c.installing), before
	case c.relapses:
		t.phase, t.before = relapsing, before
		if c.relapseIn > 0 {
			t.until = now.Add(c.relapseIn)
		}
	default:
		s.versions.release(before.version)
	}
}

// catchUp ends the phase of device i if its time has come.
func (s *store) catchUp(sh *shard, i int) {
	t := s.trouble(sh, i)
	if t == nil || t.phase == calm || t.until.IsZero() || time.Now().Before(t.until) {
		return
	}
	s.endPhase(i, t)
}

func (s *store) endPhase(i int, t *trouble) {
	d := &s.devices[i]
	switch t.phase {
	case installing:
		s.versions.release(t.before.version)
	case relapsing:
		s.versions.release(d.version)
		d.run(t.before)
	}
	t.phase = calm
}

// dropPhase makes the device stay as it is: another update has come.
func (s *store) dropPhase(sh *shard, i int) {
	if t := s.trouble(sh, i); t != nil && t.phase != calm {
		s.versions.release(t.before.version)
		t.phase = calm
	}
}

// heal makes a device that got a new behaviour reachable, and counts its attempts anew.
func (t *trouble) heal() {
	t.dials, t.reuses, t.looks = 0, 0, 0
	t.goneUntil = time.Time{}
}

// shown is device i as it shows itself.
func (s *store) shown(sh *shard, i int) device {
	s.catchUp(sh, i)
	d := s.devices[i]
	if t := s.trouble(sh, i); t != nil && t.phase == installing {
		d.run(t.before)
		d.flags |= flagReceiving
	}
	return d
}

// view is what a device tells of itself.
type view struct {
	index   int
	device  device
	version string // as a JSON string
}

// examine is verify for a fleet with faults: it tells also which fault spoils the answer.
func (s *store) examine(i int, w *workspace) (v view, answer strike) {
	sh := s.shard(i)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.devices[i].verifies++
	sh.totals.verifies++
	d := s.shown(sh, i)
	v = view{index: i, device: d, version: s.versions.slots[d.version].quoted}
	p := s.behaviors.at(d.behavior)
	if p.has(levelVerify) || p.has(levelVersionAnswer) {
		t := s.makeTrouble(sh, i)
		t.looks++
		if st := s.choose(p, levelVerify, i, t.looks, w); !st.none() {
			t.count(st.number)
			sh.totals.injected++
			st.act.(verifyFault).verify(&v, st)
		}
		answer = s.choose(p, levelVersionAnswer, i, t.looks, w)
	}
	if t := s.trouble(sh, i); t != nil && t.phase == relapsing && t.until.IsZero() {
		s.endPhase(i, t)
	}
	return v, answer
}
