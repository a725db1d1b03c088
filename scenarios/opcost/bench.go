package opcost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Kind is one row of what is measured.
type Kind struct {
	Op        delivery.Op        `json:"op"` // push or verify
	Transport delivery.Transport `json:"transport"`
	// New: each operation is to a device that the client has not seen, and over a new
	// connection. Otherwise all are to one device over one kept-alive connection.
	New bool `json:"new"`
}

// String returns a name such as "push over lean, kept-alive connection".
func (k Kind) String() string {
	return fmt.Sprintf("%s over %s, %s connection", k.Op, k.Transport, k.Connection())
}

// Connection is "kept-alive" or "new".
func (k Kind) Connection() string {
	if k.New {
		return "new"
	}
	return "kept-alive"
}

func kinds() (all []Kind) {
	for _, t := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		for _, fresh := range []bool{false, true} {
			for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify} {
				all = append(all, Kind{op, t, fresh})
			}
		}
	}
	return all
}

// bench does operations, one at a time.
type bench struct {
	update     *delivery.Update
	devices    *scenarios.DeviceList
	operations int
}

// The fleet's last devices are for what is not looked at.
const (
	// warmup is how many operations go before, to devices of their own: enough for every
	// buffer and pool to be there.
	warmup       = 32
	devicesSpare = warmup + 1
)

// client is ready for the kind: what an operation needs is there, and where a question
// will be asked the devices have the answer.
func (b *bench) client(ctx context.Context, k Kind, observe func(delivery.Timeline)) (*delivery.Client, error) {
	if k.Op == delivery.OpVerify {
		if err := b.updateAll(ctx, k); err != nil {
			return nil, err
		}
	}
	warm := true
	cfg := delivery.Config{Transport: k.Transport, MaxIdle: 16}
	if observe != nil {
		cfg.Observe = func(l delivery.Timeline) {
			if !warm {
				observe(l)
			}
		}
	}
	c, err := delivery.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := b.run(ctx, c, k, b.operations, warmup); err != nil {
		c.Close()
		return nil, err
	}
	warm = false
	return c, nil
}

// device returns the device of the i-th operation.
func (b *bench) device(k Kind, i int) delivery.Device {
	if k.New {
		return b.devices.At(1 + i)
	}
	return b.devices.At(0)
}

// updateAll brings the update to every device that a kind will ask.
func (b *bench) updateAll(ctx context.Context, k Kind) error {
	c, err := delivery.New(delivery.Config{MaxIdle: 16})
	if err != nil {
		return err
	}
	defer c.Close()
	n := 1
	if k.New {
		n = b.devices.Len()
	}
	for i := range n {
		if err := c.Push(ctx, b.devices.At(i), b.update); err != nil {
			return err
		}
	}
	return nil
}

// run does n operations from the first-th on.
func (b *bench) run(ctx context.Context, c *delivery.Client, k Kind, first, n int) error {
	operate := c.Push
	if k.Op == delivery.OpVerify {
		operate = c.Verify
	}
	for i := range n {
		if err := operate(ctx, b.device(k, first+i), b.update); err != nil {
			return err
		}
	}
	return nil
}

// Phases are how long the phases of an operation took, by the client's own timeline
// (delivery.Config.Observe), in nanoseconds: the medians of N operations. Medians need
// not add up to the median of the whole, which stands beside them.
type Phases struct {
	Kind
	N       int   `json:"n"`
	Prepare int64 `json:"prepare_ns"` // the request is made ready
	Connect int64 `json:"connect_ns"` // a connection is found, or opened
	Write   int64 `json:"write_ns"`   // the request is handed to the system
	Wait    int64 `json:"wait_ns"`    // until the answer's first byte
	Read    int64 `json:"read_ns"`    // until its last, and what it says is understood
	Whole   int64 `json:"whole_ns"`
	P99     int64 `json:"whole_p99_ns"` // 99th percentile of the whole
}

