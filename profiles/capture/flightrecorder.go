package capture

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime/trace"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/profiles"
)

// Bounds of a [FlightRecorder].
const (
	flightWindow = time.Second // before a call of Dump that it holds at least
	flightBytes  = 16 << 20    // that it holds at most
	flightFiles  = 4           // that are kept at most
)

// A FlightRecorder traces this process all the time and keeps the last moments, so that they can be
// written down when something happened whose history is of interest.
type FlightRecorder struct {
	dir      string
	recorder *trace.FlightRecorder

	mu   sync.Mutex
	kept int
}

// StartFlightRecorder begins to record. Stop must be called. One runs at a time in a process.
func StartFlightRecorder(dir string) (*FlightRecorder, error) {
	if err := profiles.MakeDirectory(dir); err != nil {
		return nil, err
	}
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: flightWindow, MaxBytes: flightBytes})
	if err := recorder.Start(); err != nil {
		return nil, fmt.Errorf("flight recorder: %w", err)
	}
	return &FlightRecorder{dir: dir, recorder: recorder}, nil
}

// Dump writes the last moments to dir/NAME.out. It reports whether it did: after four files it
// writes no more.
func (f *FlightRecorder) Dump(name string) (kept bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept >= flightFiles {
		return false, nil
	}
	var moments bytes.Buffer
	if _, err := f.recorder.WriteTo(&moments); err != nil {
		return false, fmt.Errorf("flight recorder: %w", err)
	}
	path := filepath.Join(f.dir, name+".out")
	if err := atomicfile.Write(path, moments.Bytes()); err != nil {
		return false, fmt.Errorf("flight recorder: %s: %w", path, err)
	}
	f.kept++
	return true, nil
}

// Stop ends the recording.
func (f *FlightRecorder) Stop() { f.recorder.Stop() }
