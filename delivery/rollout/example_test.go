package rollout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/inventory"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// shop serves many devices behind one address, at /d/NAME each.
func shop() *httptest.Server {
	var mu sync.Mutex
	runs := map[string]string{} // the version that each device runs
	mux := http.NewServeMux()
	mux.HandleFunc("POST /d/{name}/update", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		runs[r.PathValue("name")] = r.Header.Get("X-Update-Version")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"success":true}`)
	})
	mux.HandleFunc("GET /d/{name}/version", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"device_id": r.PathValue("name"), "version": runs[r.PathValue("name")], "state": "idle",
			"digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", // of "x"
		})
	})
	return httptest.NewServer(mux)
}

// updateOfOneByte returns an update and a client to deliver it.
func updateOfOneByte() (*delivery.Client, *delivery.Update) {
	client, err := delivery.New(delivery.Config{})
	if err != nil {
		panic(err)
	}
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		panic(err)
	}
	update, err := delivery.NewUpdate("2.0.0", artifact)
	if err != nil {
		panic(err)
	}
	return client, update
}

// An update for all tills of the north, first for a tenth of them. The journal makes the rollout
// resumable: the same call continues where the last one ended, however it ended.
func ExampleRun() {
	server := shop()
	defer server.Close()
	client, update := updateOfOneByte()
	defer client.Close()
	dir, err := os.MkdirTemp("", "rollout-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	var file strings.Builder
	file.WriteString("id,address,label.site\n")
	for i := range 200 {
		fmt.Fprintf(&file, "till-%d,%s/d/till-%d,%s\n", i, server.URL, i, []string{"north", "south"}[i%2])
	}
	registry, err := inventory.Read(strings.NewReader(file.String()), "devices.csv", inventory.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	north := registry.Select(inventory.Filter{Labels: map[string]string{"site": "north"}})
	cfg := rollout.Options{
		Workers:    16,
		Waves:      []rollout.Wave{{Share: 0.1, Soak: time.Millisecond}, {Share: 1}},
		AbortShare: 0.05, // stops a wave when 5% of it have failed
		Journal:    rollout.Journal{Path: filepath.Join(dir, "rollout-2.0.0.journal")},
	}
	for range 2 {
		report, err := rollout.Run(context.Background(), client, north, update, cfg)
		fmt.Println(report, err)
	}
	// Output:
	// 100 updated, 0 skipped, 0 failed, 0 not reached <nil>
	// 0 updated, 100 skipped, 0 failed, 0 not reached <nil>
}

// A Rollout made by New can be watched, and paused by whoever watches it.
func ExampleRollout() {
	server := shop()
	defer server.Close()
	client, update := updateOfOneByte()
	defer client.Close()

	var r *rollout.Rollout
	r, err := rollout.New(client, update, rollout.Options{
		Workers: 1,
		OnEvent: func(e rollout.Event) {
			switch e.Kind {
			case rollout.DeviceUpdated:
				fmt.Println(e.Device.ID, "runs", update.Version())
			case rollout.DeviceFailed:
				fmt.Println(e.Device.ID, "failed:", delivery.ClassOf(e.Err), "- pausing until somebody has looked")
				r.Pause() // nothing more begins
				r.Resume()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := r.Run(context.Background(), func(yield func(delivery.Device) bool) {
		for _, name := range []string{"till-1", "no till", "till-2"} {
			if !yield(delivery.Device{ID: name, Address: server.URL + "/d/" + name}) {
				return
			}
		}
	})
	fmt.Println(report, err)
	// Output:
	// till-1 runs 2.0.0
	// no till failed: permanent - pausing until somebody has looked
	// till-2 runs 2.0.0
	// 2 updated, 0 skipped, 1 failed (1 permanent), 0 not reached <nil>
}
