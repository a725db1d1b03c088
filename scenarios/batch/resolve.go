package batch

import (
	"errors"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/scenarios"
)

// Resolve returns the scenarios that names and files stand for, and the name of the suite if they
// stand for one, which must then be the only name. Each is parsed once.
func Resolve(names []string) (specs []scenarios.Spec, suite string, err error) {
	for _, name := range names {
		of, members, err := scenarios.Members(name)
		if err != nil {
			return nil, "", err
		}
		if of != "" && len(names) > 1 {
			return nil, "", &scenarios.UsageError{What: name + " is a suite: run it alone"}
		}
		specs, suite = append(specs, members...), of
	}
	return specs, suite, nil
}

// ResolveDistinct returns the scenarios that names, files and suites stand for, changed as the
// texts KEY=VALUE in sets say. Two of one name are an error: the samples of one would pass for the
// other's.
func ResolveDistinct(names, sets []string) ([]scenarios.Spec, error) {
	var specs []scenarios.Spec
	for _, name := range names {
		_, members, err := scenarios.Members(name)
		if err != nil {
			return nil, err
		}
		for _, s := range members {
			for _, set := range sets {
				err = errors.Join(err, s.Set(set))
			}
			if err = errors.Join(err, s.Validate()); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(specs, func(o scenarios.Spec) bool { return o.Name == s.Name }) {
				return nil, &scenarios.UsageError{What: "scenario " + s.Name + ": is named twice"}
			}
			specs = append(specs, s)
		}
	}
	return specs, nil
}

// Names returns the names of the scenarios that names, files and suites stand for. A name that the
// catalog lacks stands for itself: its file may be gone.
func Names(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if !slices.Contains(scenarios.Names(), name) && !strings.ContainsAny(name, `./\`) {
			all = append(all, name)
			continue
		}
		_, members, err := scenarios.Members(name)
		if err != nil {
			return nil, err
		}
		for _, s := range members {
			all = append(all, s.Name)
		}
	}
	return all, nil
}