func (b *bench) phases(ctx context.Context, k Kind) (Phases, error) {
	lines := make([]delivery.Timeline, 0, b.operations)
	c, err := b.client(ctx, k, func(l delivery.Timeline) { lines = append(lines, l) })
	if err != nil {
		return Phases{}, err
	}
	defer c.Close()
	if err := b.run(ctx, c, k, 0, b.operations); err != nil {
		return Phases{}, err
	}
	return phasesOf(k, lines)
}

// phasesOf takes the medians. A connection that wasn't what the kind says, or a request
// that came twice, would be another kind's time.
func phasesOf(k Kind, lines []delivery.Timeline) (Phases, error) {
	p := Phases{Kind: k, N: len(lines)}
	var spans [6][]int64
	for _, l := range lines {
		if l.Reused == k.New {
			return Phases{}, fmt.Errorf("%s: a request went over another connection", k)
		}
		if l.Written.After(l.Answered) && !l.Answered.IsZero() {
			// net/http tells of a write from a goroutine of its own, which an answer may
			// overtake: the request was out by then.
			l.Written = l.Answered
		}
		ends := []time.Time{l.Begun, l.Prepared, l.Ready, l.Written, l.Answered, l.Ended}
		for i, end := range ends {
			if end.IsZero() || i > 0 && end.Before(ends[i-1]) {
				return Phases{}, fmt.Errorf("%s: a request's timeline has a gap: %+v", k, l)
			}
			if i > 0 {
				spans[i-1] = append(spans[i-1], int64(end.Sub(ends[i-1])))
			}
		}
		spans[5] = append(spans[5], int64(l.Ended.Sub(l.Begun)))
	}
	for i, to := range []*int64{&p.Prepare, &p.Connect, &p.Write, &p.Wait, &p.Read, &p.Whole} {
		*to = quantile(spans[i], 50)
	}
	p.P99 = quantile(spans[5], 99)
	return p, nil
}

// quantile is the smallest value that at least so many percent of the values are not above.
func quantile(values []int64, percent int) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(0, (len(values)*percent+99)/100-1)]
}

// A Stream is what one push of a file took.
type Stream struct {
	Size int64 `json:"size"` // of the artifact, bytes

	// PeakBefore and Peak are the most memory resident in the client's process, in bytes,
	// right before the push and during it; 0 where the system doesn't tell.
	PeakBefore uint64 `json:"peak_before"`
	Peak       uint64 `json:"peak"`

	Allocated int64 `json:"allocated"` // bytes of heap that the push asked for, in all
	Nanos     int64 `json:"ns"`        // how long it took
}

// stream pushes a file of the size once, over a connection and with buffers that are there.
func (b *bench) stream(ctx context.Context, size int64) (_ Stream, err error) {
	dir, err := os.MkdirTemp("", "fleetmark-opcost-")
	if err != nil {
		return Stream{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "firmware.bin")
	if err := hole(path, size); err != nil {
		return Stream{}, err
	}
	artifact, err := delivery.OpenArtifact(ctx, path)
	if err != nil {
		return Stream{}, err
	}
	defer func() { err = errors.Join(err, artifact.Close()) }()
	update, err := delivery.NewUpdate("3.0.0", artifact)
	if err != nil {
		return Stream{}, err
	}
	c, err := delivery.New(delivery.Config{})
	if err != nil {
		return Stream{}, err
	}
	defer c.Close()
	device := b.devices.At(0)
	if err := c.Push(ctx, device, b.update); err != nil {
		return Stream{}, err
	}
	debug.FreeOSMemory()
	osinfo.ResetPeakResident()
	s := Stream{Size: size, PeakBefore: osinfo.PeakResident()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	if err := c.Push(ctx, device, update); err != nil {
		return Stream{}, err
	}
	s.Nanos = int64(time.Since(begun))
	runtime.ReadMemStats(&after)
	s.Peak, s.Allocated = osinfo.PeakResident(), int64(after.TotalAlloc-before.TotalAlloc)
	return s, nil
}

// hole is a file that takes no disk.
func hole(path string, size int64) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, size)
}
