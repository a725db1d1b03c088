package mockfleet

import (
	"math"
	"slices"
	"strings"
	"time"
)

// kind is a row of the table of faults. A fault lives in a file of its own, fault_KIND.go: a function
// that returns its row, with the one hook that its level asks for. docs/faults.md
// shows how to add one.
type kind struct {
	name      string
	level     level
	takes     parameter // besides share, which every kind takes
	needsRate bool      // makes no sense without a rate
	needsPort bool      // only to be had where each device has a port
	preset    Fault     // Delay and Status where they are left out
	fate      fate      // of the update, where the fault spoils the answer to it
	permanent bool      // the device is gone for good

	// The hook that the level asks for, and strikes, which may be beside it.
	door    func(s strike) posture                               // what a port shows, in port addressing
	connect func(c *conn, s strike)                              // acts before any answer, and ends the connection
	upload  func(c *conn, r *request, p *push, s strike) verdict // acts when an update's head is there and its body isn't
	content func(r *request, p *push, s strike)                  // changes what becomes of the bytes to come
	live    func(s strike) passage                               // what a device goes through after an update
	verify  func(v *view, s strike)                              // changes what a device tells of itself
	strikes func(w *workspace, s strike) bool                    // leaves attempts out; w is nil on levelPort
	// answer sends the answer of head h and the body in c.work.body, in its own way. Like conn.send, it
	// reports whether the connection goes on.
	answer func(c *conn, r *request, h answerHead, s strike) bool
}

// kinds is the table of all faults.
func kinds() []kind {
	table := []kind{
		refuse(), connectStall(), flapping(), offline(),
		blackhole(), resetOnAccept(), closeOnAccept(), idleClose(),
		resetMidUpload(), closeMidUpload(), stallMidUpload(), slowRead(),
		early4xx(), noContinue(), status417(), noChunked(),
		corrupt(), duplicate(),
		status202(), reboot(), failedInstall(), rollback(),
		slowAnswer(), dripAnswer(), truncatedBody(), truncatedJSON(), wrongContentType(),
		garbage(), headerFlood(), endlessBody(), gzipBomb(), http10(),
		redirectLoop(), appliedButLost(), okButNotApplied(),
		wrongVersion(), wrongDigest(), wrongDevice(),
	}
	table = append(table, redirects()...)
	return append(table, statuses()...)
}

// level is where in the life of a connection a fault strikes. Of each level, the first fault of a
// device's list that strikes an attempt is the one that acts.
type level uint8

const (
	levelPort          level = iota // what a port shows to who connects, and, where that can't be had, each connection
	levelReuse                      // a request on a connection that was used before
	levelUpload                     // an update, once its head is there
	levelContent                    // the bytes of an update
	levelLife                       // an update that was applied
	levelAnswer                     // the answer to an update
	levelVersionAnswer              // the answer to a look at the version
	levelVerify                     // what that answer tells
	levelCount
)

// verdict is how an update goes on after upload.
type verdict uint8

const (
	carryOn verdict = iota // as if nothing had been
	refused                // it is answered p.refusal, and not applied
	ended                  // it was given up with conn.lose, and the connection ends
)

// fate is what becomes of an update whose answer is spoiled.
type fate uint8

const (
	fateUsual   fate = iota // whatever the update deserves
	fateRefused             // it isn't applied
	fateFeigned             // it isn't applied, and is acknowledged
)

// parameter is a set of fields of Fault.
type parameter uint16

const (
	takesOn parameter = 1 << iota
	takesFirst
	takesAfter
	takesRate
	takesDelay
	takesStatus
	takesRetryAfter
	takesOrigin
)

// parameterNames are those of the bits, from the lowest.
func parameterNames() []string {
	return []string{"on", "first", "after_bytes", "rate", "delay", "status", "retry_after", "origin"}
}

