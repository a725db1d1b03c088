package scenarios

import (
	"fmt"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
)

// fly records the moments of a repetition, and writes down those before an operation that took longer
// than the scenario says. landed ends it.
func (r *runner) fly(repetition int) (landed func() error, err error) {
	flight, err := profiles.StartFlight(r.dir.ProfilesDir(), profiles.FlightConfig{})
	if err != nil {
		return nil, err
	}
	slow := make(chan time.Duration, 1)
	for _, rec := range r.recorders {
		rec.slow, rec.tooSlow = r.spec.SlowTrace.Std(), slow
	}
	var writing sync.WaitGroup
	var failed error
	done := make(chan struct{})
	n := 0
	keep := func(took time.Duration) {
		n++
		name := fmt.Sprintf("slow.%d.%d", repetition, n)
		kept, err := flight.Keep(name)
		if err != nil {
			failed = err
		}
		if kept {
			r.slowTraces = append(r.slowTraces, fmt.Sprintf("an operation took %v, more than slow_trace: profiles/%s.out is a trace of the moments before", took.Round(time.Microsecond), name))
		}
	}
	writing.Go(func() {
		for {
			select {
			case took := <-slow:
				keep(took)
			case <-done:
				select {
				case took := <-slow: // while the last one was written
					keep(took)
				default:
				}
				return
			}
		}
	})
	return func() error {
		for _, rec := range r.recorders {
			rec.mu.Lock()
			rec.slow, rec.tooSlow = 0, nil
			rec.mu.Unlock()
		}
		close(done)
		writing.Wait()
		flight.Stop()
		for _, text := range r.slowTraces {
			r.note(text)
		}
		r.slowTraces = nil
		return failed
	}, nil
}
