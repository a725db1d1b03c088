package profiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"sync"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// Capture is one repetition being profiled. It holds this process's profilers from
// [Start] until [Capture.Stop], which must be called.
type Capture struct {
	cfg        Config
	dir        string
	repetition int

	cpu     bytes.Buffer              // written by the runtime when the CPU profiler stops
	base    map[Kind]*profile.Profile // what stood at Start, for the kinds that accumulate
	restore func()                    // puts the rates back

	memoryRate int // bytes allocated a sample, of the process

	stop       context.CancelFunc // ends watch and follow
	watched    chan struct{}      // closed when watch has ended; then the next two are set
	goroutines *profile.Profile
	watchErr   error

	traced   chan struct{} // closed when the trace has ended; then the next two are set
	trace    bytes.Buffer
	traceErr error

	once  sync.Once
	files []File
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
	if err := makeDirectory(dir); err != nil {
		capturing.Release(1)
		return nil, err
	}
	c := &Capture{
		cfg:        cfg,
		dir:        dir,
		repetition: repetition,
		base:       make(map[Kind]*profile.Profile),
		watched:    make(chan struct{}),
		traced:     make(chan struct{}),
	}
	c.restore, c.memoryRate = c.setRates(), runtime.MemProfileRate
	if err := c.begin(); err != nil {
		c.restore()
		capturing.Release(1)
		return nil, fmt.Errorf("profile capture %d: %w", repetition, err)
	}
	ctx, c.stop = context.WithCancel(ctx)
	if c.takes(Goroutine) {
		go c.watch(ctx)
	} else {
		close(c.watched)
	}
	if cfg.TraceFor > 0 {
		go c.follow(ctx)
	} else {
		close(c.traced)
	}
	return c, nil
}

// Stop ends the capture and writes dir/KIND.REPETITION.pb.gz for every kind, in the order of
// [Kinds]. A file of that name is replaced. With Heap or Allocs it collects garbage.
//
// It returns the files that were written and an error for those that weren't. Further calls, from any
// goroutine, return the same. The mutex profiler gets its rate from before Start back. The block profiler,
// whose rate the runtime doesn't tell, is off if it was taken.
func (c *Capture) Stop() ([]File, error) {
	c.once.Do(c.finish)
	return slices.Clone(c.files), c.err
}

// Label adds a label that wasn't known at [Start], such as how many operations there were
// ([OperationsLabel]). It has the bounds of [Config].Labels, and must come before Stop.
func (c *Capture) Label(key, value string) error {
	labels := map[string]string{}
	maps.Copy(labels, c.cfg.Labels)
	labels[key] = value
	if err := checkLabels(labels); err != nil {
		return err
	}
	c.cfg.Labels = labels
	return nil
}

func (c *Capture) takes(k Kind) bool { return slices.Contains(c.cfg.Kinds, k) }

// setRates turns on the profilers that are wanted. restore undoes it.
func (c *Capture) setRates() (restore func()) {
	mutex, block := c.takes(Mutex), c.takes(Block)
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
	defer uncounted()()
	if c.takes(Allocs) {
		// Allocations appear in the runtime's profile only once a collection has followed them.
		runtime.GC()
	}
	for _, k := range c.cfg.Kinds {
		if !k.accumulates() {
			continue
		}
		p, err := snapshot(k)
		if err != nil {
			return err
		}
		c.base[k] = p
	}
	if c.takes(CPU) {
		if err := pprof.StartCPUProfile(&c.cpu); err != nil {
			return fmt.Errorf("%w (%w)", ErrBusy, err)
		}
	}
	return nil
}

// uncounted ends the counting of allocations until resume is called, where each one is counted: reading
// profiles allocates more than most of what is profiled, and each of its own would be in the next one's way. A
// rate by which counts are scaled stays as it is.
func uncounted() (resume func()) {
	if runtime.MemProfileRate != 1 {
		return func() {}
	}
	runtime.MemProfileRate = 0
	return func() { runtime.MemProfileRate = 1 }
}

