package device

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// Store holds the state of every device. A device is guarded by the lock of its stripe. Devices
// with adjacent indices are in different stripes, so that a rollout in order of index seldom waits
// for a lock.
type Store struct {
	seed       uint64
	part       address.Shard // the part of the fleet whose devices these are
	gated      bool          // as in Config
	initial    uint32        // slot of the initial version
	keySeed    maphash.Seed
	now        *atomic.Int64 // Unix nanoseconds
	epoch      atomic.Uint32 // counts resets; changed only with every stripe locked
	began      time.Time     // of the last reset, or of the store; changed only with every stripe locked
	versions   *versionTable
	behaviors  *behaviorTable
	timers     *timerQueue
	groups     *Groups
	kinds      []string        // as Kinds returns them
	injections []atomic.Uint64 // injections by kind, since the last reset
	stripes    [stripeCount]stripe
	devices    []record
}

const stripeCount = 1024 // a power of two

type stripe struct {
	mu         sync.Mutex
	totals     ledger.Totals      // of its devices, kept so that Store.Totals needn't read a million records
	sideStates map[int]*sideState // by device, of those that have one
	_          [48]byte           // a stripe fills three cache lines
}

// Config says which devices a store holds.
type Config struct {
	Devices        int // of the whole fleet
	Shard          address.Shard
	Seed           uint64
	InitialVersion string
	Behavior       behavior.Behavior
	Groups         []behavior.Group
	Queued         bool // the server limits the rate of responses, so that each may have to wait
	Gated          bool // ports take the states that PortState returns, so that they refuse and stall by themselves
}

// Len returns how many devices a store has.
func (c Config) Len() int { return c.Shard.Len(c.Devices) }

// New returns a store whose devices run the initial version. now is the clock that dates updates,
// in Unix nanoseconds; the caller advances it.
func New(cfg Config, now *atomic.Int64) *Store {
	s := &Store{
		seed:      cfg.Seed,
		part:      cfg.Shard,
		gated:     cfg.Gated,
		keySeed:   maphash.MakeSeed(),
		now:       now,
		began:     time.Now(),
		versions:  newVersionTable(maxVersions),
		behaviors: newBehaviorTable(cfg.Behavior),
		timers:    newTimerQueue(),
		kinds:     fault.Names(),
		groups:    newGroups(cfg),
		devices:   make([]record, cfg.Len()),
	}
	s.injections = make([]atomic.Uint64, len(s.kinds))
	s.initial, _ = s.versions.acquire([]byte(cfg.InitialVersion)) // an empty table has room
	s.versions.retain(s.initial, len(s.devices))
	for i := range s.devices {
		s.devices[i].version = s.initial
	}
	s.assignGroups()
	if cfg.Queued {
		s.behaviors.hasBehavior.Store(true)
	}
	return s
}

// Len returns how many devices there are.
func (s *Store) Len() int { return len(s.devices) }

// Number returns the number of device i in the whole fleet, from which all that is random about it
// and its ID derive.
func (s *Store) Number(i int) int { return s.part.Number(i) }

// Seed returns the seed of the fleet's random choices.
func (s *Store) Seed() uint64 { return s.seed }

// KeySeed returns the seed of the hashes of Idempotency-Keys.
func (s *Store) KeySeed() maphash.Seed { return s.keySeed }

// Resets returns how often the store was reset.
func (s *Store) Resets() uint32 { return s.epoch.Load() }

// HasBehavior reports whether any device may have a behavior. Until then, requests needn't ask for
// one.
func (s *Store) HasBehavior() bool { return s.behaviors.hasBehavior.Load() }

// Groups returns which device is in which group.
func (s *Store) Groups() *Groups { return s.groups }

// Kinds returns the names of the kinds of faults, in the order of their table.
func (s *Store) Kinds() []string { return s.kinds }

// Injected returns how often a kind of fault, given by its index in Kinds, acted since the last
// reset.
func (s *Store) Injected(kind int) uint64 { return s.injections[kind].Load() }

func (s *Store) stripe(i int) *stripe { return &s.stripes[i&(stripeCount-1)] }

// lock locks device i's stripe.
func (s *Store) lock(i int) *stripe {
	st := s.stripe(i)
	st.mu.Lock()
	return st
}

// Outcome is what becomes of an update.
type Outcome uint8

const (
	Applied         Outcome = iota
	Repeated                // the device runs that update already
	ForcedReject            // rejected because of the behavior
	FalseAck                // acknowledged and not applied, because of the behavior
	InstallFailed           // accepted, then not installed, because of the behavior
	Conflict                // another update is under way
	Invalid                 // the request is malformed; Update.Problem says how
	DigestMismatch          // the artifact isn't the one that Repr-Digest names
	KeyReused               // another update has this key
	TooManyVersions         // the fleet has no room for one more version
	FleetReset              // the fleet was reset since the update began
	Accepted                // not decided yet: the device wants the body
)

