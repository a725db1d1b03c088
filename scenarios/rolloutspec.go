package scenarios

import "github.com/fleetmark/fleetmark/mockfleet"

// RolloutSpec configures the rollout model: the client's own rollout over the whole fleet,
// by load.workers, at load.rate where there is one.
type RolloutSpec struct {
	Waves        []WaveSpec      `yaml:"waves,omitempty" json:"waves,omitempty"`             // left out: one wave of everything
	AbortShare   mockfleet.Share `yaml:"abort_share,omitempty" json:"abort_share,omitempty"` // of a wave's finished devices that may fail; 0: all
	AbortMinimum int             `yaml:"abort_least,omitempty" json:"abort_least,omitempty"` // devices that must have finished before it is looked at in a wave's course; 0: the client's own default
	Requeue      RequeueSpec     `yaml:"requeue,omitzero" json:"requeue,omitzero"`           // of devices that failed
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
	return len(s.Waves) == 0 && s.AbortShare == 0 && s.AbortMinimum == 0 && s.Requeue == RequeueSpec{}
}
