package health

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/profiles/capture"
)

// The pprof label of goroutines that belong to the client under test, and its value.
const (
	clientLabel = "fleetmark"
	clientValue = "client"
)

// DoAsClient calls f, and labels the goroutines that f starts, directly or indirectly, as the
// client's. [TakeResources] only sees a client's goroutines if the client is made and driven inside
// f.
func DoAsClient(ctx context.Context, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels(clientLabel, clientValue), f)
}

// A ResourceSnapshot is what a process holds at one moment and should give back. A client that
// leaks one of these per operation, or per repetition, runs out of it in production sooner or
// later.
type ResourceSnapshot struct {
	goroutines  capture.Goroutines // goroutines of the client
	descriptors map[string]int     // number of open descriptors by the names of their files; empty if unknown
	heap        uint64             // live bytes
}

// TakeResources collects garbage and returns what this process holds. It counts goroutines that
// [DoAsClient] labeled, and goroutines with a function on their stack whose name begins with one of
// clientPackages, since a client may set its own labels. It doesn't count open files in the
// directory runDir.
func TakeResources(runDir string, clientPackages ...string) (s ResourceSnapshot, err error) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	s.heap = memory.HeapAlloc
	s.descriptors = osinfo.DescriptorNames()
	dir, err := filepath.Abs(runDir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir) // descriptors have names without symbolic links
	}
	if err != nil {
		return s, err
	}
	within := dir + string(filepath.Separator)
	maps.DeleteFunc(s.descriptors, func(name string, _ int) bool { return strings.HasPrefix(name, within) })
	s.goroutines, err = capture.CountGoroutines(clientLabel, clientValue, clientPackages...)
	return s, err
}

// Differences that are not leaks: the run's own records, and what the Go runtime keeps.
const (
	heapSlack     = 32 << 20 // bytes
	heapPerDevice = 1 << 10  // bytes: outcome, breaker, and the state of faults if the fleet is in this process
	drainTimeout  = 5 * time.Second
	drainInterval = 20 * time.Millisecond
	maxStacks     = 3 // the most stacks that are named
)

// AwaitRelease takes snapshots until one shows no leak since before, because ending takes a moment.
// If none does within some seconds, plus the time that an abandoned dial may take, it returns the
// findings of the last snapshot. If ctx ends first, it returns ctx's cause.
func AwaitRelease(
	ctx context.Context, before ResourceSnapshot, devices int, dial time.Duration,
	take func() (ResourceSnapshot, error),
) ([]Finding, error) {
	deadline := time.Now().Add(drainTimeout + dial)
	again := time.NewTicker(drainInterval)
	defer again.Stop()
	for {
		after, err := take()
		if err != nil {
			return nil, err
		}
		findings := checkLeaks(before, after, devices)
		if len(findings) == 0 || time.Now().After(deadline) {
			return findings, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// checkLeaks returns a finding for each resource of which a process holds more than before. devices
// is the number of devices that the run keeps records of.
func checkLeaks(before, after ResourceSnapshot, devices int) (findings []Finding) {
	leak := func(more any, of, details string) {
		findings = append(findings, Finding{Leak, fmt.Sprintf(
			"%v more %s after the last repetition had drained than before the first%s", more, of, details)})
	}
	if more := after.goroutines.Count() - before.goroutines.Count(); more > 0 {
		stacks := after.goroutines.More(before.goroutines)
		var named []string
		for _, s := range stacks[:min(maxStacks, len(stacks))] {
			named = append(named, s.String())
		}
		if rest := len(stacks) - len(named); rest > 0 {
			named = append(named, fmt.Sprintf("%d more stacks", rest))
		}
		leak(more, "goroutines", ": "+strings.Join(named, "; "))
	}
	if more := after.descriptors[osinfo.Sockets] - before.descriptors[osinfo.Sockets]; more > 0 {
		leak(more, "connections open", "")
	}
	more, names := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(after.descriptors)) {
		if n := after.descriptors[name] - before.descriptors[name]; n > 0 && name != osinfo.Sockets {
			more += n
			names = append(names, name)
		}
	}
	if more > 0 {
		leak(more, "file descriptors open", ": "+strings.Join(names[:min(maxStacks, len(names))], ", "))
	}
	if after.heap > before.heap+heapSlack+heapPerDevice*uint64(devices) {
		leak(fmt.Sprint((after.heap-before.heap)>>20, " MiB"), "live on the heap", ": see profiles of kind heap")
	}
	return findings
}
