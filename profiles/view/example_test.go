package view_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/profiles/view"
)

// Profile one repetition and read its profiles.
func Example() {
	run, err := os.MkdirTemp("", "run-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(run)

	ctx := context.Background()
	running, err := capture.Start(ctx, filepath.Join(run, "profiles"), 1, capture.Config{
		Kinds:  []profiles.Kind{profiles.Heap, profiles.Allocs},
		Labels: map[string]string{"scenario": "rollout", "operation": "push"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fleet := make([]string, 0, 1_000_000) // the load
	files, err := running.Stop()
	runtime.KeepAlive(fleet) // the load must be live when the heap is captured
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		fmt.Println(filepath.Base(f.Path), "holds samples:", f.Samples > 0)
	}

	found, err := profiles.Find(run, profiles.Allocs)
	if err != nil {
		fmt.Println(err)
		return
	}
	var text strings.Builder
	if err := view.Top(ctx, &text, found, view.TopOptions{Lines: 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(text.String(), "operation=push"), cap(fleet))
	// Output:
	// heap.1.pb.gz holds samples: true
	// allocs.1.pb.gz holds samples: true
	// true 1000000
}
