package scenarios

import (
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// RolloutSpec configures the rollout model: the client's own rollout over the whole fleet,
// by load.workers, at load.rate where there is one.
type RolloutSpec struct {
	Waves      []WaveSpec      `yaml:"waves,omitempty" json:"waves,omitempty"`             // left out: one wave of everything
	AbortShare mockfleet.Share `yaml:"abort_share,omitempty" json:"abort_share,omitempty"` // of a wave's finished devices that may fail; 0: all
	AbortLeast int             `yaml:"abort_least,omitempty" json:"abort_least,omitempty"` // devices that must have finished before it is looked at in a wave's course; 0: the client's own default
	Requeue    RequeueSpec     `yaml:"requeue,omitzero" json:"requeue,omitzero"`           // of devices that failed
}

// RequeueSpec configures further turns of devices that failed.
type RequeueSpec struct {
	Turns int      `yaml:"turns,omitempty" json:"turns,omitempty"` // 0: the client's own default; -1: none
	After Duration `yaml:"after,omitempty" json:"after,omitempty"` // before the first of them; 0: the client's own default
}

// WaveSpec is a step of a rollout.
type WaveSpec struct {
	Share mockfleet.Share `yaml:"share" json:"share"`                   // of the fleet that is reached when it is over
	Soak  Duration        `yaml:"soak,omitempty" json:"soak,omitempty"` // the wait after it
}

// IsZero reports whether nothing is configured. Files leave it out then.
func (s RolloutSpec) IsZero() bool {
	return len(s.Waves) == 0 && s.AbortShare == 0 && s.AbortLeast == 0 && s.Requeue == RequeueSpec{}
}

// Bounds of a rollout, which are those of package delivery.
const (
	maxWaves      = 100
	maxSoak       = Duration(30 * 24 * time.Hour)
	maxAbortLeast = 1 << 20
	maxTurns      = 1000
	mostBegun     = 1_000_000 // devices a second
)

func (s RolloutSpec) check(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	if n := len(s.Waves); n > maxWaves {
		bad("load.rollout.waves", "%d of them: want %d at most", n, maxWaves)
		return
	}
	before := mockfleet.Share(0)
	for i, w := range s.Waves {
		field := indexed("load.rollout.waves", i)
		if w.Share <= before {
			bad(field+".share", "%v: want more than %v, which has been reached before it, and 1 at most", float64(w.Share), float64(before))
		}
		if w.Soak > maxSoak {
			bad(field+".soak", "%s: want %s at most", w.Soak, maxSoak)
		}
		before = max(before, w.Share)
	}
	within("load.rollout.abort_least", s.AbortLeast, 0, maxAbortLeast)
	within("load.rollout.requeue.turns", s.Requeue.Turns, -1, maxTurns)
	if s.Requeue.After < 0 || s.Requeue.After > MaxTimeout {
		bad("load.rollout.requeue.after", "%s: want 0s, for the client's default, to %s", s.Requeue.After, MaxTimeout)
	}
}

// mostRolledOut bounds a rollout's fleet: it takes a map of its devices.
const mostRolledOut = 200_000
