package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
)

// objects is for machines: a JSON object a second, and one as each repetition ends.
type objects struct {
	w        io.Writer
	last     time.Duration
	estimate estimate
}

const objectEvery = time.Second

// progressObject is one of them, a contract with scripts.
type progressObject struct {
	Scenario   string         `json:"scenario"`
	Kind       scenarios.Kind `json:"kind"`
	Repetition int            `json:"repetition"` // of its kind, from 1
	Of         int            `json:"of"`
	Ended      bool           `json:"ended"` // the repetition

	Done      int64 `json:"done"`    // operations that succeeded
	Failed    int64 `json:"failed"`  // and that didn't
	Retries   int64 `json:"retries"` // requests beyond one push and one verification
	Planned   int64 `json:"planned"` // operations; 0 where only time tells
	ElapsedNS int64 `json:"elapsed_ns"`
	LeftNS    int64 `json:"left_ns"` // of this repetition and those of its kind after it, about; 0 where that can't be told

	OpsPerSecond        float64        `json:"ops/s"`         // over the last seconds
	PlannedOpsPerSecond float64        `json:"planned_ops/s"` // now; 0 without a plan
	TryingOpsPerSecond  float64        `json:"trying_ops/s"`  // the rate that a search tries; 0 without one
	P50NS               int64          `json:"p50_ns"`        // response times of the last seconds
	P99NS               int64          `json:"p99_ns"`
	Failures            map[string]int `json:"failures,omitempty"` // by class
}

func (o *objects) Begin(s scenarios.Step) {
	o.last = 0
	o.estimate.begin(s, time.Now())
}

func (o *objects) Progress(_ scenarios.Step, v scenarios.Live) {
	o.estimate.progress(v)
	if v.Elapsed-o.last >= objectEvery {
		o.last = v.Elapsed
		o.say()
	}
}

func (o *objects) End(_ scenarios.Step, v scenarios.Live) {
	o.estimate.end(v)
	o.say()
}

func (o *objects) close() {}

// say can't do anything about a reader that is gone; the run goes on.
func (o *objects) say() {
	s, v := o.estimate.step, o.estimate.live
	rate, _, _ := o.estimate.rates()
	object := progressObject{
		Scenario: s.Scenario, Kind: s.Kind, Repetition: s.Number, Of: s.Of, Ended: o.estimate.ended,
		Done: v.Done, Failed: v.Failed, Retries: v.Retries, Planned: s.Planned, ElapsedNS: int64(v.Elapsed),
		OpsPerSecond: rate, PlannedOpsPerSecond: v.PlannedRate, TryingOpsPerSecond: s.Rate,
		P50NS: int64(v.P50), P99NS: int64(v.P99), Failures: v.Classes,
	}
	if seconds, ok := o.estimate.left(); ok && seconds < mostLeft {
		object.LeftNS = int64(seconds * float64(time.Second))
	}
	_ = json.NewEncoder(o.w).Encode(object)
}
