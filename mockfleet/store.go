package mockfleet

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// store holds the state of every device. A device is guarded by the lock of its shard, and neighbours
// are in different shards, so that a rollout in order of index seldom waits for a lock.
type store struct {
	seed       uint64
	doors      bool   // ports refuse and stall by themselves
	initial    uint32 // slot of the initial version
	keySeed    maphash.Seed
	now        *atomic.Int64 // Unix nanoseconds
	epoch      atomic.Uint32 // counts resets; changed only with every shard locked
	versions   *versionTable
	behaviors  *behaviorTable
	agenda     *agenda
	population *population
	hits       []atomic.Uint64 // strikes by kind, since the last reset
	shards     [shardCount]shard
	devices    []device
}

const shardCount = 1024 // a power of two

type shard struct {
	mu       sync.Mutex
	totals   totals
	troubles map[int]*trouble // of the devices that something happens to
	_        [48]byte         // a shard fills three cache lines
}

// totals are the sums over a shard's devices, kept so that asking a million devices costs little.
type totals struct {
	updated, pushes, applied, twice, repeats, rejected, faulted, feigned, broken, verifies, strays, bytes uint64
	struck, injected, unfit, turnedAway                                                                   uint64
}

func newStore(cfg Config, now *atomic.Int64) *store {
	s := &store{
		seed:       cfg.Seed,
		keySeed:    maphash.MakeSeed(),
		now:        now,
		versions:   newVersionTable(maxVersions),
		behaviors:  newBehaviorTable(cfg.Behavior),
		agenda:     newAgenda(),
		hits:       make([]atomic.Uint64, len(kinds())),
		population: newPopulation(cfg),
		devices:    make([]device, cfg.Devices),
	}
	s.initial, _ = s.versions.acquire([]byte(cfg.InitialVersion)) // an empty table has room
	s.versions.retain(s.initial, cfg.Devices)
	for i := range s.devices {
		s.devices[i].version = s.initial
	}
	s.populate()
	return s
}

func (s *store) shard(i int) *shard { return &s.shards[i&(shardCount-1)] }

// lock locks device i's shard.
func (s *store) lock(i int) *shard {
	sh := s.shard(i)
	sh.mu.Lock()
	return sh
}

// outcome is what a device makes of an update.
type outcome uint8

const (
	applied        outcome = iota
	repeated               // the update that it runs already
	faulted                // fails, as its behaviour says
	feigned                // acknowledged and not applied, as its behaviour says
	unfit                  // taken, and then not to be installed, as its behaviour says
	conflicted             // another update is under way
	malformed              // the request's own words are at fault
	mismatched             // the artifact isn't the one that Repr-Digest names
	keyReused              // the key is that of another update
	versionsFull           // the fleet can't remember one more version
	resetMeanwhile         // the fleet was reset since the update began
	admitted               // so far nothing speaks against it
)

// goesOn tells that the body is still to be read.
func (o outcome) goesOn() bool { return o == admitted || o == faulted || o == feigned }

// admit takes an update into account before its body is read, and holds the device for it: until
// settle or abandon, no other update gets past. An outcome that doesn't go on is final.
func (s *store) admit(i int, p *push) outcome {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	o := s.begin(sh, i, p)
	if o.goesOn() {
		s.devices[i].flags |= flagReceiving
		p.epoch = s.epoch.Load()
	} else {
		s.count(sh, &s.devices[i], o)
	}
	return o
}

// settle decides about an update that admit let in, now that its body is here.
func (s *store) settle(i int, p *push, admission outcome) outcome {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	if p.epoch != s.epoch.Load() {
		return resetMeanwhile
	}
	s.devices[i].flags &^= flagReceiving
	return s.finish(sh, i, p, admission)
}

// abandon gives up an update that admit let in: its body broke off after p.size bytes.
func (s *store) abandon(i int, p *push) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	if p.epoch != s.epoch.Load() {
		return
	}
	d := &s.devices[i]
	d.flags &^= flagReceiving
	s.breakOff(sh, d, p)
}

// decide does all of an update whose body is here already, in one step.
func (s *store) decide(i int, p *push) outcome {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	return s.finish(sh, i, p, s.begin(sh, i, p))
}

// lose accounts for an update that broke off before the device had taken it on.
func (s *store) lose(i int, p *push) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.begin(sh, i, p)
	s.breakOff(sh, &s.devices[i], p)
}

