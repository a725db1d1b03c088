package rollout

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// An EventKind says what happened.
type EventKind string

// The kinds of events. Event.Device is set only in events about a device.
const (
	Resumed           EventKind = "resumed"     // the journal of an earlier run was read: Progress.Journal
	WaveBegun         EventKind = "wave"        // a pass over the sequence begins
	WaveSoaking       EventKind = "soak"        // the wave's devices are finished, and its soak begins
	WavePassed        EventKind = "passed"      // the soak is over and the wave approved: the next wave begins
	DeviceBegun       EventKind = "begun"       // a worker began a turn of the device, its first or another
	DeviceUpdated     EventKind = "updated"     // it was seen to run the update
	DeviceHadIt       EventKind = "had-it"      // it ran the update already
	DeviceWaiting     EventKind = "waiting"     // Err says why it failed, NotBefore when it has another turn
	DeviceFailed      EventKind = "failed"      // Err says why
	DeviceInterrupted EventKind = "interrupted" // the context ended first
)

// An Event is a step of a rollout.
type Event struct {
	Kind     EventKind
	Wave     Wave
	Device   delivery.Device   // zero if the event isn't a device's
	Update   *delivery.Update  // the device's; nil if it has none
	Labels   map[string]string // the device's, by Options.Labels: don't change them
	Report   delivery.Report   // what was done to it, in all its turns: questions, pushes, verifications
	Err      error             // a *delivery.Error, of DeviceWaiting, DeviceFailed and DeviceInterrupted
	Progress Report

	NotBefore time.Time // of DeviceWaiting
}

// LogValue implements [slog.LogValuer]. It returns the event's kind and wave, and of a device its
// name, labels and update, and how its turn ended. It shows nothing of a device's credentials.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("wave", e.Wave.String())}
	if e.Device != (delivery.Device{}) {
		attrs = append(attrs, slog.String("device", e.Device.Name()))
	}
	if e.Update != nil {
		attrs = append(attrs, slog.String("version", e.Update.Version()))
	}
	if len(e.Labels) > 0 {
		var labels []any
		for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
			labels = append(labels, slog.String(name, e.Labels[name]))
		}
		attrs = append(attrs, slog.Group("labels", labels...))
	}
	if e.Report.Pushes > 0 {
		attrs = append(attrs, slog.Int("pushes", e.Report.Pushes))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("class", delivery.ClassOf(e.Err).String()), slog.String("error", e.Err.Error()))
		if errors.Is(e.Err, delivery.ErrQuarantined) {
			attrs = append(attrs, slog.Bool("quarantined", true))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogLevel returns how important the event is: LevelWarn for a device that failed, LevelDebug for
// any other event of a device, and LevelInfo for the rest.
func (e Event) LogLevel() slog.Level {
	switch {
	case e.Kind == DeviceFailed:
		return slog.LevelWarn
	case e.Device != (delivery.Device{}):
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}
