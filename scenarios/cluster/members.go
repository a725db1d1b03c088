package cluster

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// A member is an agent of a run, as the controller knows it.
type member struct {
	Info
	index int     // of its shard
	fleet *member // that it drives; nil if it drives its own

	accepted bool // it said that it takes part

	state agentState
	seen  time.Time // when it last said something
	gone  error     // why it takes no part any more; nil if it does

	next    uint64    // number of its next message with results
	gap     time.Time // since when a later one is there, and that one isn't; zero if none is
	partial []byte    // data of a result whose last message has not come

	portion *portion.Portion // of the repetition that runs; nil until it has come
	figures *figures

	began, within int64 // when its last repetition began, by the controller's clock, and how far off that may be

	late time.Duration // the largest of its starts after the planned ones
	lost *LostError    // nil if it wasn't lost
}

// busy reports whether the agent still has to be told that the run is over.
func (m *member) busy() bool {
	return m.gone == nil && (m.accepted || m.state.Phase != "") && m.state.Phase != free
}

// done reports whether nothing more comes from the agent: it has ended its part, and all of its
// results have come, or it is gone.
func (m *member) done() bool {
	if m.state.Phase == ended || m.state.Phase == failed {
		return m.next > m.state.Results
	}
	return m.gone != nil
}

// ahead reports whether a message with results came before one that the agent sent earlier.
func (m *member) ahead(msg jetstream.Msg) bool {
	number, err := strconv.ParseUint(msg.Headers().Get(countHeader), 10, 64)
	if err != nil || number <= m.next {
		return false
	}
	if m.gap.IsZero() {
		m.gap = time.Now()
	}
	return true
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