func (p parameter) String() string {
	names := []string{"share"}
	for i, name := range parameterNames() {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// statuses are the bounds of a kind's status.
func (k kind) statuses() (low, high int) {
	switch {
	case k.level == levelLife:
		return 200, 299
	case k.level == levelUpload:
		return 400, 499
	}
	return 400, 599
}

func kindNamed(table []kind, name string) (kind, bool) {
	if i := kindIndex(table, name); i >= 0 {
		return table[i], true
	}
	return kind{}, false
}

func kindIndex(table []kind, name string) int {
	return slices.IndexFunc(table, func(k kind) bool { return k.name == name })
}

func kindNames(table []kind) []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// lasting is a preset of a fixed delay.
func lasting(d time.Duration) Fault { return Fault{Delay: Distribution{kind: fixed, a: d}} }

// FaultKind says what a kind of fault takes, for who wants to describe a fault before it is had.
type FaultKind struct {
	Name      string
	Takes     []string // of Fault's fields, by their names in JSON, those that it takes beside kind and share
	Needs     []string // of these, those without which it makes no sense
	LowStatus int      // bounds of status, where it takes one
	TopStatus int
	NeedsPort bool // is only to be had in port addressing
}

// FaultParameters are the fields of Fault, by their names in JSON, that only some kinds take.
func FaultParameters() []string { return parameterNames() }

// FaultKinds lists the kinds of faults.
func FaultKinds() []FaultKind {
	table := kinds()
	list := make([]FaultKind, len(table))
	for i, k := range table {
		list[i] = FaultKind{Name: k.name, NeedsPort: k.needsPort}
		list[i].LowStatus, list[i].TopStatus = k.statuses()
		for bit, name := range parameterNames() {
			if k.takes&(1<<bit) != 0 {
				list[i].Takes = append(list[i].Takes, name)
			}
		}
		if k.needsRate {
			list[i].Needs = append(list[i].Needs, "rate")
		}
		if k.takes&takesStatus != 0 && k.preset.Status == 0 {
			list[i].Needs = append(list[i].Needs, "status")
		}
	}
	return list
}

// plan is a behaviour made ready: its faults by level, each with what makes it.
type plan struct {
	Behavior
	levels [levelCount][]armed
	plain  bool // answers at once, but for fail_first
}

// armed is a fault with the row of the table that it is of.
type armed struct {
	Fault
	kind
	index  uint8 // in its behaviour's list, which sets its random numbers apart
	number uint8 // of its kind, in the table
}

func newPlan(b Behavior) *plan {
	p := &plan{Behavior: b, plain: len(b.Faults) == 0 && len(b.Require) == 0 && b.Latency.IsZero() && b.Life.IsZero() && b.Network.IsZero()}
	if len(b.Faults) == 0 {
		return p
	}
	table := kinds()
	for i, f := range b.Faults {
		number := kindIndex(table, f.Kind)
		if number < 0 {
			continue // Validate has seen to it
		}
		k := table[number]
		at := k.level
		if at == levelAnswer && f.On == onVersion {
			at = levelVersionAnswer
		}
		p.levels[at] = append(p.levels[at], armed{Fault: f.withDefaults(k), kind: k, index: uint8(i), number: uint8(number)})
	}
	return p
}

func (p *plan) has(at level) bool { return len(p.levels[at]) > 0 }

// strike is a fault that strikes one attempt of one device; without a fault, it is none.
type strike struct {
	*armed
	seed    uint64
	device  int
	attempt uint32
}

func (s strike) none() bool { return s.armed == nil }

// choose is the first fault on a level that strikes the attempt-th attempt of a device.
func (s *store) choose(p *plan, at level, device int, attempt uint32, w *workspace) strike {
	for i := range p.levels[at] {
		a := &p.levels[at][i]
		st := strike{armed: a, seed: s.seed, device: device, attempt: attempt}
		if a.First > 0 && attempt > uint32(a.First) || !st.shares() {
			continue
		}
		if a.door != nil && s.doors || a.strikes != nil && !a.strikes(w, st) { // the port has seen to it, or it isn't to
			continue
		}
		return st
	}
	return strike{}
}

// shares tells whether the device is one of those that the fault strikes at all.
func (s strike) shares() bool {
	if s.Share == 0 || s.Share == 1 {
		return true
	}
	return draw(s.seed, s.device, 0, s.purpose(choiceShare)) < float64(s.Share)
}

// choice is what is random about a fault.
type choice uint8

const (
	choiceShare choice = iota
	choiceDelay
	choiceAfter
	choiceRate
	choiceCount
)

func (s strike) purpose(c choice) purpose {
	return purposeFault + purpose(s.index)*purpose(choiceCount) + purpose(c)
}

func (s strike) delay() time.Duration {
	return s.Delay.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceDelay)))
}

// delayOr is the delay, or otherwise where the fault has none.
func (s strike) delayOr(otherwise time.Duration) time.Duration {
	if d := s.delay(); d > 0 {
		return d
	}
	return otherwise
}

func (s strike) afterBytes() int64 {
	return s.AfterBytes.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceAfter)))
}

// rate is in bytes a second, at least 1.
func (s strike) rate() int64 {
	return min(max(1, s.Rate.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceRate)))), math.MaxInt32)
}

// strikes are the faults that strike one update.
type strikes struct{ upload, content, life, answer strike }

func (s *strikes) fate() fate {
	if s.answer.none() {
		return fateUsual
	}
	return s.answer.kind.fate
}

func (s *store) strikesOn(p *plan, device int, attempt uint32, w *workspace) strikes {
	of := func(at level) strike { return s.choose(p, at, device, attempt, w) }
	return strikes{upload: of(levelUpload), content: of(levelContent), life: of(levelLife), answer: of(levelAnswer)}
}
