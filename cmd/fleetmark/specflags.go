package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A specFlag stands for a field of the scenario.
type specFlag struct {
	name, field, usage string

	// text puts the flag's words into a field that holds text, as they are: a file
	// may be called `true` or `a: b`. Without it they are read as in a scenario file.
	text func(*scenarios.Spec, string)
}

func specFlags() []specFlag {
	return []specFlag{
		{"devices", "fleet.devices", "how many devices", nil},
		{"addressing", "fleet.addressing", "how a device is told from another: ip, port or path (default ip on Linux, else path)",
			func(s *scenarios.Spec, v string) { s.Fleet.Addressing = mockfleet.Addressing(v) }},
		{"artifact", "artifact.file", "push this file", func(s *scenarios.Spec, v string) { s.Artifact.File = v }},
		{"size", "artifact.size", "push this much made from the seed, such as 64KiB", nil},
		{"transport", "client.transport", "lean or nethttp",
			func(s *scenarios.Spec, v string) { s.Client.Transport = delivery.Transport(v) }},
		{"workers", "load.workers", "operations at the same time, at most", nil},
		{"rate", "load.rate", "operations per second planned, such as 500/s, whatever the answers (an open model)", nil},
		{"duration", "load.duration", "how long a repetition lasts, such as 5s (0s: each device once)", nil},
		{"repeat", "repetitions", "timed repetitions", nil},
		{"warmup", "warmup", "repetitions before them that aren't recorded", nil},
		{"profiled", "profiled", "repetitions after them that are profiled and not timed", nil},
		{"seed", "seed", "of the artifact, the devices' behaviour and the retries", nil},
	}
}

// changedSpec is a scenario with the command line's changes: its flags', then
// those of --set. A mistake is told in the words of what the user typed last.
func changedSpec(cmd *cobra.Command, name string, sets []string) (scenarios.Spec, error) {
	s, err := scenarios.Find(name)
	if err != nil {
		return s, err
	}
	for _, set := range sets {
		if model, ok := strings.CutPrefix(set, "load.model="); ok {
			s.Load = s.Load.For(scenarios.Model(model)) // as in a variant of the scenario
		}
	}
	typed := typedFields{}
	var errs []error
	for _, f := range specFlags() {
		if !cmd.Flags().Changed(f.name) {
			continue
		}
		value := cmd.Flags().Lookup(f.name).Value.String()
		typed[f.field] = "--" + f.name
		if f.text != nil {
			f.text(&s, value)
		} else {
			errs = append(errs, typed.tell(s.Set(f.field+"="+value)))
		}
		if f.field == "load.rate" && (s.Load.Model == scenarios.Closed || s.Load.Model == scenarios.Once) {
			s.Load.Model = scenarios.Constant
		}
	}
	for _, set := range sets {
		errs = append(errs, s.Set(set))
		field, _, _ := strings.Cut(set, "=")
		typed.set(field)
	}
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	return s, typed.tell(s.Validate())
}

// typedFields says in which words of the command line a field got its value.
type typedFields map[string]string

// set notes that --set gave the field, and all below it, their values.
func (t typedFields) set(field string) {
	for f := range t {
		if strings.HasPrefix(f, field+".") || strings.HasPrefix(f, field+"[") {
			delete(t, f)
		}
	}
	t[field] = "--set " + field + ":"
}

// tell says the mistakes in err in those words. A field that wasn't typed keeps
// the scenario's.
func (t typedFields) tell(err error) error {
	var all []error
	for _, e := range flatten(err) {
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok {
			if words := t.words(mistake.Field); words != "" {
				e = &scenarios.UsageError{What: words + " " + mistake.Problem}
			}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// words finds the field's, or those of the nearest field above it.
func (t typedFields) words(field string) string {
	if words := t[field]; words != "" {
		return words
	}
	for above := field; strings.ContainsAny(above, ".["); {
		above = above[:strings.LastIndexAny(above, ".[")]
		if words := t[above]; words != "" {
			return words + " " + field + ":"
		}
	}
	return ""
}

// flatten takes joined errors apart; nil has no parts.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// refuseEmpty refuses a flag that names a file or an address and was given
// nothing, as --out="$DIR" does where DIR isn't set.
func refuseEmpty(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return &exitError{exitUsage, fmt.Sprintf("--%s: is empty; give it a value, or leave it out", name)}
		}
	}
	return nil
}
