package cluster

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// A member is an agent of a run, as the controller knows it.
type member struct {
	Info
	index int     // of its shard
	fleet *member // that it drives; nil if it drives its own

	state agentState
	seen  time.Time // when it last said something
	gone  error     // why it takes no part any more; nil if it does

	next    uint64 // number of its next message with results
	partial []byte // data of a result whose last message has not come

	portion *portion.Portion // of the repetition that runs; nil until it has come
	figures *figures

	began, within int64 // when its last repetition began, by the controller's clock, and how far off that may be

	late time.Duration // the largest of its starts after the planned ones
	lost *LostError    // nil if it wasn't lost
}

// A LostError says that an agent was lost in a run.
type LostError struct {
	Agent string
	When  string        // in words
	After time.Duration // that it said nothing; 0 if it said that it can't go on
	Why   string        // what it said

	phase      string // of the run
	repetition int
	at         time.Time
}

func (e *LostError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("agent %s failed %s: %s", e.Agent, e.When, e.Why)
	}
	return fmt.Sprintf("agent %s was lost %s: it said nothing for %v", e.Agent, e.When, e.After.Round(time.Millisecond))
}
