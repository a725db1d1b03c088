package scenarios

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/profiles"
)

// holdings are what a process has that it must give back: whoever leaks one of them an operation, or
// one a repetition, will run out of it some day in production.
type holdings struct {
	goroutines  profiles.Goroutines
	descriptors map[string]int // by what they are of; empty where the system doesn't tell
	heap        uint64         // live bytes
	devices     int            // of which the run keeps account
}

// hold takes them as they are. Connections to the fleet's control port are the run's own, and closed.
func (r *runner) hold() (h holdings, err error) {
	if w, ok := r.fleet.witness().(*mockfleet.Control); ok {
		w.Close() // idle connections alone: the next question opens another
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	h.heap, h.devices = memory.HeapAlloc, r.fleet.devices().Len()
	h.descriptors = osinfo.DescriptorNames()
	dir, err := filepath.Abs(r.dir.Path())
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir) // as the system calls them
	}
	if err != nil {
		return h, err
	}
	within := dir + string(filepath.Separator)
	maps.DeleteFunc(h.descriptors, func(name string, _ int) bool { return strings.HasPrefix(name, within) }) // what is written as it comes
	h.goroutines, err = profiles.CountGoroutines(clients()...)
	return h, err
}

// clients are the beginnings of the names of functions that only a client's goroutines are in. Others of this
// process, which shows how the run goes and may hold the fleet, come and go for their own reasons.
func clients() []string {
	const module = "github.com/fleetmark/fleetmark/"
	return []string{module + "delivery.", module + "delivery/", module + "scenarios.(*worsened).", "net/http.(*persistConn).",
		"net/http.(*http2ClientConn).", "net/http.(*http2clientStream).", "net/http.(*http2clientConnReadLoop).", "github.com/valyala/fasthttp."}
}

// What may differ without being a leak: the run's own records, and what Go's runtime keeps.
const (
	heapSlack     = 32 << 20 // bytes
	heapPerDevice = 1 << 10  // bytes: its outcome, its breaker, and of a fleet in this process its troubles
	drainWithin   = 5 * time.Second
	drainEvery    = 20 * time.Millisecond
	leakStacks    = 3 // are named
)

// judgeLeaks says whether everything is back where it began. What ends takes a moment to.
func (r *runner) judgeLeaks(ctx context.Context, before holdings) error {
	// A dial that nobody waits for any more goes on until its own time is over.
	deadline := time.Now().Add(drainWithin + r.clientConfig().Timeouts.Dial)
	for {
		after, err := r.hold()
		if err != nil {
			return err
		}
		reasons := before.leaks(after)
		if len(reasons) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, reason := range reasons {
				r.invalid(reason)
			}
			return nil
		}
		if err := pause(ctx, drainEvery); err != nil {
			return err
		}
	}
}

// leaks are the reasons why after is more than before.
func (before holdings) leaks(after holdings) (reasons []string) {
	const drained = "after the last repetition had drained"
	if more := after.goroutines.Count() - before.goroutines.Count(); more > 0 {
		stacks := after.goroutines.More(before.goroutines)
		var named []string
		for _, s := range stacks[:min(leakStacks, len(stacks))] {
			named = append(named, s.String())
		}
		if rest := len(stacks) - len(named); rest > 0 {
			named = append(named, fmt.Sprintf("%d more stacks", rest))
		}
		reasons = append(reasons, fmt.Sprintf("a leak: %d more goroutines %s than before the first: %s", more, drained, strings.Join(named, "; ")))
	}
	if more := after.descriptors[osinfo.Sockets] - before.descriptors[osinfo.Sockets]; more > 0 {
		reasons = append(reasons, fmt.Sprintf("a leak: %d more connections open %s than before the first", more, drained))
	}
	more, of := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(after.descriptors)) {
		if n := after.descriptors[name] - before.descriptors[name]; n > 0 && name != osinfo.Sockets {
			more += n
			of = append(of, name)
		}
	}
	if more > 0 {
		reasons = append(reasons, fmt.Sprintf("a leak: %d more file descriptors open %s than before the first: %s", more, drained, strings.Join(of[:min(leakStacks, len(of))], ", ")))
	}
	if after.heap > before.heap+heapSlack+heapPerDevice*uint64(before.devices) {
		reasons = append(reasons, fmt.Sprintf("a leak: %d MiB more live on the heap %s than before the first: see profiles of kind heap", (after.heap-before.heap)>>20, drained))
	}
	return reasons
}

// pause waits for d, or returns the cause of ctx's end.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
