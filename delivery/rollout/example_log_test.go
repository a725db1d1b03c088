package rollout_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/inventory"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// A rollout's events in a log: waves and failures at the default level, and each device's steps at
// slog.LevelDebug. The labels come from the inventory.
func ExampleEvent_LogValue() {
	server := shop()
	defer server.Close()
	client, update := updateOfOneByte()
	defer client.Close()
	file := fmt.Sprintf("id,address,label.site\ntill-1,%[1]s/d/till-1,north\nno till,%[1]s/d/no-till,south\n", server.URL)
	registry, err := inventory.Read(strings.NewReader(file), "devices.csv", inventory.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout,
		&slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))

	ctx := context.Background()
	report, err := rollout.Run(ctx, client, registry.All(), update, rollout.Options{
		Workers: 1,
		Labels:  registry.Labels,
		OnEvent: func(e rollout.Event) {
			logger.LogAttrs(ctx, e.LogLevel(), "rollout", slog.Any("event", e))
		},
	})
	fmt.Println(report, err)
	// Output:
	// level=INFO msg=rollout event.kind=wave event.wave=100%
	// level=DEBUG msg=rollout event.kind=begun event.wave=100% event.device=till-1 event.version=2.0.0 event.labels.site=north
	// level=DEBUG msg=rollout event.kind=updated event.wave=100% event.device=till-1 event.version=2.0.0 event.labels.site=north event.pushes=1
	// level=DEBUG msg=rollout event.kind=begun event.wave=100% event.device="no till" event.version=2.0.0 event.labels.site=south
	// level=WARN msg=rollout event.kind=failed event.wave=100% event.device="no till" event.version=2.0.0 event.labels.site=south event.pushes=1 event.class=integrity event.error="verify no till: integrity: status 200: another device answers at this address: \"no-till\"" event.quarantined=true
	// 1 updated, 0 skipped, 1 failed (1 integrity), 0 not reached <nil>
}

// At most two devices of a site at a time, only at night, and no more than 10 MB a second over all
// of them. Tills with the old board have an artifact of their own.
func ExampleOptions() {
	server := shop()
	defer server.Close()
	client, update := updateOfOneByte()
	defer client.Close()
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		fmt.Println(err)
		return
	}
	forOldBoard, err := delivery.NewUpdate("2.0.0-old-board", artifact)
	if err != nil {
		fmt.Println(err)
		return
	}
	var file strings.Builder
	file.WriteString("id,address,label.site,label.board\n")
	for i := range 12 {
		fmt.Fprintf(&file, "till-%d,%s/d/till-%d,site-%d,%s\n", i, server.URL, i, i%3, []string{"new", "old"}[i%2])
	}
	registry, err := inventory.Read(strings.NewReader(file.String()), "devices.csv", inventory.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	byVersion := map[string]int{}
	report, err := rollout.Run(context.Background(), client, registry.All(), update, rollout.Options{
		Labels:         registry.Labels,
		PerLabel:       map[string]int{"site": 2},
		BytesPerSecond: 10_000_000,
		Window: func(d delivery.Device, at time.Time) (open bool, next time.Time) {
			night := at.Truncate(24 * time.Hour) // of this example it is always night
			return at.After(night), night.Add(24 * time.Hour)
		},
		UpdateFor: func(d delivery.Device) (*delivery.Update, error) {
			if registry.Labels(d)["board"] == "old" {
				return forOldBoard, nil
			}
			return nil, nil // the rollout's own update
		},
		OnEvent: func(e rollout.Event) {
			if e.Kind == rollout.DeviceUpdated {
				byVersion[e.Update.Version()]++
			}
		},
	})
	fmt.Println(report, err)
	fmt.Println(byVersion)
	// Output:
	// 12 updated, 0 skipped, 0 failed, 0 not reached <nil>
	// map[2.0.0:6 2.0.0-old-board:6]
}
