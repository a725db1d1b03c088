package anatomy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
)

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
	dir, err := os.MkdirTemp("", "fleetmark-anatomy-")
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
