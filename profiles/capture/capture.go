package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/profiles"
)

// Capture is one repetition being profiled. It holds this process's profilers from
// [Start] until [Capture.Stop], which must be called.
type Capture struct {
	cfg        Config
	dir        string
	repetition int

	cpu     bytes.Buffer                       // written by the runtime when the CPU profiler stops
	base    map[profiles.Kind]*profile.Profile // what stood at Start, for the kinds that accumulate
	restore func()                             // puts the rates back

	memoryRate int // bytes allocated a sample, of the process

	stop           context.CancelFunc // ends takeGoroutines and takeTrace
	goroutinesDone chan struct{}      // closed when takeGoroutines has ended; then the next two are set
	goroutines     *profile.Profile
	goroutinesErr  error

	traceDone chan struct{} // closed when the trace has ended; then the next two are set
	trace     bytes.Buffer
	traceErr  error

	once  sync.Once
	files []profiles.File
	err   error
}

// Start begins to profile this process for one repetition, counted from 1, and
// creates dir if it is missing. With Allocs it collects garbage first.
//
// Once ctx is done, goroutines are taken at once if they weren't yet; everything else goes on until
// Stop, which then writes what there is. Start returns [ErrBusy] while another capture runs, and an
// error that names the field for a bad cfg; either way nothing is left on.
func Start(ctx context.Context, dir string, repetition int, cfg Config) (*Capture, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if repetition < 1 {
		return nil, fmt.Errorf("profile capture: repetition %d: want 1 or more", repetition)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("profile capture %d: not started: %w", repetition, context.Cause(ctx))
	}
	if !capturing.TryAcquire(1) {
		return nil, fmt.Errorf("profile capture %d: %w", repetition, ErrBusy)
	}
	if err := profiles.MakeDirectory(dir); err != nil {
		capturing.Release(1)
		return nil, err
	}
	c := &Capture{
		cfg:            cfg,
		dir:            dir,
		repetition:     repetition,
		base:           make(map[profiles.Kind]*profile.Profile),
		goroutinesDone: make(chan struct{}),
		traceDone:      make(chan struct{}),
	}
	c.restore, c.memoryRate = c.setRates(), runtime.MemProfileRate
	if err := c.begin(); err != nil {
		c.restore()
		capturing.Release(1)
		return nil, fmt.Errorf("profile capture %d: %w", repetition, err)
	}
	ctx, c.stop = context.WithCancel(ctx)
	if c.takes(profiles.Goroutine) {
		go c.takeGoroutines(ctx)
	} else {
		close(c.goroutinesDone)
	}
	if cfg.TraceDuration > 0 {
		go c.takeTrace(ctx)
	} else {
		close(c.traceDone)
	}
	return c, nil
}

// Stop ends the capture and writes dir/KIND.REPETITION.pb.gz for every kind, in the order of
// [profiles.Kinds]. A file of that name is replaced. With Heap or Allocs it collects garbage.
//
// It returns the files that were written and an error for those that weren't. Further calls, from
// any goroutine, return the same. The mutex profiler gets its rate from before Start back. The
// block profiler, whose rate the runtime doesn't tell, is off if it was taken.
func (c *Capture) Stop() ([]profiles.File, error) {
	c.once.Do(c.finish)
	return slices.Clone(c.files), c.err
}

// Label adds a label that wasn't known at [Start], such as how many operations there were
// ([profiles.OperationsLabel]). It has the bounds of [Config].Labels, and must come before Stop.
func (c *Capture) Label(key, value string) error {
	labels := map[string]string{}
	maps.Copy(labels, c.cfg.Labels)
	labels[key] = value
	if err := profiles.CheckLabels(labels); err != nil {
		return err
	}
	c.cfg.Labels = labels
	return nil
}

// LabelOperations labels the profiles with how many operations they are of, and with the processor time
// that these took.
func (c *Capture) LabelOperations(operations int64, cpu time.Duration) error {
	return errors.Join(
		c.Label(profiles.OperationsLabel, strconv.FormatInt(operations, 10)),
		c.Label(profiles.ProcessorLabel, strconv.FormatInt(int64(cpu), 10)))
}

func (c *Capture) takes(k profiles.Kind) bool { return slices.Contains(c.cfg.Kinds, k) }

// setRates turns on the profilers that are wanted. restore undoes it.
func (c *Capture) setRates() (restore func()) {
	mutex, block := c.takes(profiles.Mutex), c.takes(profiles.Block)
	var fraction int
	if mutex {
		fraction = runtime.SetMutexProfileFraction(c.cfg.mutexFraction)
	}
	if block {
		runtime.SetBlockProfileRate(int(c.cfg.blockRate))
	}
	return func() {
		if mutex {
			runtime.SetMutexProfileFraction(fraction)
		}
		if block {
			runtime.SetBlockProfileRate(0)
		}
	}
}

