package health

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/profiles/capture"
)

func TestCheckLeaks(t *testing.T) {
	before := ResourceSnapshot{
		goroutines:  capture.Goroutines{"a.F /a.go:1\na.G /a.go:9": 2},
		descriptors: map[string]int{osinfo.Sockets: 3, "/dev/null": 1},
		heap:        5 << 20,
	}
	for name, row := range map[string]struct {
		change func(*ResourceSnapshot)
		want   []string
	}{
		"nothing": {func(*ResourceSnapshot) {}, nil},
		"others come by": {func(s *ResourceSnapshot) { s.goroutines = capture.Goroutines{"a.F /a.go:2\na.G /a.go:9": 2} },
			nil},
		"less than before": {func(s *ResourceSnapshot) { s.heap, s.goroutines, s.descriptors = 0, nil, nil }, nil},
		"goroutines": {func(s *ResourceSnapshot) { s.goroutines["b.F /b.go:1\nb.G /b.go:9"] = 3 },
			[]string{"a leak: 3 more goroutines after the last repetition had drained than before the first: 3 at b.G /b.go:9 > b.F /b.go:1"}},
		"connections": {func(s *ResourceSnapshot) { s.descriptors[osinfo.Sockets] = 5 },
			[]string{"a leak: 2 more connections open after the last repetition had drained than before the first"}},
		"descriptors": {func(s *ResourceSnapshot) { s.descriptors["/dev/null"], s.descriptors["/dev/zero"] = 3, 1 },
			[]string{"a leak: 3 more file descriptors open after the last repetition had drained than before the first: /dev/null, /dev/zero"}},
		"memory": {func(s *ResourceSnapshot) { s.heap += 36<<20 + 1 },
			[]string{"a leak: 36 MiB more live on the heap after the last repetition had drained than before the first: see profiles of kind heap"}},
		"memory of devices": {func(s *ResourceSnapshot) { s.heap += 36 << 20 }, nil}, // 32 MiB, and 4,096 devices of 1 KiB
		"all of these, and more than are named": {func(s *ResourceSnapshot) {
			s.goroutines = capture.Goroutines{"a.F /a.go:1\na.G /a.go:9": 4, "b.g b.go:2\nc.h c.go:3": 1, "d d.go:1": 1,
				"e e.go:1": 1}
			s.descriptors = map[string]int{osinfo.Sockets: 6, "/dev/null": 2, "/tmp/a": 1, "/tmp/b": 1, "/tmp/c": 1}
			s.heap += 40 << 20
		}, []string{
			"a leak: 5 more goroutines after the last repetition had drained than before the first: 2 at a.G /a.go:9 > a.F /a.go:1; 1 at c.h c.go:3 > b.g b.go:2; 1 at d d.go:1; 1 more stacks",
			"a leak: 3 more connections open after the last repetition had drained than before the first",
			"a leak: 4 more file descriptors open after the last repetition had drained than before the first: /dev/null, /tmp/a, /tmp/b",
			"a leak: 40 MiB more live on the heap after the last repetition had drained than before the first: see profiles of kind heap",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			after := ResourceSnapshot{goroutines: maps.Clone(before.goroutines), descriptors: maps.Clone(before.descriptors),
				heap: before.heap}
			row.change(&after)
			findings := checkLeaks(before, after, 4096)
			var said []string
			for _, f := range findings {
				require.Equal(t, Leak, f.Kind)
				said = append(said, f.String())
			}
			require.Equal(t, row.want, said)
		})
	}
}

// TestTakeResources_goroutines checks which goroutines count as the client's: those started inside
// DoAsClient, also indirectly, and those of its packages that removed the label.
func TestTakeResources_goroutines(t *testing.T) {
	dir := t.TempDir()
	count := func(packages ...string) int {
		s, err := TakeResources(dir, packages...)
		require.NoError(t, err)
		return s.goroutines.Count()
	}
	require.Zero(t, count())
	end, began := make(chan struct{}), make(chan struct{})
	wait := func() { began <- struct{}{}; <-end }
	DoAsClient(t.Context(), func(context.Context) {
		go func() { go wait() }()
		go func() {
			pprof.SetGoroutineLabels(context.Background())
			wait()
		}()
	})
	go wait() // not the client's
	defer close(end)
	for range 3 {
		<-began
	}
	require.Equal(t, 1, count())
	require.Equal(t, 4, count("github.com/fleetmark/fleetmark/scenarios/health."), "all three, and this one")
}

func TestTakeResources_files(t *testing.T) {
	if osinfo.OpenDescriptors() == 0 {
		t.Skip("this system doesn't say which descriptors are open")
	}
	dir, elsewhere := t.TempDir(), t.TempDir()
	before, err := TakeResources(dir)
	require.NoError(t, err)
	for _, folder := range []string{dir, elsewhere} {
		f, err := os.Create(filepath.Join(folder, "file"))
		require.NoError(t, err)
		defer f.Close()
	}
	after, err := TakeResources(dir)
	require.NoError(t, err)
	findings := checkLeaks(before, after, 1)
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Detail, "1 more file descriptors open")
	_, err = TakeResources(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestAwaitRelease checks that only a leak that stays is reported.
func TestAwaitRelease(t *testing.T) {
	n, most := 0, ResourceSnapshot{heap: 1 << 40}
	take := func() (ResourceSnapshot, error) {
		if n++; n < 3 {
			return most, nil
		}
		return ResourceSnapshot{}, nil
	}
	findings, err := AwaitRelease(t.Context(), ResourceSnapshot{}, 1, time.Hour, take)
	require.NoError(t, err)
	require.Empty(t, findings)
	require.Equal(t, 3, n)

	n = -1 << 20
	findings, err = AwaitRelease(t.Context(), ResourceSnapshot{}, 1, -drainTimeout, take)
	require.NoError(t, err)
	require.Len(t, findings, 1)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = AwaitRelease(ctx, ResourceSnapshot{}, 1, time.Hour, take)
	require.ErrorContains(t, err, "enough")
	_, err = AwaitRelease(t.Context(), ResourceSnapshot{}, 1, 0,
		func() (ResourceSnapshot, error) { return most, os.ErrInvalid })
	require.ErrorIs(t, err, os.ErrInvalid)
}
