package mockfleet

import "time"

// trouble is what the fleet keeps of a device that a fault has to do with, or that is going through an
// update. It is apart from the device's record, so that a device which nothing happens to stays as small
// as it is, and it is dropped once there is nothing in it.
type trouble struct {
	device int
	tally

	phase  phase
	until  time.Time // when the phase ends; zero in relapsing: after the next look
	rest   passage   // what it goes through after the phase
	before software  // what it ran before the update that brought the phase

	// Guarded by the agenda's lock.
	due   time.Time
	place int // on it, counted from 1; 0 is none
}

// tally is the part of a device's ledger that is kept in its trouble.
type tally struct {
	feigned    uint32        // updates that it acknowledged and didn't apply
	unfit      uint32        // updates that it took and could not install
	turnedAway uint32        // connections beyond those that its behaviour lets it have
	struck     uint32        // connections on which a fault struck before anything was answered
	counts     []strikeCount // strikes by kind
}

// blank tells that there is nothing in t that the ledger or the device still needs.
func (t *trouble) blank() bool {
	return t.phase == calm && len(t.counts) == 0 && t.feigned|t.unfit|t.turnedAway|t.struck == 0
}

type strikeCount struct {
	kind  uint8
	times uint32
}

func (t *tally) count(kind uint8) {
	for i := range t.counts {
		if t.counts[i].kind == kind {
			t.counts[i].times++
			return
		}
	}
	t.counts = append(t.counts, strikeCount{kind, 1})
}

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
	t := &trouble{device: i}
	sh.troubles[i] = t
	s.devices[i].flags |= flagTrouble
	return t
}

// tidy drops what is kept of device i beside its record, if it is blank.
func (s *store) tidy(sh *shard, i int) {
	if t := s.trouble(sh, i); t != nil && t.blank() {
		s.agenda.drop(t)
		delete(sh.troubles, i)
		s.devices[i].flags &^= flagTrouble
	}
}

// note counts a strike.
func (s *store) note(st strike) {
	sh := s.lock(st.device)
	defer sh.mu.Unlock()
	s.hit(sh, st)
}

// hit counts a strike, its device's shard being locked.
func (s *store) hit(sh *shard, st strike) {
	s.makeTrouble(sh, st.device).count(st.number)
	s.hits[st.number].Add(1)
	sh.totals.injected++
}

// reach is what comes of a connection to a device, or of a request on one.
type reach struct {
	strike strike // of a fault, if not none
	gone   bool   // the device doesn't answer now
	full   bool   // it has as many connections as it may
	held   bool   // the connection counts as one of those, until it is let go
	plan   *plan  // of the device
}

// dial counts a connection to device i, or the first request on one, and tells what comes of it.
func (s *store) dial(i int) (r reach) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	r.plan = s.behaviors.at(d.behavior)
	if r.gone = s.goneNow(sh, i); r.gone {
		return r
	}
	if most := r.plan.Network.MaxConnections; most > 0 {
		if int(d.open) >= most {
			s.makeTrouble(sh, i).turnedAway++
			sh.totals.turnedAway++
			r.full = true
			return r
		}
		d.open++
		r.held = true
	}
	if r.plan.has(levelPort) {
		d.dials++
		if r.strike = s.choose(r.plan, levelPort, i, d.dials, nil); !r.strike.none() {
			s.strikeConnection(sh, r.strike)
		}
	}
	return r
}

// letGo takes the end of a held connection to device i into account.
func (s *store) letGo(i int) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].open--
}

// revisit does the same for a request on a connection that dial has let through; used tells that it is not
// the first one. A device that is gone for good is so on those connections too.
func (s *store) revisit(i int, used bool, w *workspace) (r reach) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	r.plan = s.behaviors.at(d.behavior)
	if r.gone = s.goneNow(sh, i) || s.goneForGood(r.plan, i); r.gone {
		return r
	}
	if used && r.plan.has(levelReuse) {
		d.reuses++
		if r.strike = s.choose(r.plan, levelReuse, i, d.reuses, w); !r.strike.none() {
			s.strikeConnection(sh, r.strike)
		}
	}
	return r
}

// goneNow tells whether device i doesn't answer now: it reboots, or was taken offline.
func (s *store) goneNow(sh *shard, i int) bool {
	if s.devices[i].flags&flagOffline != 0 {
		return true
	}
	s.catchUp(sh, i)
	t := s.trouble(sh, i)
	return t != nil && t.phase == rebooting
}

// goneForGood tells whether a fault has taken device i away.
func (s *store) goneForGood(p *plan, i int) bool {
	for n := range p.levels[levelPort] {
		a := &p.levels[levelPort][n]
		if a.permanent && (strike{armed: a, seed: s.seed, device: i}).shares() {
			return true
		}
	}
	return false
}

func (s *store) strikeConnection(sh *shard, st strike) {
	s.hit(sh, st)
	s.makeTrouble(sh, st.device).struck++
	sh.totals.struck++
}

// view is what a device tells of itself.
type view struct {
	index   int
	device  device
	version string // as a JSON string
	plan    *plan
	number  uint32 // of the look
}

// examine is verify for a fleet in which not every device is well: it puts what the device tells of itself into
// w.view, and tells which fault spoils the answer.
func (s *store) examine(i int, w *workspace) (answer strike) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].verifies++
	s.devices[i].looks++
	sh.totals.verifies++
	d := s.shown(sh, i)
	p := s.behaviors.at(d.behavior)
	w.view = view{index: i, device: d, version: s.versions.slots[d.version].quoted, plan: p, number: d.looks}
	if st := s.choose(p, levelVerify, i, d.looks, w); !st.none() {
		s.hit(sh, st)
		st.verify(&w.view, st)
	}
	answer = s.choose(p, levelVersionAnswer, i, d.looks, w)
	s.looked(sh, i)
	return answer
}
