package profiles_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
)

// One repetition, profiled and read back.
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
	runtime.KeepAlive(fleet) // or it might be gone before the heap is looked at, and nothing else be in use
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
	if err := profiles.Top(ctx, &text, found, profiles.TopOptions{Lines: 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(text.String(), "operation=push"), cap(fleet))
	// Output:
	// heap.1.pb.gz holds samples: true
	// allocs.1.pb.gz holds samples: true
	// true 1000000
}

// A directory without the wanted profile says which ones it has.
func ExampleFind() {
	_, err := profiles.Find("no-such-run", profiles.CPU)
	fmt.Println(err)
	// Output:
	// profile no-such-run: missing (file does not exist): name a run directory or a .pb.gz file
}

func ExampleParseKind() {
	_, err := profiles.ParseKind("memory")
	fmt.Println(err)
	// Output:
	// profile kind "memory": unknown: want one of cpu, heap, allocs, goroutine, mutex, block
}
