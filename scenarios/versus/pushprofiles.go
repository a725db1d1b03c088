package versus

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/scenarios"
)

// BaselineProfiles is the directory, in the source tree, of the push profiles that belong to the
// baseline page.
const BaselineProfiles = "profiles/baseline"

// How many profiles of a push there are, and how long each is: enough to compare others with, and
// together smaller than a picture.
const (
	pushProfiles    = 8
	pushProfileTime = 2 * time.Second
)

// PushProfileOptions says where profiles of a push come from and go to.
type PushProfileOptions struct {
	FleetCommand []string // the program, which is driven too, and its arguments that lead to scenarios.ServeFleet
	Dir          string
	Stderr       io.Writer
	Progress     func(kind profiles.Kind, done, of int) // may be nil
}

// TakePushProfiles writes profiles of a push to a directory, of processor time and of every
// allocation, without anything of this machine in them. Files there with the same names are
// replaced once all profiles are taken.
func TakePushProfiles(ctx context.Context, o PushProfileOptions) (err error) {
	spec, err := scenarios.Find(pushScenario)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil { // before a quarter of a minute is spent
		return err
	}
	work, err := scratch.New("", "fleetmark-profiles")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	taken := map[string][]byte{}
	for _, k := range []struct {
		kind profiles.Kind
		each time.Duration
	}{{profiles.CPU, pushProfileTime}, {profiles.Allocs, pushProfileTime / 10}} {
		e := profileOptions{
			Sides: Sides{Base: o.FleetCommand[0]}, Spec: spec, FleetCommand: o.FleetCommand,
			Dir: work.Path, Kind: k.kind, Pairs: pushProfiles, Each: k.each, Stderr: o.Stderr,
		}
		if o.Progress != nil {
			e.Progress = func(done, of int) { o.Progress(k.kind, done, of) }
		}
		if err := takeProfiles(ctx, e); err != nil {
			return err
		}
		files, err := profiles.Find(work.Path, k.kind)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := profiles.CopyPortable(file, file, k.kind); err != nil {
				return err
			}
			if taken[filepath.Base(file)], err = os.ReadFile(file); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		if err := atomicfile.Write(filepath.Join(o.Dir, name), taken[name]); err != nil {
			return err
		}
	}
	return nil
}