// NeedsBody reports whether the body is still to be read.
func (o Outcome) NeedsBody() bool { return o == Accepted || o == ForcedReject || o == FalseAck }

// IsAck reports whether the device answers that it took the update.
func (o Outcome) IsAck() bool {
	return o == Applied || o == Repeated || o == FalseAck || o == InstallFailed
}

// Begin counts an update before its body is read, and reserves the device for it: until Commit or
// Abort, other updates are conflicts. If the outcome needs no body, it is final, and the device
// isn't reserved.
func (s *Store) Begin(i int, u *Update) Outcome {
	st := s.lock(i)
	defer st.mu.Unlock()
	o := s.start(st, i, u)
	if o.NeedsBody() {
		s.devices[i].flags |= flagReceiving
		u.epoch = s.epoch.Load()
	} else {
		s.countOutcome(st, &s.devices[i], o)
	}
	return o
}

// Commit decides about an update that Begin admitted, once its body has been received. admission is
// the outcome that Begin returned.
func (s *Store) Commit(i int, u *Update, admission Outcome) Outcome {
	st := s.lock(i)
	defer st.mu.Unlock()
	if u.epoch != s.epoch.Load() {
		return FleetReset
	}
	s.devices[i].flags &^= flagReceiving
	return s.complete(st, i, u, admission)
}

// Abort gives up an update that Begin admitted, because its body broke off after u.Size bytes.
func (s *Store) Abort(i int, u *Update) {
	st := s.lock(i)
	defer st.mu.Unlock()
	if u.epoch != s.epoch.Load() {
		return
	}
	d := &s.devices[i]
	d.flags &^= flagReceiving
	s.countIncomplete(st, d, u)
}

// Apply counts an update whose body has been received, and decides about it in one step.
func (s *Store) Apply(i int, u *Update) Outcome {
	st := s.lock(i)
	defer st.mu.Unlock()
	return s.complete(st, i, u, s.start(st, i, u))
}

// Drop counts an update that broke off without a call of Begin.
func (s *Store) Drop(i int, u *Update) {
	st := s.lock(i)
	defer st.mu.Unlock()
	s.start(st, i, u)
	s.countIncomplete(st, &s.devices[i], u)
}

// start counts an update, and decides what can be decided without its body.
func (s *Store) start(st *stripe, i int, u *Update) Outcome {
	d := &s.devices[i]
	s.contact(d)
	d.pushes++
	st.totals.Pushes++
	if u.Misdirected {
		d.misdirected++
		st.totals.Misdirected++
	}
	if d.flags&flagSideState != 0 {
		s.catchUp(st, i)
		if t := s.sideState(st, i); t.phase == phaseInstalling {
			return Conflict
		}
	}
	if d.flags&flagReceiving != 0 {
		return Conflict
	}
	d.attempts++
	u.Attempt = d.attempts
	u.Behavior = s.behaviors.at(d.behavior)
	if len(u.Behavior.Faults) > 0 {
		u.Injections = u.Behavior.faults.Injections(s.attempt(i, d.attempts), u.Request)
	}
	switch {
	case u.Behavior.Fails(d.attempts):
		u.Injections.Response = fault.Injection{} // fail_first comes before the list
		return ForcedReject
	case u.Injections.Forced() == fault.ForceReject:
		return ForcedReject
	case u.Injections.Forced() == fault.ForceFalseAck:
		return FalseAck
	case u.Problem != "":
		return Invalid
	}
	if len(u.Behavior.Require) > 0 && behavior.Missing(u.Behavior.Require, u.Header) {
		u.Problem = "the request lacks a header field that the device wants"
		return Invalid
	}
	return Accepted
}

// complete counts an update whose body has been received, and installs it if o is Accepted.
func (s *Store) complete(st *stripe, i int, u *Update, o Outcome) Outcome {
	d := &s.devices[i]
	d.bytes += uint64(u.Size)
	st.totals.BytesReceived += uint64(u.Size)
	if o == Accepted {
		o = s.installUpdate(st, i, u)
	}
	s.countOutcome(st, d, o)
	switch o {
	case FalseAck:
		s.ensureSideState(st, i).falseAcks++
	case InstallFailed:
		s.ensureSideState(st, i).installFailures++
	}
	if u.Duplicate && o == Applied { // counts once more, as if it had been sent twice
		d.pushes++
		st.totals.Pushes++
		again := s.checkUpdate(d, u)
		if again == Applied {
			again = s.setUpdate(st, d, u)
		}
		s.countOutcome(st, d, again)
	}
	return o
}

