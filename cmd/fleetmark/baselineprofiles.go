package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// takeProfiles writes the profiles that a later change is held against.
func (f *baselineFlags) takeProfiles(ctx context.Context, s *session) error {
	if f.profiles == "" {
		return nil
	}
	f.say(s, "profiles of a push")
	if err := takePushProfiles(ctx, f.profiles, nil); err != nil {
		return fmt.Errorf("--profiles %s: %w", f.profiles, err)
	}
	return nil
}

// takePushProfiles writes profiles of a push, by processor time and by every allocation, to dir. Old ones
// there stay until all of the new ones are taken. progress may be nil.
func takePushProfiles(ctx context.Context, dir string, progress func(kind profiles.Kind, done, of int)) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	spec, err := scenarios.Find("gate-push")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // before a quarter of a minute is spent
		return &exitError{exitUsage, err.Error()}
	}
	work, err := os.MkdirTemp("", "fleetmark-profiles-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	taken := map[string][]byte{}
	for _, k := range []struct {
		kind profiles.Kind
		each time.Duration
	}{{profiles.CPU, baselineProfileEach}, {profiles.Allocs, baselineProfileEach / 10}} {
		o := versus.ExplainOptions{
			Sides: versus.Sides{Base: program}, Spec: spec, FleetCommand: []string{program, "fleet", "--driven"},
			Dir: work, Kind: k.kind, Pairs: baselineProfileTurns, Each: k.each, Stderr: os.Stderr,
		}
		if progress != nil {
			o.Progress = func(done, of int) { progress(k.kind, done, of) }
		}
		if err := versus.Take(ctx, o); err != nil {
			return err
		}
		files, err := profiles.Find(work, k.kind)
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
		if err := results.AtomicWriteFile(filepath.Join(dir, name), taken[name]); err != nil {
			return &exitError{exitUsage, err.Error()}
		}
	}
	return nil
}
