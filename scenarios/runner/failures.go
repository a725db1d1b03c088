package runner

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// failures keeps a bounded sample of failed operations: the first few of each
// class in a repetition.
type failures struct {
	mu    sync.Mutex
	list  []Failure
	class map[delivery.Class]int
	took  *hdrhistogram.Histogram // response times of all that failed
}

const failuresPerClass = 20

// Failure is one failed operation, a line of failures.jsonl.
type Failure struct {
	Repetition int                 `json:"repetition"`
	Device     int                 `json:"device"` // index in the fleet
	ID         string              `json:"id,omitempty"`
	Address    string              `json:"address"`
	Operation  scenarios.Operation `json:"operation"`
	Class      string              `json:"class"`
	Status     int                 `json:"status,omitempty"`
	Attempts   int                 `json:"attempts,omitempty"` // pushes, where the operation retries
	Error      string              `json:"error"`

	// Fleet is what the device itself saw in this repetition; nil where there is no ledger.
	Fleet *FleetSaw `json:"fleet,omitempty"`
}

// FleetSaw is the ledger's part of a failure.
type FleetSaw struct {
	Pushes   uint32            `json:"pushes"`
	Applied  uint32            `json:"applied"`
	Rejected uint32            `json:"rejected"`
	Injected uint32            `json:"injected"` // failures that the device was told to make
	Broken   uint32            `json:"broken"`
	Verifies uint32            `json:"verifies"`
	Struck   uint32            `json:"struck,omitempty"` // connections that a fault ended unanswered
	Faults   map[string]uint32 `json:"faults,omitempty"` // how often each kind of fault struck
	Version  string            `json:"version"`
}

// newFailures returns a collector of failures that keeps response times up to highest.
func newFailures(highest time.Duration) *failures {
	return &failures{class: map[delivery.Class]int{}, took: histogramUpTo(highest)}
}

func (f *failures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
	clear(f.class)
	f.took.Reset()
}

// add takes a failed operation, and its response time.
func (f *failures) add(i int, d delivery.Device, op scenarios.Operation, report delivery.Report, took time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record(f.took, took) // one beyond the histogram counts as its highest
	class := delivery.ClassOf(err)
	if f.class[class]++; f.class[class] > failuresPerClass {
		return
	}
	failure := Failure{Device: i, ID: d.ID, Address: d.Address, Operation: op, Class: class.String(), Attempts: report.Pushes, Error: err.Error()}
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		failure.Status = e.Status
	}
	f.list = append(f.list, failure)
}

// p99 is the response time that 99% of the failed operations kept within; 0 where none failed.
func (f *failures) p99() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took.TotalCount() == 0 {
		return 0
	}
	return quantile(f.took, 99)
}

// saw adds what the ledger says of a device to its failures.
func (f *failures) saw(e mockfleet.Entry) {
	for i := range f.list {
		if f.list[i].Device == e.Device {
			f.list[i].Fleet = &FleetSaw{e.Pushes, e.Applied, e.Rejected, e.Faulted, e.Broken, e.Verifies, e.Struck, e.Faults, e.Version}
		}
	}
}

// write appends the sample, a JSON object a line.
func (f *failures) write(w io.Writer, repetition int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	enc := json.NewEncoder(w)
	for _, failure := range f.list {
		failure.Repetition = repetition
		if err := enc.Encode(failure); err != nil {
			return err
		}
	}
	return nil
}

// classesText names the classes of the repetition's failures, most frequent first: "12 timeout, 3 refused".
func (f *failures) classesText() string {
	classes := f.byClass()
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = plaintext.Thousands(int64(classes[name])) + " " + name
	}
	return strings.Join(names, ", ")
}

// byClass counts the repetition's failures by class.
func (f *failures) byClass() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := make(map[string]int, len(f.class))
	for class, count := range f.class {
		n[class.String()] = count
	}
	return n
}
