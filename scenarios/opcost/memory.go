package opcost

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// PushMemory is what one push of a file took.
type PushMemory struct {
	Size int64 `json:"size"` // of the artifact, in bytes

	// PeakBefore and Peak are the peak of the resident memory of the client's process, in bytes,
	// right before the push and at its end. They are 0 where the system doesn't report it.
	PeakBefore uint64 `json:"peak_before"`
	Peak       uint64 `json:"peak"`

	Allocated int64 `json:"allocated"` // bytes of heap that the push asked for, in all
	Nanos     int64 `json:"ns"`        // how long the push took
}

// pushMemory pushes a file of the given size once. The client has a connection and its buffers
// already.
func (b *bench) pushMemory(ctx context.Context, size int64) (_ PushMemory, err error) {
	file, err := os.CreateTemp("", "fleetmark-opcost-")
	if err != nil {
		return PushMemory{}, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil { // a file of holes takes no space on the disk
		return PushMemory{}, err
	}
	artifact, err := delivery.OpenArtifact(ctx, file.Name())
	if err != nil {
		return PushMemory{}, err
	}
	defer func() { err = errors.Join(err, artifact.Close()) }()
	update, err := delivery.NewUpdate("3.0.0", artifact)
	if err != nil {
		return PushMemory{}, err
	}
	c, err := delivery.New(delivery.Config{})
	if err != nil {
		return PushMemory{}, err
	}
	defer c.Close()
	device := b.devices.At(0)
	if err := c.Push(ctx, device, b.update); err != nil {
		return PushMemory{}, err
	}
	debug.FreeOSMemory()
	osinfo.ResetPeakResident()
	m := PushMemory{Size: size, PeakBefore: osinfo.PeakResident()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	if err := c.Push(ctx, device, update); err != nil {
		return PushMemory{}, err
	}
	m.Nanos = int64(time.Since(begun))
	runtime.ReadMemStats(&after)
	m.Peak, m.Allocated = osinfo.PeakResident(), int64(after.TotalAlloc-before.TotalAlloc)
	return m, nil
}