// begin takes the bases and starts the CPU profiler, in this order, so that the cost
// of the first isn't in the second.
func (c *Capture) begin() error {
	defer pauseMemProfile()()
	if c.takes(profiles.Allocs) {
		// Allocations appear in the runtime's profile only once a collection has followed them.
		runtime.GC()
	}
	for _, k := range c.cfg.Kinds {
		if !accumulates(k) {
			continue
		}
		p, err := snapshot(k)
		if err != nil {
			return err
		}
		c.base[k] = p
	}
	if c.takes(profiles.CPU) {
		if err := pprof.StartCPUProfile(&c.cpu); err != nil {
			return fmt.Errorf("%w (%w)", ErrBusy, err)
		}
	}
	return nil
}

// pauseMemProfile ends the counting of allocations until resume is called, where each one is
// counted: reading profiles allocates more than most of what is profiled, and each of its own would
// be in the next one's way. A rate by which counts are scaled stays as it is.
func pauseMemProfile() (resume func()) {
	if runtime.MemProfileRate != 1 {
		return func() {}
	}
	runtime.MemProfileRate = 0
	return func() { runtime.MemProfileRate = 1 }
}

// takeGoroutines takes the goroutines while the load runs.
func (c *Capture) takeGoroutines(ctx context.Context) {
	defer close(c.goroutinesDone)
	_ = wait(ctx, c.cfg.goroutineDelay) // a shorter repetition has them taken at its end
	c.goroutines, c.goroutinesErr = snapshot(profiles.Goroutine)
}

func (c *Capture) finish() {
	defer capturing.Release(1)
	defer pauseMemProfile()()

	// First what the load is still there for, then the profilers that cost, then
	// the collection, whose cost thus shows in none of them.
	c.stop()
	<-c.goroutinesDone
	<-c.traceDone
	if c.takes(profiles.CPU) {
		pprof.StopCPUProfile()
	}
	taken := make(map[profiles.Kind]*profile.Profile)
	errs := c.take(taken, profiles.Mutex, profiles.Block)
	c.restore()
	if c.takes(profiles.Heap) || c.takes(profiles.Allocs) {
		runtime.GC()
	}
	errs = append(errs, c.take(taken, profiles.CPU, profiles.Heap, profiles.Allocs, profiles.Goroutine)...)
	c.base, c.goroutines, c.cpu = nil, nil, bytes.Buffer{}

	for _, k := range c.cfg.Kinds {
		p := taken[k]
		if p == nil {
			continue // its error is among errs
		}
		if err := profiles.CheckSymbols(p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", k, profiles.Unsymbolized, err))
			continue
		}
		p.Comments = append(p.Comments, profiles.Comments(c.cfg.Labels)...)
		p.Comments = append(p.Comments, c.captureLabels(k)...)
		file, err := profiles.Write(c.dir, k, c.repetition, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.files = append(c.files, file)
	}
	errs = append(errs, c.keepTrace(), syncDirectory(c.dir))
	c.err = errors.Join(errs...)
}

// syncDirectory puts the names in dir on disk.
func syncDirectory(dir string) error {
	if err := atomicfile.SyncDirectory(dir); err != nil {
		return fmt.Errorf("profile directory %s: syncing: %w", dir, err)
	}
	return nil
}

// captureLabels returns the labels of how a profile of kind k was taken.
func (c *Capture) captureLabels(k profiles.Kind) []string {
	var with []string
	for _, k := range c.cfg.Kinds {
		with = append(with, string(k))
	}
	if c.cfg.TraceDuration > 0 {
		with = append(with, string(profiles.Trace))
	}
	labels := []string{profiles.TakenWithLabel + "=" + strings.Join(with, ", ")}
	if k == profiles.Heap || k == profiles.Allocs {
		labels = append(labels, profiles.BytesPerSampleLabel+"="+strconv.Itoa(c.memoryRate))
	}
	return labels
}

// take adds the profiles of kinds to taken, but for kinds that aren't wanted.
func (c *Capture) take(taken map[profiles.Kind]*profile.Profile, kinds ...profiles.Kind) (errs []error) {
	for _, k := range kinds {
		if !c.takes(k) {
			continue
		}
		p, err := c.repetitionOf(k)
		if err != nil {
			errs = append(errs, fmt.Errorf("profile capture %d: %w", c.repetition, err))
			continue
		}
		taken[k] = p
	}
	return errs
}

func (c *Capture) repetitionOf(k profiles.Kind) (*profile.Profile, error) {
	var p *profile.Profile
	var err error
	switch k {
	case profiles.CPU:
		p, err = parseRuntime(k, c.cpu.Bytes())
	case profiles.Goroutine:
		p, err = c.goroutines, c.goroutinesErr
	default:
		p, err = snapshot(k)
	}
	if err != nil {
		return nil, err
	}
	if base := c.base[k]; base != nil {
		if p, err = subtract(p, base); err != nil {
			return nil, fmt.Errorf("%s profile: subtracting what stood before the repetition: %w", k, err)
		}
	}
	return dropOwn(p), nil
}
