package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/fleetmark/fleetmark/internal/census"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/anatomy"
)

// find measures what the sections that were asked for say. What wants a machine at rest
// comes before the tests, which heat it.
func (f *baselineFlags) find(ctx context.Context, s *session, found *findings) error {
	if err := f.findBenchmarks(ctx, found); err != nil {
		return err
	}
	if found.wants("operations") {
		if err := f.findOperations(ctx, s, found); err != nil {
			return err
		}
	}
	if found.wants("time", "allocations", "streaming") {
		cfg := anatomy.Config{Time: found.wants("time"), Allocations: found.wants("allocations"), Streaming: found.wants("streaming"), Operations: f.operations, Sizes: streamSizes()}
		parts, err := anatomy.Run(ctx, []string{s.program, anatomyCommand}, cfg, func(step string) { f.say(s, step) })
		if err != nil {
			return err
		}
		found.parts = parts
	}
	if found.wants("profiling") {
		if err := f.findProfiling(ctx, s, found); err != nil {
			return err
		}
	}
	if found.wants("integration", largePayload) {
		if err := f.findIntegration(ctx, s, found); err != nil {
			return err
		}
	}
	return f.findCode(ctx, s, found)
}

// say shows what is under way, for a person.
func (f *baselineFlags) say(s *session, step string) {
	if !f.quiet {
		_, _ = fmt.Fprintln(s.term.err, "baseline:", step)
	}
}

// extraRun is a scenario's work with another operation.
type extraRun struct {
	what, command string
	operation     scenarios.Operation
}

// extraRepetitions is how often it is repeated: enough for a median.
const extraRepetitions = 3

func extraRuns() (runs []extraRun) {
	for _, op := range []scenarios.Operation{scenarios.Verify, scenarios.Deliver} {
		runs = append(runs, extraRun{
			"throughput of " + string(op), fmt.Sprintf("fleetmark run throughput --set load.operation=%s --repeat %d", op, extraRepetitions), op,
		})
	}
	return runs
}

func (f *baselineFlags) findOperations(ctx context.Context, s *session, found *findings) error {
	for _, e := range extraRuns() {
		spec, err := scenarios.Find("throughput")
		if err != nil {
			return err
		}
		spec.Load.Operation, spec.Repetitions, spec.Profiled = e.operation, extraRepetitions, 0
		m, err := f.measureOne(ctx, s, spec, e.command)
		if err != nil {
			return err
		}
		if err := usable(m.Directory, m.Run); err != nil {
			return &exitError{exitInvalid, err.Error()}
		}
		found.extra = append(found.extra, operationRuns{"throughput", e.command, m.Records})
	}
	return nil
}

// findIntegration runs the suite, or only what of it is asked for.
func (f *baselineFlags) findIntegration(ctx context.Context, s *session, found *findings) error {
	members := []string{largePayload}
	of := &suite{name: "integration"}
	if found.wants("integration") {
		var err error
		if _, members, err = scenarios.Members(of.name); err != nil {
			return err
		}
	}
	for _, name := range members {
		spec, err := scenarios.Find(name)
		if err != nil {
			return err
		}
		m, err := f.measureOne(ctx, s, spec, "fleetmark run "+name)
		if err != nil {
			return err
		}
		of.add(m, m.exitCode(false))
		if name == largePayload {
			found.large = m
		}
	}
	found.suite = of.rows
	if found.large == nil && found.wants(largePayload) {
		return errors.New("the suite integration has no scenario " + largePayload)
	}
	return nil
}

// findCode counts the checkout that the command is run in, if it is in one of this
// module.
func (f *baselineFlags) findCode(ctx context.Context, s *session, found *findings) error {
	root, ok := checkoutRoot()
	if ok && found.page.Revision == s.revision {
		digest, err := sourceDigest(root, measuredRoom)
		if err != nil {
			return err
		}
		found.page.Sources = map[string]string{measuredRoom: digest}
	}
	if !found.wants("code", "tests") {
		return nil
	}
	if !ok {
		found.leaveOut("it was not run in a checkout of its own source", "code", "tests")
		return nil
	}
	var err error
	if found.census, err = census.Take(ctx, root); err != nil {
		if ctx.Err() != nil {
			return err
		}
		found.leaveOut(err.Error(), "code", "tests")
		return nil
	}
	if !found.wants("tests") {
		return nil
	}
	if found.names, err = census.Names(root); err != nil {
		return err
	}
	f.say(s, "all tests, with coverage")
	within, cancel := context.WithTimeout(ctx, f.testsWithin)
	defer cancel()
	found.tested, err = census.Test(within, root)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		found.leaveOut(fmt.Sprintf("the tests did not come to their end within %v", f.testsWithin), "tests")
	case err != nil:
		found.leaveOut(err.Error(), "tests")
	}
	return nil
}

// leaveOut takes sections back that can't be measured here, and says why.
func (f *findings) leaveOut(why string, names ...string) {
	for _, name := range names {
		f.why[name] = why
		for i, asked := range f.asked {
			if asked == name {
				f.asked = append(f.asked[:i:i], f.asked[i+1:]...)
				break
			}
		}
	}
}

// checkoutRoot is the root of the checkout that the command is run in, if it is of this
// module.
func checkoutRoot() (string, bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	root, module, err := project.Module(dir)
	return root, err == nil && module != "" && module == info.Main.Path
}
