package load

import (
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fleetmark/fleetmark/delivery"
)

// Failures counts failed operations by class, and keeps the first few of each class. It is safe for
// concurrent use.
type Failures struct {
	mu     sync.Mutex
	sample []Failure
	class  map[string]int          // by name
	took   *hdrhistogram.Histogram // response times of all failed operations
}

const failuresPerClass = 20

// A Failure is one failed operation.
type Failure struct {
	Device    int         `json:"device"`             // index of the device
	ID        string      `json:"id,omitempty"`       // of the device
	Address   string      `json:"address"`            // of the device
	Operation delivery.Op `json:"operation"`          // deliver, push or verify
	Class     string      `json:"class"`              // of the error
	Status    int         `json:"status,omitempty"`   // HTTP status, if there was one
	Attempts  int         `json:"attempts,omitempty"` // pushes, if the operation retries
	Error     string      `json:"error"`              // in words
}

// newFailures returns empty failures that record response times up to longest.
func newFailures(longest time.Duration) *Failures {
	return &Failures{class: map[string]int{}, took: newHistogram(longest)}
}

func (f *Failures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sample = nil
	clear(f.class)
	f.took.Reset()
}

// add adds a failed operation of device i. took is how long it took to fail.
func (f *Failures) add(
	i int, d delivery.Device, op delivery.Op, report delivery.Report, took time.Duration, err error,
) {
	f.mu.Lock()
	defer f.mu.Unlock()
	recordClamped(f.took, took) // a time beyond the histogram counts as its highest
	class := classOf(err)
	if f.class[class]++; f.class[class] > failuresPerClass {
		return
	}
	f.sample = append(f.sample, Failure{
		Device: i, ID: d.ID, Address: d.Address, Operation: op,
		Class: class, Status: statusOf(err), Attempts: report.Pushes, Error: err.Error(),
	})
}

// classOf returns the name of an error's class: that of package delivery, or what the error's
// method FailureClass returns. For any other error, it is "timeout" for a deadline and "unknown"
// otherwise.
func classOf(err error) string {
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Class.String()
	}
	if e, ok := errors.AsType[interface {
		error
		FailureClass() string
	}](err); ok {
		return e.FailureClass()
	}
	// The deadline errors of package context and package os implement net.Error, too.
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return delivery.ClassTimeout.String()
	}
	return delivery.ClassUnknown.String()
}

// statusOf returns the HTTP status of the answer that an error is about: that of package delivery,
// or what the error's method StatusCode returns. It is 0 if there is none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Status
	}
	if e, ok := errors.AsType[interface {
		error
		StatusCode() int
	}](err); ok {
		return e.StatusCode()
	}
	return 0
}

// Sample returns the failures that were kept, in the order in which they happened.
func (f *Failures) Sample() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sample)
}

// P99 returns the 99th percentile of the response times of failed operations, in nanoseconds. It
// returns 0 if none failed.
func (f *Failures) P99() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took.TotalCount() == 0 {
		return 0
	}
	return float64(f.took.ValueAtQuantile(99))
}

// ByClass returns how many operations failed, by the name of the failure's class.
func (f *Failures) ByClass() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.class)
}