func (s *store) begin(sh *shard, i int, p *push) outcome {
	d := &s.devices[i]
	d.pushes++
	sh.totals.pushes++
	if p.stray {
		d.strays++
		sh.totals.strays++
	}
	if d.flags&flagTrouble != 0 {
		s.catchUp(sh, i)
		if t := s.trouble(sh, i); t.phase == installing {
			return conflicted
		}
	}
	if d.flags&flagReceiving != 0 {
		return conflicted
	}
	d.attempts++
	p.attempt = d.attempts
	p.behavior = s.behaviors.at(d.behavior)
	if len(p.behavior.Faults) > 0 {
		p.strikes = s.strikesOn(p.behavior, i, d.attempts, p.work)
	}
	switch {
	case p.behavior.fails(d.attempts):
		p.strikes.answer = strike{} // fail_first comes before the list
		return faulted
	case p.strikes.fate() == fateRefused:
		return faulted
	case p.strikes.fate() == fateFeigned:
		return feigned
	case p.problem != "":
		return malformed
	}
	if len(p.behavior.Require) > 0 && lacks(p.behavior.Require, &p.work.header) {
		p.problem = "the request lacks a header field that the device wants"
		return malformed
	}
	return admitted
}

func (s *store) finish(sh *shard, i int, p *push, o outcome) outcome {
	d := &s.devices[i]
	d.bytes += uint64(p.size)
	sh.totals.bytes += uint64(p.size)
	if o == admitted {
		o = s.install(sh, i, p)
	}
	s.count(sh, d, o)
	switch o {
	case feigned:
		s.makeTrouble(sh, i).feigned++
	case unfit:
		s.makeTrouble(sh, i).unfit++
	}
	if p.duplicate && o == applied { // the same once more, as if it had come twice
		d.pushes++
		sh.totals.pushes++
		again := s.fits(d, p)
		if again == applied {
			again = s.apply(sh, d, p)
		}
		s.count(sh, d, again)
	}
	return o
}

func (s *store) count(sh *shard, d *device, o outcome) {
	switch o {
	case applied:
		d.applied++
		sh.totals.applied++
	case repeated:
		d.repeats++
		sh.totals.repeats++
	case feigned: // the device's own count is with its troubles, as is the next
		sh.totals.feigned++
	case unfit:
		sh.totals.unfit++
	case faulted:
		d.faulted++
		sh.totals.faulted++
		fallthrough
	default:
		d.rejected++
		sh.totals.rejected++
	}
}

func (s *store) breakOff(sh *shard, d *device, p *push) {
	d.bytes += uint64(p.size)
	d.broken++
	sh.totals.bytes += uint64(p.size)
	sh.totals.broken++
}

// verify counts a look at device i and returns a copy of it, with its version as a JSON string.
func (s *store) verify(i int) (device, string) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	s.devices[i].verifies++
	sh.totals.verifies++
	return s.devices[i], s.versions.slots[s.devices[i].version].quoted
}

// witness returns a copy of device i, with its version and what faults did to it.
func (s *store) witness(i int) (d device, version string, t tally) {
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d = s.shown(sh, i)
	if kept := s.trouble(sh, i); kept != nil {
		t = kept.tally
		t.counts = slices.Clone(kept.counts)
	}
	return d, s.versions.slots[d.version].text, t
}

// setBehavior gives device i a behaviour of its own and starts counting its attempts anew.
func (s *store) setBehavior(i int, b Behavior) error {
	slot, err := s.behaviors.acquire(b.withDefaults())
	if err != nil {
		return err
	}
	sh := s.lock(i)
	defer sh.mu.Unlock()
	d := &s.devices[i]
	s.behaviors.release(d.behavior)
	d.behavior, d.attempts = slot, 0
	d.dials, d.reuses, d.looks = 0, 0, 0
	if t := s.trouble(sh, i); t != nil && t.phase == rebooting { // it can be reached at once
		s.advance(i, t, time.Now())
		s.agenda.put(t)
		s.tidy(sh, i)
	}
	return nil
}

// reset puts every device back to its initial version and forgets what was received. Behaviours stay.
func (s *store) reset() {
	for i := range s.shards {
		s.shards[i].mu.Lock()
	}
	s.epoch.Add(1)
	for i := range s.devices {
		d := &s.devices[i]
		s.settleDown(s.shard(i), i)
		s.versions.release(d.version)
		*d = device{version: s.initial, behavior: d.behavior, open: d.open, flags: d.flags & flagOffline}
	}
	s.versions.retain(s.initial, len(s.devices))
	s.agenda.clear()
	for kind := range s.hits {
		s.hits[kind].Store(0)
	}
	for i := range s.shards {
		s.shards[i].totals = totals{}
		clear(s.shards[i].troubles)
		s.shards[i].mu.Unlock()
	}
}

func (s *store) sum() (t totals) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		u := sh.totals
		sh.mu.Unlock()
		t.updated += u.updated
		t.pushes += u.pushes
		t.applied += u.applied
		t.twice += u.twice
		t.repeats += u.repeats
		t.rejected += u.rejected
		t.faulted += u.faulted
		t.feigned += u.feigned
		t.broken += u.broken
		t.verifies += u.verifies
		t.strays += u.strays
		t.bytes += u.bytes
		t.struck += u.struck
		t.injected += u.injected
		t.unfit += u.unfit
		t.turnedAway += u.turnedAway
	}
	return t
}
