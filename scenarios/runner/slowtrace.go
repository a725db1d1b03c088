package runner

import (
	"fmt"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/profiles/capture"
)

// slowTraces records the moments of a repetition, and writes down those before an operation that took
// longer than it may, however it ended. It is a [load.Hook].
type slowTraces struct {
	flight     *capture.FlightRecorder
	repetition int
	longest    time.Duration
	slow       chan time.Duration // operations that took longer; what isn't taken at once is left out
	done       chan struct{}
	writing    sync.WaitGroup

	// Of the goroutine that writes, until it has ended.
	written []string // a sentence for each trace
	n       int
	failed  error
}

// startSlowTraces begins to record. stop must be called.
func startSlowTraces(dir string, repetition int, longest time.Duration) (*slowTraces, error) {
	flight, err := capture.StartFlightRecorder(dir)
	if err != nil {
		return nil, err
	}
	t := &slowTraces{flight: flight, repetition: repetition, longest: longest, slow: make(chan time.Duration, 1), done: make(chan struct{})}
	t.writing.Go(t.write)
	return t, nil
}

// Operation implements [load.Hook].
func (t *slowTraces) Operation(_, response time.Duration, _ bool) {
	if response <= t.longest {
		return
	}
	select {
	case t.slow <- response:
	default:
	}
}

func (t *slowTraces) write() {
	for {
		select {
		case took := <-t.slow:
			t.keep(took)
		case <-t.done:
			select {
			case took := <-t.slow: // while the last one was written
				t.keep(took)
			default:
			}
			return
		}
	}
}

func (t *slowTraces) keep(took time.Duration) {
	t.n++
	name := fmt.Sprintf("slow.%d.%d", t.repetition, t.n)
	kept, err := t.flight.Dump(name)
	if err != nil {
		t.failed = err
	}
	if kept {
		t.written = append(t.written, fmt.Sprintf("an operation took %v, more than slow_trace: profiles/%s.out is a trace of the moments before", took.Round(time.Microsecond), name))
	}
}

// stop ends the recording, and returns the error of the last trace that could not be written.
func (t *slowTraces) stop() error {
	close(t.done)
	t.writing.Wait()
	t.flight.Stop()
	return t.failed
}
