package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
)

// Bounds of how long a process is profiled. The seconds of net/http/pprof are whole.
const (
	minProfile = time.Second
	maxProfile = time.Minute
)

// profileTime returns how long the processes of a client are profiled for a load that lasts so long,
// or for one like the last if that isn't known: a little longer than the load, so that all of its
// operations are in the profile.
func (p *processes) profileTime(load time.Duration) time.Duration {
	lasts := cmp.Or(load, min(p.took, maxProfile))
	return max((lasts + time.Second - 1).Truncate(time.Second), minProfile)
}

// covers reports whether a profile of some duration has nearly all operations of a load that took so
// long, counted from when the profile began.
func covers(profile, load time.Duration) bool { return load <= profile+profile/20 }

// A heldPool is a pool that several repetitions use.
type heldPool struct{ *process.Pool }

// Close leaves the processes running.
func (heldPool) Close() error { return nil }

// HoldProcesses makes later repetitions use the same processes of client.command, if the client has
// any, until release is called.
func (s *Session) HoldProcesses() (release func() error) {
	p := s.processes
	if p == nil {
		return func() error { return nil }
	}
	p.hold = true
	return func() error {
		held := p.held
		if p.hold, p.held = false, nil; held == nil {
			return nil
		}
		return held.Close()
	}
}

// DrivesProcesses reports whether the client is in processes of its own.
func (s *Session) DrivesProcesses() bool { return s.processes != nil }

// Profile begins to profile the client, for the given time if it is in processes of its own, and
// until end otherwise. The last repetition's processes must be running then. end waits for the
// profiles and writes them, with how many operations they cover and the processor time that these
// took.
func (s *Session) Profile(
	ctx context.Context, into *ProfileTarget, lasts time.Duration,
) (end func(operations int64, cpu time.Duration) error, err error) {
	if s.service != nil {
		return nil, errors.New("the client is a service, which is profiled only in runs")
	}
	if s.processes == nil {
		running, err := capture.Start(ctx, into.Dir, into.Number, into.Config)
		return func(operations int64, cpu time.Duration) error {
			labeled := running.LabelOperations(operations, cpu)
			_, err := running.Stop()
			return errors.Join(labeled, err)
		}, err
	}
	return s.profileProcesses(ctx, into.Dir, into.Number, capture.RemoteConfig{
		Kinds: into.Config.Kinds, Labels: into.Config.Labels, Duration: s.processes.profileTime(lasts),
	})
}

// profileAddresses returns where the running processes of the client serve profiles.
func (s *Session) profileAddresses() ([]string, error) {
	spec := s.spec.Client
	if spec.Pprof != "" {
		return []string{spec.Pprof}, nil
	}
	var list []string
	if c := s.current.Load(); c != nil && c.pool() != nil {
		for _, address := range c.pool().ProfileAddresses() {
			list = append(list, "http://"+address+"/debug/pprof")
		}
	}
	if list == nil {
		return nil, errors.New("the client serves none")
	}
	return list, nil
}

// profileProcesses begins to capture profiles of all processes of the client. end adds them up.
func (s *Session) profileProcesses(
	ctx context.Context, dir string, number int, cfg capture.RemoteConfig,
) (end func(operations int64, cpu time.Duration) error, err error) {
	addresses, err := s.profileAddresses()
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(s.processes.dir.Path, "profiles-")
	if err != nil {
		return nil, err
	}
	taken := make([][]profiles.File, len(addresses))
	errs := make([]error, len(addresses))
	var all sync.WaitGroup
	c, began := &http.Client{Transport: &http.Transport{}}, time.Now()
	for i, address := range addresses {
		all.Go(func() {
			taken[i], errs[i] = capture.Remote(ctx, c, address, filepath.Join(work, strconv.Itoa(i)), number, cfg)
		})
	}
	return func(operations int64, cpu time.Duration) error {
		whole := covers(cfg.Duration, time.Since(began))
		all.Wait()
		c.CloseIdleConnections()
		labels := map[string]string{}
		if whole && len(addresses) == s.processes.Processes { // otherwise it isn't known how many are in the profile
			labels[profiles.OperationsLabel] = strconv.FormatInt(operations, 10)
			labels[profiles.ProcessorLabel] = strconv.FormatInt(int64(cpu), 10)
		}
		merged := mergeProfiles(taken, dir, number, profiles.Comments(labels))
		return errors.Join(firstOf(errs), merged, os.RemoveAll(work))
	}, nil
}

// firstOf returns the first error, and how many there are if others follow.
func firstOf(errs []error) (first error) {
	n := 0
	for _, err := range errs {
		if err != nil {
			first = cmp.Or(first, err)
			n++
		}
	}
	if n > 1 {
		return fmt.Errorf("%w; and of %d other processes", first, n-1)
	}
	return first
}

// mergeProfiles writes the sum of the processes' profiles of each kind that all of them have.
func mergeProfiles(taken [][]profiles.File, dir string, number int, comments []string) error {
	of := map[profiles.Kind][]string{}
	for _, files := range taken {
		for _, f := range files {
			of[f.Kind] = append(of[f.Kind], f.Path)
		}
	}
	for _, kind := range profiles.Kinds() {
		if len(of[kind]) < len(taken) {
			continue
		}
		sum, err := profiles.LoadMerged(of[kind])
		if err != nil {
			return err
		}
		sum.Comments = append(sum.Comments, comments...)
		if err := profiles.MakeDirectory(dir); err != nil {
			return err
		}
		if _, err := profiles.Write(dir, kind, number, sum); err != nil {
			return err
		}
	}
	return nil
}
