package app

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A specFlag is a flag that sets a field of the scenario.
type specFlag struct {
	name, field string
	kind        valueKind
	usage       string

	// text sets a field that holds text, such as a file's name, which may be `true` or `a: b`. If
	// it is nil, the value is read as in a scenario file.
	text func(*scenarios.Spec, string)
}

func specFlags() []specFlag {
	number := valueKind{name: "int", complete: cobra.NoFileCompletions}
	quantity := func(name string) valueKind { return valueKind{name: name, complete: cobra.NoFileCompletions} }
	return []specFlag{
		{"devices", "fleet.devices", number, "how many devices", nil},
		{"addressing", "fleet.addressing", oneOf("ip", "port", "path"),
			"how a device is told from another: ip, port or path (default ip on Linux, else path)",
			func(s *scenarios.Spec, v string) { s.Fleet.Addressing = mockfleet.Addressing(v) }},
		{"artifact", "artifact.file", valueKind{name: "file"}, "push this file",
			func(s *scenarios.Spec, v string) { s.Artifact.File = v }},
		{"size", "artifact.size", quantity("size"), "push this much made from the seed, such as 64KiB", nil},
		{"transport", "client.transport", oneOf("lean", "nethttp"), "lean or nethttp",
			func(s *scenarios.Spec, v string) { s.Client.Transport = delivery.Transport(v) }},
		{"workers", "load.workers", number,
			"operations at the same time, at most (0, of an open model: as many as it takes)", nil},
		{"rate", "load.rate", quantity("rate"),
			"operations per second planned, such as 500/s, whatever the answers (an open model)", nil},
		{"duration", "load.duration", quantity("duration"),
			"how long a repetition lasts, such as 5s (0s: each device once)", nil},
		{"repeat", "repetitions", number, "timed repetitions", nil},
		{"warmup", "warmup", number, "repetitions before them that aren't recorded", nil},
		{"profiled", "profiled", number, "repetitions after them that are profiled and not timed", nil},
		{"seed", "seed", quantity("uint"), "of the artifact, the devices' behaviour and the retries", nil},
	}
}

// specWithFlags returns the scenario with the changes of the command line: those of flags, then
// those of --set. The scenario isn't validated; a mistake that is found in it is to be rephrased
// with the flags, so that it names the one that the user typed last.
func specWithFlags(cmd *cobra.Command, s scenarios.Spec, sets []string) (scenarios.Spec, flagFields, error) {
	for _, set := range sets {
		if model, ok := strings.CutPrefix(set, "load.model="); ok {
			s.Load = s.Load.For(scenarios.Model(model)) // as in a variant of the scenario
		}
	}
	planned := s.Load.Planned()
	typed := flagFields{}
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
			errs = append(errs, typed.rephrase(s.Set(f.field+"="+value)))
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
		return s, nil, err
	}
	if s.Load.Planned() && !planned && typed["load.workers"] == "" {
		s.Load.Workers = 0 // as many as it takes: the scenario's number was for a load that waits for answers
	}
	return s, typed, nil
}

// flagFields maps a field to the flag that set it, as a message names it.
type flagFields map[string]string

// set notes that --set set the field, and all fields below it.
func (t flagFields) set(field string) {
	for f := range t {
		if strings.HasPrefix(f, field+".") || strings.HasPrefix(f, field+"[") {
			delete(t, f)
		}
	}
	t[field] = "--set " + field + ":"
}

// rephrase returns the mistakes in err so that each names the flag that set its field. A mistake
// about another field stays as it is.
func (t flagFields) rephrase(err error) error {
	var all []error
	for _, e := range scenarios.SplitErrors(err) {
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok {
			if words := t.flagFor(mistake.Field); words != "" {
				e = &scenarios.UsageError{What: words + " " + mistake.Problem}
			}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// flagFor returns the flag that set a field, or the nearest field above it, or "" if none did.
func (t flagFields) flagFor(field string) string {
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

// withFlags returns the text of an error. If it is about an option of a run or a field of its
// scenario, it names the flags that the command has for them.
func withFlags(cmd *cobra.Command, err error) string {
	text := err.Error()
	option, ok := errors.AsType[*scenarios.OptionError](err)
	if !ok {
		return text
	}
	named := option.Text(func(name string) string {
		if flag := flagOf(name); cmd.Flags().Lookup(flag) != nil {
			return "--" + flag
		}
		return name
	})
	return strings.Replace(text, option.Error(), named, 1)
}

// flagOf returns the name of the flag of an option of a run or a field of its scenario, or "" if
// there is none.
func flagOf(option string) string {
	switch option {
	case "Target.Address":
		return "fleet"
	case "Target.Control":
		return "fleet-control"
	case "Target.DeviceFile":
		return "devices-from"
	case "Target.Profile":
		return "profile-fleet"
	}
	for _, f := range specFlags() {
		if f.field == option {
			return f.name
		}
	}
	return ""
}
