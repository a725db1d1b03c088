package delivery

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
)

// LogValue is the event as attributes: its kind, the wave, and of a device who it is, what
// labels and which update it has, and how it ended. It holds nothing of a device's
// credentials.
func (e RolloutEvent) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind)), slog.String("wave", e.Wave.String())}
	if e.Device != (Device{}) {
		attrs = append(attrs, slog.String("device", e.Device.name()))
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
		attrs = append(attrs, slog.String("class", ClassOf(e.Err).String()), slog.String("error", e.Err.Error()))
		if errors.Is(e.Err, ErrQuarantined) {
			attrs = append(attrs, slog.Bool("quarantined", true))
		}
	}
	return slog.GroupValue(attrs...)
}

// LogLevel is how much an event matters: a device that failed is a warning, what is about
// one device alone is for debugging, the rest is for information.
func (e RolloutEvent) LogLevel() slog.Level {
	switch {
	case e.Kind == DeviceFailed:
		return slog.LevelWarn
	case e.Device != (Device{}):
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}