func (s *Store) countOutcome(st *stripe, d *record, o Outcome) {
	switch o {
	case Applied:
		d.applied++
		st.totals.Applied++
	case Repeated:
		d.repeats++
		st.totals.Repeats++
	case FalseAck: // the device's own count is in its side state, and so is that of InstallFailed
		st.totals.FalseAcks++
	case InstallFailed:
		st.totals.InstallFailures++
	case ForcedReject:
		d.forcedRejects++
		st.totals.ForcedRejects++
		fallthrough
	default:
		d.rejected++
		st.totals.Rejected++
	}
}

func (s *Store) countIncomplete(st *stripe, d *record, u *Update) {
	d.bytes += uint64(u.Size)
	d.incomplete++
	st.totals.BytesReceived += uint64(u.Size)
	st.totals.Incomplete++
}

// witness returns a copy of device i's record, its version, and the counts of its side state.
func (s *Store) witness(i int) (d record, version string, t faultCounts) {
	st := s.lock(i)
	defer st.mu.Unlock()
	d = s.visible(st, i)
	if kept := s.sideState(st, i); kept != nil {
		t = kept.faultCounts
		t.byKind = slices.Clone(kept.byKind)
	}
	return d, s.versions.slots[d.version].text, t
}

// SetBehavior gives device i a behavior of its own and counts its attempts anew. It fails if the
// fleet has no room for one more behavior.
func (s *Store) SetBehavior(i int, b behavior.Behavior) error {
	slot, err := s.behaviors.acquire(b.WithDefaults())
	if err != nil {
		return err
	}
	st := s.lock(i)
	defer st.mu.Unlock()
	d := &s.devices[i]
	s.behaviors.release(d.behavior)
	d.behavior, d.attempts = slot, 0
	d.connects, d.reuses, d.versionReads = 0, 0, 0
	if t := s.sideState(st, i); t != nil && t.phase == phaseRebooting { // it can be reached at once
		s.nextPhase(i, t, time.Now())
		s.timers.schedule(t)
		s.dropIfEmpty(st, i)
	}
	return nil
}

// Reset puts every device back to its initial version and forgets what was received. Behaviors
// stay.
func (s *Store) Reset() {
	for i := range s.stripes {
		s.stripes[i].mu.Lock()
	}
	s.epoch.Add(1)
	s.began = time.Now()
	for i := range s.devices {
		d := &s.devices[i]
		s.cancelLifecycle(s.stripe(i), i)
		s.versions.release(d.version)
		*d = record{version: s.initial, behavior: d.behavior, openConns: d.openConns, flags: d.flags & flagOffline}
	}
	s.versions.retain(s.initial, len(s.devices))
	s.timers.clear()
	for kind := range s.injections {
		s.injections[kind].Store(0)
	}
	for i := range s.stripes {
		s.stripes[i].totals = ledger.Totals{}
		clear(s.stripes[i].sideStates)
		s.stripes[i].mu.Unlock()
	}
}

// Totals returns the sums over all devices since the last reset.
func (s *Store) Totals() (t ledger.Totals) {
	for i := range s.stripes {
		st := &s.stripes[i]
		st.mu.Lock()
		part := st.totals
		st.mu.Unlock()
		t.Add(&part)
	}
	return t
}

// Kept counts what a store keeps beside the records of its devices, for tests: all of it must be
// dropped once it isn't needed.
type Kept struct {
	SideStates int            // devices with a side state
	Timers     int            // devices whose phase ends by itself
	OpenConns  int            // connections that count toward their device's limit
	Versions   map[string]int // references to each version in use, one of which is the store's own
}

// Kept returns what the store keeps beside the records.
func (s *Store) Kept() Kept {
	k := Kept{Versions: map[string]int{}}
	for i := range s.devices {
		st := s.lock(i)
		k.OpenConns += int(s.devices[i].openConns)
		st.mu.Unlock()
	}
	for i := range s.stripes {
		st := &s.stripes[i]
		st.mu.Lock()
		k.SideStates += len(st.sideStates)
		st.mu.Unlock()
	}
	s.timers.mu.Lock()
	k.Timers = len(s.timers.list)
	s.timers.mu.Unlock()
	for i := range s.versions.slots {
		if slot := &s.versions.slots[i]; slot.refs.Load() != 0 {
			k.Versions[slot.text] = int(slot.refs.Load())
		}
	}
	return k
}
