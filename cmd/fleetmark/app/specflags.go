package app

import (
	"errors"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// flagKind returns what the flag of a field takes.
func flagKind(f scenarios.Field) valueKind {
	switch f.Type.Kind() {
	case reflect.String:
		if choices := f.Choices(); len(choices) > 0 {
			return oneOf(choices...)
		}
		return valueKind{name: "file"}
	case reflect.Uint64:
		return valueKind{name: "uint", complete: cobra.NoFileCompletions}
	case reflect.Int:
		return valueKind{name: "int", complete: cobra.NoFileCompletions}
	}
	return valueKind{name: f.Flag, complete: cobra.NoFileCompletions} // size, rate, duration
}

// specWithFlags returns the scenario as the command line changes it: the flags first, then --set. It
// doesn't validate the scenario. The caller passes validation errors to
// [flagFields.rephrase], so that each names the flag that the user typed last.
func specWithFlags(cmd *cobra.Command, s scenarios.Spec, sets []string) (scenarios.Spec, flagFields, error) {
	for _, set := range sets {
		if model, ok := strings.CutPrefix(set, "load.model="); ok {
			s.Load = s.Load.ForModel(scenarios.Model(model)) // as in a variant of the scenario
		}
	}
	wasOpen := s.Load.IsOpen()
	typed := flagFields{}
	var errs []error
	for field, f := range scenarios.FlagFields() {
		if !cmd.Flags().Changed(f.Flag) {
			continue
		}
		typed[field] = "--" + f.Flag
		errs = append(errs, typed.rephrase(s.SetText(field, cmd.Flags().Lookup(f.Flag).Value.String())))
		if field == "load.rate" && (s.Load.Model == scenarios.ClosedLoop || s.Load.Model == scenarios.Once) {
			s.Load.Model = scenarios.ConstantRate
		}
	}
	for _, set := range sets {
		errs = append(errs, nameSet(s.Set(set)))
		field, _, _ := strings.Cut(set, "=")
		typed.set(field)
	}
	if err := errors.Join(errs...); err != nil {
		return s, nil, err
	}
	if s.Load.IsOpen() && !wasOpen && typed["load.workers"] == "" {
		s.Load.Workers = 0 // the scenario's number was for a closed load; 0 lets the runner start as many as it needs
	}
	return s, typed, nil
}

// flagFields maps a field to the flag that set it, in the words that a message uses.
type flagFields map[string]string

// set records that --set set the field and all fields below it.
func (t flagFields) set(field string) {
	for f := range t {
		if strings.HasPrefix(f, field+".") || strings.HasPrefix(f, field+"[") {
			delete(t, f)
		}
	}
	t[field] = "--set " + field + ":"
}

// rephrase returns err with each mistake naming the flag that set its field. A mistake about
// another field is unchanged.
func (t flagFields) rephrase(err error) error {
	var all []error
	for _, e := range scenarios.SplitErrors(err) {
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok {
			if words := t.flagFor(mistake.Field); words != "" {
				e = errors.New(words + " " + mistake.Wrong.Error())
			}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// nameSet returns err with each mistake in a --set assignment naming --set.
func nameSet(err error) error {
	var all []error
	for _, e := range scenarios.SplitErrors(err) {
		if mistake, ok := errors.AsType[*scenarios.SpecError](e); ok && mistake.Origin == scenarios.InAssignment {
			flag := "--set "
			if mistake.Field == "" {
				flag = "--set: "
			}
			e = errors.New(flag + mistake.Error())
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

// withFlags returns the text of an error. If the error is about an option of a run or a field of
// its scenario, the text names the command's flag for it.
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
	if errors.Is(option, target.ErrNotProfiled) {
		named += " (--fleet process): of another take profiles with fleetmark profile capture"
	}
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
	for field, f := range scenarios.FlagFields() {
		if field == option {
			return f.Flag
		}
	}
	return ""
}
