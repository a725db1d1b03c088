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

// A Capture profiles one repetition. It holds this process's profilers from [Start] until
// [Capture.Stop], which must be called.
type Capture struct {
	cfg        Config
	dir        string
	repetition int

	cpu     bytes.Buffer                       // written by the runtime when the CPU profiler stops
	base    map[profiles.Kind]*profile.Profile // snapshots at Start, of kinds that accumulate
	restore func()                             // restores the profilers' rates

	memoryRate int // runtime.MemProfileRate at Start, in bytes per sample

	stop           context.CancelFunc // ends takeGoroutines and takeTrace
	goroutinesDone chan struct{}      // closed when takeGoroutines has set the next two
	goroutines     *profile.Profile
	goroutinesErr  error

	traceDone chan struct{} // closed when takeTrace has set the next two
	trace     bytes.Buffer
	traceErr  error

	once  sync.Once
	files []profiles.File
	err   error
}

// Start starts profiling this process for one repetition, counted from 1. It creates dir if it is
// missing. If the kinds include allocs, it collects garbage first.
//
// When ctx is done, goroutines are captured at once if they weren't yet; everything else goes on
// until Stop. Start returns [ErrBusy] while another capture runs, and an error that names the field
// if cfg isn't valid. After an error no profiler is left on.
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

// Stop stops profiling and writes dir/KIND.REPETITION.pb.gz for every kind, in the order of
// [profiles.Kinds]. It replaces existing files. If the kinds include heap or allocs, it collects
// garbage.
//
// It returns the files that it wrote, and an error if any is missing. Later calls, from any
// goroutine, return the same. Stop restores the rate of the mutex profiler. It turns the block
// profiler off if block was captured, since the runtime doesn't tell its former rate.
func (c *Capture) Stop() ([]profiles.File, error) {
	c.once.Do(c.finish)
	return slices.Clone(c.files), c.err
}

// Label adds a label that wasn't known at [Start], such as the number of operations
// ([profiles.OperationsLabel]). It must be valid as in [Config].Labels, and be added before Stop.
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

// LabelOperations adds labels with the number of operations that the profiles cover, and the
// processor time that they took.
func (c *Capture) LabelOperations(operations int64, cpu time.Duration) error {
	return errors.Join(
		c.Label(profiles.OperationsLabel, strconv.FormatInt(operations, 10)),
		c.Label(profiles.ProcessorLabel, strconv.FormatInt(int64(cpu), 10)))
}

func (c *Capture) takes(k profiles.Kind) bool { return slices.Contains(c.cfg.Kinds, k) }

// setRates turns on the mutex and block profilers, if they are wanted. restore undoes it.
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

// begin takes the snapshots first and then starts the CPU profiler, so that it doesn't see their
// cost.
func (c *Capture) begin() error {
	defer pauseMemProfile()()
	if c.takes(profiles.Allocs) {
		// Allocations appear in the runtime's profile only after a garbage collection.
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

// pauseMemProfile stops counting allocations until resume is called, if each one is counted.
// Otherwise most allocations in the next capture would be those of reading profiles in this one. A
// higher rate isn't changed, since counts are scaled by it.
func pauseMemProfile() (resume func()) {
	if runtime.MemProfileRate != 1 {
		return func() {}
	}
	runtime.MemProfileRate = 0
	return func() { runtime.MemProfileRate = 1 }
}

// takeGoroutines captures the goroutines while the load runs.
func (c *Capture) takeGoroutines(ctx context.Context) {
	defer close(c.goroutinesDone)
	_ = wait(ctx, c.cfg.goroutineDelay) // Stop ends the wait in a shorter repetition
	c.goroutines, c.goroutinesErr = snapshot(profiles.Goroutine)
}

func (c *Capture) finish() {
	defer capturing.Release(1)
	defer pauseMemProfile()()

	// First stop what needs the load, then the expensive profilers, and collect garbage last, so
	// that none of them sees the collection.
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
			continue // not wanted, or its error is in errs
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

// syncDirectory flushes the names in dir to the disk.
func syncDirectory(dir string) error {
	if err := atomicfile.SyncDirectory(dir); err != nil {
		return fmt.Errorf("profile directory %s: syncing: %w", dir, err)
	}
	return nil
}

// captureLabels returns the labels that say how a profile of kind k was captured.
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

// take puts the profiles of kinds into taken, except kinds that aren't wanted.
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
			return nil, fmt.Errorf("%s profile: subtracting what was counted before the repetition: %w", k, err)
		}
	}
	return dropOwn(p), nil
}
