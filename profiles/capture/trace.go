package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/trace"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/profiles"
)

// traceName returns the file name of a repetition's execution trace, which go tool trace reads.
func traceName(repetition int) string { return "trace." + strconv.Itoa(repetition) + ".out" }

// traceMagic is how every execution trace begins.
const traceMagic = "go 1."

// writeTrace writes an execution trace to path. It returns an error if data isn't one.
func writeTrace(path string, data []byte) error {
	if !bytes.HasPrefix(data, []byte(traceMagic)) {
		return errors.New("the data isn't an execution trace")
	}
	return atomicfile.Write(path, data)
}

// maxTrace is the largest execution trace, in bytes. A trace that would become larger ends early.
const maxTrace = 64 << 20

// takeTrace records the execution trace. A trace holds every event of every goroutine, so a short
// one is as much as a reader can use, and disturbs a CPU profile least.
func (c *Capture) takeTrace(ctx context.Context) {
	defer close(c.traceDone)
	ctx, full := context.WithTimeout(ctx, c.cfg.TraceDuration)
	defer full()
	if c.traceErr = trace.Start(&limitedWriter{w: &c.trace, left: maxTrace, full: full}); c.traceErr != nil {
		return
	}
	<-ctx.Done()
	trace.Stop()
}

// A limitedWriter writes up to left bytes. It drops what exceeds them, and then calls full.
type limitedWriter struct {
	w    io.Writer
	left int
	full func()
}

func (b *limitedWriter) Write(p []byte) (int, error) {
	if b.left < len(p) {
		b.left = -1
		b.full()
		return len(p), nil // the tracer would ignore an error
	}
	b.left -= len(p)
	return b.w.Write(p)
}

// keepTrace writes the trace to its file, if there is one.
func (c *Capture) keepTrace() error {
	if c.cfg.TraceDuration <= 0 {
		return nil
	}
	path := filepath.Join(c.dir, traceName(c.repetition))
	err := c.traceErr
	if err == nil {
		err = writeTrace(path, c.trace.Bytes())
	}
	if err != nil {
		return fmt.Errorf("trace %s: %w", path, err)
	}
	c.files = append(c.files, profiles.File{Kind: profiles.Trace, Repetition: c.repetition, Path: path})
	c.trace = bytes.Buffer{}
	return nil
}
