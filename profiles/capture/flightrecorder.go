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
	flightWindow = time.Second // recorded before a Dump, at least
	flightBytes  = 16 << 20    // kept in memory, at most
	flightFiles  = 4           // written by Dump, at most
)

// A FlightRecorder traces this process continuously and keeps the last second. Dump writes it to a
// file, to show what led to a rare event.
type FlightRecorder struct {
	dir      string
	recorder *trace.FlightRecorder

	mu   sync.Mutex
	kept int
}

// StartFlightRecorder starts recording. Stop must be called. A process can have one recorder at a
// time.
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

// Dump writes what was recorded to dir/NAME.out. It reports whether it did: after four files, it
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