// watch takes the goroutines while the load runs.
func (c *Capture) watch(ctx context.Context) {
	defer close(c.watched)
	_ = wait(ctx, c.cfg.goroutineDelay) // a shorter repetition has them taken at its end
	c.goroutines, c.watchErr = snapshot(Goroutine)
}

// follow takes the execution trace. A trace holds every event of every goroutine, so a moment of it is
// as much as anybody reads, and as little as a CPU profile beside it minds.
func (c *Capture) follow(ctx context.Context) {
	defer close(c.traced)
	ctx, full := context.WithTimeout(ctx, c.cfg.TraceFor)
	defer full()
	if c.traceErr = trace.Start(&bounded{w: &c.trace, left: maxTrace, full: full}); c.traceErr != nil {
		return
	}
	<-ctx.Done()
	trace.Stop()
}

// bounded lets left bytes through, then calls full and drops the rest.
type bounded struct {
	w    io.Writer
	left int
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left < len(p) {
		b.left = -1
		b.full()
		return len(p), nil // the tracer has no use for an error
	}
	b.left -= len(p)
	return b.w.Write(p)
}

func (c *Capture) finish() {
	defer capturing.Release(1)
	defer uncounted()()

	// First what the load is still there for, then the profilers that cost, then
	// the collection, whose cost thus shows in none of them.
	c.stop()
	<-c.watched
	<-c.traced
	if c.takes(CPU) {
		pprof.StopCPUProfile()
	}
	taken := make(map[Kind]*profile.Profile)
	errs := c.take(taken, Mutex, Block)
	c.restore()
	if c.takes(Heap) || c.takes(Allocs) {
		runtime.GC()
	}
	errs = append(errs, c.take(taken, CPU, Heap, Allocs, Goroutine)...)
	c.base, c.goroutines, c.cpu = nil, nil, bytes.Buffer{}

	for _, k := range c.cfg.Kinds {
		p := taken[k]
		if p == nil {
			continue // its error is among errs
		}
		if err := checkSymbols(p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", k, Unsymbolized, err))
			continue
		}
		file, err := store(c.dir, k, c.repetition, p, append(comments(c.cfg.Labels), c.taken(k)...))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.files = append(c.files, file)
	}
	errs = append(errs, c.writeTrace(), syncDir(c.dir))
	c.err = errors.Join(errs...)
}

// taken are the labels of how a profile was taken.
func (c *Capture) taken(k Kind) []string {
	with := joinKinds(c.cfg.Kinds)
	if c.cfg.TraceFor > 0 {
		with += ", " + string(Trace)
	}
	labels := []string{WithLabel + "=" + with}
	if k == Heap || k == Allocs {
		labels = append(labels, SampledLabel+"="+strconv.Itoa(c.memoryRate))
	}
	return labels
}

// writeTrace writes the trace, if there is one.
func (c *Capture) writeTrace() error {
	if c.cfg.TraceFor <= 0 {
		return nil
	}
	path := filepath.Join(c.dir, traceName(c.repetition))
	err := c.traceErr
	if err == nil {
		err = checkTrace(c.trace.Bytes())
	}
	if err == nil {
		err = atomicfile.Write(path, c.trace.Bytes())
	}
	if err != nil {
		return fmt.Errorf("trace %s: %w", path, err)
	}
	c.files = append(c.files, File{Kind: Trace, Repetition: c.repetition, Path: path})
	c.trace = bytes.Buffer{}
	return nil
}

// take adds the profiles of kinds to taken, but for kinds that aren't wanted.
func (c *Capture) take(taken map[Kind]*profile.Profile, kinds ...Kind) (errs []error) {
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

func (c *Capture) repetitionOf(k Kind) (*profile.Profile, error) {
	var p *profile.Profile
	var err error
	switch k {
	case CPU:
		p, err = parseRuntime(k, c.cpu.Bytes())
	case Goroutine:
		p, err = c.goroutines, c.watchErr
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
	return clean(p), nil
}
