package fault

import (
	"math"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Set holds the compiled faults of one behavior, by the point at which they act.
type Set struct{ points [pointCount][]Compiled }

// Compiled is a fault with its kind, and with its kind's defaults.
type Compiled struct {
	Fault
	Kind  *Kind
	Index int // of the kind in the table

	slot uint8 // index in its behavior's list, from which its random streams derive
}

// Attempt is one attempt of one device. [Fault] says what an attempt is.
type Attempt struct {
	Seed   uint64
	Device int    // its number in the whole fleet
	Number uint32 // counted from 1; 0 stands for the whole device
	Gated  bool   // the device has a port that Port hooks control; Connect hooks of the same kinds don't act
}

// Injection is a fault that acts on one attempt. The zero value is none.
type Injection struct {
	*Compiled
	Attempt
}

// Injections are the faults that act on one update.
type Injections struct{ Upload, Body, Install, Response Injection }

// Compile compiles faults. It leaves out those of an unknown kind, which Validate reports.
func Compile(faults []Fault) (s Set) {
	if len(faults) == 0 {
		return s
	}
	table := Table()
	for i, f := range faults {
		index := kindIndex(table, f.Kind)
		if index < 0 {
			continue
		}
		k := &table[index]
		at := k.Point
		if at == PointResponse && f.On == onVersion {
			at = PointVersionResponse
		}
		s.points[at] = append(s.points[at], Compiled{Fault: f.withDefaults(k), Kind: k, Index: index, slot: uint8(i)})
	}
	return s
}

// Has reports whether any fault may act at p.
func (s *Set) Has(p Point) bool { return len(s.points[p]) > 0 }

// First returns the first fault at p that acts on an attempt, or the zero Injection if none does. r
// is nil if no request has been read yet.
func (s *Set) First(p Point, at Attempt, r *Request) Injection {
	for i := range s.points[p] {
		c := &s.points[p][i]
		in := Injection{c, at}
		if c.First > 0 && at.Number > uint32(c.First) || !in.Selected() {
			continue
		}
		if c.Kind.Port != nil && at.Gated { // the port refuses or stalls by itself
			continue
		}
		if c.Kind.When != nil && !c.Kind.When(r, in) {
			continue
		}
		return in
	}
	return Injection{}
}

// Injections returns the faults that act on an update.
func (s *Set) Injections(at Attempt, r *Request) Injections {
	return Injections{
		Upload: s.First(PointUpload, at, r), Body: s.First(PointBody, at, r),
		Install: s.First(PointInstall, at, r), Response: s.First(PointResponse, at, r),
	}
}

// Forced returns the outcome that the faults force on the update.
func (i *Injections) Forced() ForcedOutcome {
	if i.Response.IsZero() {
		return Unforced
	}
	return i.Response.Kind.Forced
}

// PortState returns the state that the device's faults give its port. The zero value is an open
// port.
func (s *Set) PortState(at Attempt) PortState {
	for n := range s.points[PointConnect] {
		in := Injection{&s.points[PointConnect][n], at}
		if in.Kind.Port != nil && in.Selected() {
			return in.Kind.Port(in)
		}
	}
	return PortState{}
}

// Permanent reports whether a fault makes the device unreachable for good.
func (s *Set) Permanent(at Attempt) bool {
	for n := range s.points[PointConnect] {
		in := Injection{&s.points[PointConnect][n], at}
		if in.Kind.Permanent && in.Selected() {
			return true
		}
	}
	return false
}

// IsZero reports whether i is the zero value, which means that no fault acts.
func (i Injection) IsZero() bool { return i.Compiled == nil }

// Selected reports whether the device is one of those that the fault acts on at all.
func (i Injection) Selected() bool {
	if i.Share == 0 || i.Share == 1 {
		return true
	}
	return random.Draw(i.Seed, i.Device, 0, i.stream(streamShare)) < float64(i.Share)
}

// The random streams of a fault, one for each random choice about it. Their values must never
// change, so that a seed gives the same fleet in every release.
const (
	streamShare random.Stream = iota
	streamDelay
	streamAfterBytes
	streamRate
	streamsPerFault
)

func (i Injection) stream(s random.Stream) random.Stream {
	return random.StreamFault + random.Stream(i.slot)*streamsPerFault + s
}

// Wait draws the fault's delay for the attempt.
func (i Injection) Wait() time.Duration {
	return i.Delay.Sample(random.Draw(i.Seed, i.Device, i.Number, i.stream(streamDelay)))
}

// WaitOr draws the fault's delay for the attempt. It returns otherwise if the delay is 0.
func (i Injection) WaitOr(otherwise time.Duration) time.Duration {
	if d := i.Wait(); d > 0 {
		return d
	}
	return otherwise
}

// Offset draws how many bytes of the artifact are received before the fault acts.
func (i Injection) Offset() int64 {
	return i.AfterBytes.Sample(random.Draw(i.Seed, i.Device, i.Number, i.stream(streamAfterBytes)))
}

// BytesPerSecond draws the fault's rate for the attempt, from 1 to MaxInt32.
func (i Injection) BytesPerSecond() int64 {
	return min(max(1, i.Rate.Sample(random.Draw(i.Seed, i.Device, i.Number, i.stream(streamRate)))), math.MaxInt32)
}
