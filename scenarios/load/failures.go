package load

import (
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
)

// Failures counts failed operations by class, and keeps the first few of each class. It is safe for
// concurrent use.
type Failures struct {
	mu     sync.Mutex
	sample []Failure
	class  map[string]int // by name
	took   *hdr.Histogram // response times of all failed operations

	interval map[string]int64   // by class, since the last call of takeInterval
	groups   []map[string]int64 // by group and class; nil if groups aren't counted
	groupOf  func(i int) int    // of device i
	waves    []map[string]int64 // by wave and class
}

const (
	// FailuresPerClass is how many failures of a class are kept.
	FailuresPerClass = 20

	// MaxClasses bounds how many classes are told apart. A client may make its own, so they could
	// be as many as there are operations. Failures of further classes count as OtherClass.
	MaxClasses = 100
	OtherClass = "other"
)

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

// newFailures returns empty failures.
func newFailures(c RecordingConfig) *Failures {
	f := &Failures{class: map[string]int{}, interval: map[string]int64{}, took: hdr.New(c.Longest), groupOf: c.GroupOf}
	for range c.Groups {
		f.groups = append(f.groups, map[string]int64{})
	}
	for range c.Waves {
		f.waves = append(f.waves, map[string]int64{})
	}
	return f
}

func (f *Failures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sample = nil
	clear(f.class)
	clear(f.interval)
	for _, class := range slices.Concat(f.groups, f.waves) {
		clear(class)
	}
	f.took.Reset()
}

// add adds a failed operation of device i, in the given wave of a rollout or in wave 0. took is how
// long it took to fail.
func (f *Failures) add(
	i int, d delivery.Device, op delivery.Op, wave int32, report delivery.Report, took time.Duration, err error,
) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took.Record(took) // a time beyond the histogram counts as its highest
	class := classOf(err)
	if f.class[class] == 0 && len(f.class) >= MaxClasses {
		class = OtherClass
	}
	f.interval[class]++
	if f.groups != nil {
		f.groups[f.groupOf(i)][class]++
	}
	if w := int(wave) - 1; w >= 0 && w < len(f.waves) {
		f.waves[w][class]++
	}
	if f.class[class]++; f.class[class] > FailuresPerClass {
		return
	}
	f.sample = append(f.sample, Failure{
		Device: i, ID: d.ID, Address: d.Address, Operation: op,
		Class: class, Status: statusOf(err), Attempts: report.Pushes, Error: err.Error(),
	})
}

// classOf returns the name of an error's class: that of package delivery, or what the error's
// method Class returns. For any other error, it is "timeout" for a deadline and "unknown"
// otherwise.
func classOf(err error) string {
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Class.String()
	}
	if e, ok := errors.AsType[interface {
		error
		Class() string
	}](err); ok {
		return e.Class()
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

// isUncounted reports whether an error says, by its method Uncounted, that nobody knows how many
// requests its operation sent, because the process that had it is gone.
func isUncounted(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Uncounted() bool
	}](err)
	return ok && e.Uncounted()
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

// Times returns the response times of failed operations.
func (f *Failures) Times() *hdr.Histogram {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := hdr.New(f.took.Highest())
	all.Merge(f.took)
	return all
}

// takeInterval returns how many operations failed since the last call, by class. It returns nil if
// none did.
func (f *Failures) takeInterval() map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.interval) == 0 {
		return nil
	}
	taken := f.interval
	f.interval = map[string]int64{}
	return taken
}

// addTo adds the failures of groups and waves to their parts.
func (f *Failures) addTo(groups, waves []Part) {
	f.mu.Lock()
	defer f.mu.Unlock()
	add := func(parts []Part, classes []map[string]int64) {
		for i := range parts {
			for class, n := range classes[i] {
				if parts[i].Classes == nil {
					parts[i].Classes = map[string]int64{}
				}
				parts[i].Classes[class] = n
				parts[i].Failed += n
			}
		}
	}
	add(groups, f.groups)
	add(waves, f.waves)
}

// ByClass returns how many operations failed, by the name of the failure's class.
func (f *Failures) ByClass() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.class)
}
