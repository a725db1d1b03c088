package results

import (
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// Operations counts the outcomes of the operations of one timed repetition.
type Operations struct {
	Planned   int64 `json:"planned"`    // by an open load, sent or not; 0 for a load without a plan
	Started   int64 `json:"started"`    // sent
	Succeeded int64 `json:"succeeded"`  // operations that succeeded
	Failed    int64 `json:"failed"`     // operations that failed
	NotSent   int64 `json:"not_sent"`   // planned, but not started before the load ended
	BrokenOff int64 `json:"broken_off"` // still under way when the load ended

	// PlanNS is the length of the plan, in nanoseconds, which rates are divided by. It is 0 for a
	// load that ends with its operations.
	PlanNS          int64 `json:"plan_ns"`
	DrainNS         int64 `json:"drain_ns"`          // how much longer than the plan the last operations took, in nanoseconds
	EndedInPlan     int64 `json:"ended_in_plan"`     // succeeded or failed before the plan's end
	SucceededInPlan int64 `json:"succeeded_in_plan"` // rates count these
}

// String returns a line: "150 planned, 150 started, 137 succeeded, 13 failed; 134 ended within the
// 3s of the plan, and the drain took 10.2s".
func (o Operations) String() string {
	var parts []string
	for _, part := range []struct {
		n      int64
		what   string
		always bool
	}{
		{o.Planned, " planned", false}, {o.Started, " started", true}, {o.Succeeded, " succeeded", true},
		{o.Failed, " failed", true}, {o.NotSent, " not sent", false}, {o.BrokenOff, " broken off", false},
	} {
		if part.always || part.n > 0 {
			parts = append(parts, plaintext.Thousands(part.n)+part.what)
		}
	}
	text := strings.Join(parts, ", ")
	if o.PlanNS > 0 {
		plan := time.Duration(o.PlanNS)
		text += fmt.Sprintf("; %s ended within the %v of the plan", plaintext.Thousands(o.EndedInPlan), plan)
		if o.DrainNS > 0 {
			text += ", and the drain took " + Duration.Format(float64(o.DrainNS))
		}
	}
	return text
}

// WorstOperations returns the operations of the repetition in which most operations did not
// succeed, and its number from 1. It returns 0 if there is none.
func WorstOperations(list []Operations) (worst Operations, repetition int) {
	bad := func(o Operations) int64 { return o.Failed + o.NotSent + o.BrokenOff }
	for i, o := range list {
		if i == 0 || bad(o) > bad(worst) {
			worst, repetition = o, i+1
		}
	}
	return worst, repetition
}

// Wave is one wave of a rollout, as far as it got.
type Wave struct {
	Number  int     `json:"number"`  // from 1
	Share   float64 `json:"share"`   // of the fleet, reached at its end
	Size    int     `json:"size"`    // devices in it
	Reached int     `json:"reached"` // devices whose update began
	Updated int     `json:"updated"` // devices that run the update
	Failed  int     `json:"failed"`  // devices whose delivery failed

	BeganNS int64 `json:"began_ns"` // when it began, in nanoseconds since the load's start
	EndedNS int64 `json:"ended_ns"` // when its last delivery ended, before the soak; 0 if it hasn't

	Succeeded int64 `json:"succeeded"` // deliveries that succeeded, whose times follow
	P50NS     int64 `json:"p50_ns"`    // median response time of a delivery, in nanoseconds; 0 if none succeeded
	P99NS     int64 `json:"p99_ns"`    // 99th percentile
	MaxNS     int64 `json:"max_ns"`    // longest

	SoakNS  int64  `json:"soak_ns"` // the wait after it, nanoseconds; 0 if there was none
	Ended   bool   `json:"ended"`   // whether it ended
	Stopped bool   `json:"stopped"` // whether the rollout stopped after it
	Why     string `json:"why"`     // why the next wave could begin, or the rollout stopped
}

// String returns a line: "wave 2 (10%): 20 devices reached, 15 updated, 5 failed: stopped: …".
func (w Wave) String() string {
	text := fmt.Sprintf("wave %d (%s): %s reached, %d updated, %d failed",
		w.Number, Share.Format(w.Share), plaintext.Count(w.Reached, "device"), w.Updated, w.Failed)
	if w.SoakNS > 0 {
		text += ", soaked for " + FormatValue(float64(w.SoakNS), UnitMean)
	}
	if w.Why != "" {
		text += ": " + w.Why
	}
	return text
}

// Rollout is the outcome of a repetition's rollout.
type Rollout struct {
	Stopped bool   `json:"stopped"`
	Waves   []Wave `json:"waves"`
}

// WorstRollout returns the rollout that updated the fewest devices, and its repetition from 1. It
// returns 0 if there is none.
func WorstRollout(list []Rollout) (worst Rollout, repetition int) {
	least := 0
	for i, r := range list {
		updated := 0
		for _, w := range r.Waves {
			updated += w.Updated
		}
		if i == 0 || updated < least {
			worst, repetition, least = r, i+1, updated
		}
	}
	return worst, repetition
}
