package cluster

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A resultMessage is a message with results that didn't come from a server.
type resultMessage struct {
	jetstream.Msg // nil: only the methods below are called
	header        nats.Header
	data          []byte
}

func (m resultMessage) Headers() nats.Header { return m.header }
func (m resultMessage) Data() []byte         { return m.data }

// FuzzTake checks that no message of an agent can do more than make the run fail.
func FuzzTake(f *testing.F) {
	f.Add(intervalsKind, "1", "1", []byte(`[{"repetition":{"phase":"timed","number":1},"interval":{}}]`))
	f.Add(portionKind, "1", "1", []byte(`{"repetition":{"phase":"timed","number":1},"began":1,"within":1,"portion":{}}`))
	f.Add(portionKind, "1", "", []byte(`{"repetition":`))
	f.Add(portionKind, "9", "1", []byte(`{}`))
	f.Add("other", "-1", "1", []byte(`null`))
	f.Fuzz(func(t *testing.T, kind, number, last string, data []byte) {
		spec := spec(t)
		r := &session{
			c: &Controller{}, spec: spec, shape: runner.PortionShape(spec),
			repetition: runner.Repetition{Phase: runner.Timed, Number: 1},
		}
		m := &member{Info: named("a"), next: 1, figures: newFigures()}
		err := r.take(m, resultMessage{header: nats.Header{
			kindHeader: {kind}, countHeader: {number}, lastHeader: {last},
		}, data: data})
		if m.portion != nil {
			require.NoError(t, err)
			r.drivers = []*member{m}
			require.NoError(t, r.addFigures(r.portions()), "a portion that was read can be added")
		}
	})
}

// FuzzOffer checks that an agent that can't read an offer goes on, and isn't busy.
func FuzzOffer(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"protocol":1,"run":"4f2a0123456b","role":"both","lease":5000000000,"spec":{"name":"x"},"revision":"r1","client":"delivery"}`))
	f.Add([]byte(`{"spec":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &agentServer{
			AgentOptions: AgentOptions{Name: "a", Role: Both, Revision: "r1", Client: "delivery"}, clock: newClock(),
			started: time.Now(), jobs: make(chan *job, 1),
		}
		a.answerOffer(&nats.Msg{Data: data}) // the answer can't be sent
		var of offer
		if a.busy != "" {
			require.NoError(t, json.Unmarshal(data, &of))
			require.Equal(t, of.Run, a.busy)
			require.Len(t, a.jobs, 1)
			return
		}
		require.Empty(t, a.jobs)
	})
}
