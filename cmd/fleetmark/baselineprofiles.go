package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// baselineProfiles is where the profiles of the baseline are, in the source tree.
const baselineProfiles = "profiles/baseline"

// How many profiles of a push there are, and how long each is: enough to hold others against, and
// together less than a picture.
const (
	baselineProfileTurns = 8
	baselineProfileEach  = 2 * time.Second
)

// takeProfiles writes the profiles that a later change is held against: of a push, by processor time
// and by every allocation. The old ones stay until all of the new ones are there.
func (f *baselineFlags) takeProfiles(ctx context.Context, s *session) (err error) {
	if f.profiles == "" {
		return nil
	}
	f.say(s, "profiles of a push")
	program, err := os.Executable()
	if err != nil {
		return err
	}
	spec, err := scenarios.Find("gate-push")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "fleetmark-profiles-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	taken := map[string][]byte{}
	for kind, each := range map[profiles.Kind]time.Duration{profiles.CPU: baselineProfileEach, profiles.Allocs: baselineProfileEach / 10} {
		o := versus.ExplainOptions{
			Sides: versus.Sides{Base: program}, Spec: spec, FleetCommand: []string{program, "fleet", "--driven"},
			Dir: work, Kind: kind, Pairs: baselineProfileTurns, Each: each, Stderr: os.Stderr,
		}
		if err := versus.Take(ctx, o); err != nil {
			return err
		}
		files, err := profiles.Find(work, kind)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := profiles.CopyPortable(file, file, kind); err != nil {
				return err
			}
			if taken[filepath.Base(file)], err = os.ReadFile(file); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(f.profiles, 0o755); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--profiles %s: %v", f.profiles, err)}
	}
	for name, data := range taken {
		if err := results.AtomicWriteFile(filepath.Join(f.profiles, name), data); err != nil {
			return &exitError{exitUsage, fmt.Sprintf("--profiles %s: %v", f.profiles, err)}
		}
	}
	return nil
}
