package abtest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Side is how one side is measured: by a program that leads to [Serve], with the client that the
// program contains or with one that it starts.
type Side struct {
	Program string   // the driver
	Args    []string // its arguments before "drive"

	// Client replaces client.command of all scenarios: the client is this process, in the current
	// directory. It may be nil.
	Client []string

	// Tree is where the processes of client.command and of client.service run: their directory is the
	// same one of this tree. If it is nil, the directory is used as it is.
	Tree *checkout.Tree
	// Built is the program that {out} stands for in client.command and client.service.start. It may be
	// empty.
	Built string
}

// command returns the command that starts the driver.
func (s Side) command() []string {
	return slices.Concat([]string{s.Program}, s.Args, []string{"drive"})
}

// work returns what the side's driver is to measure: the assignments with the client of this side.
func (s Side) work(all []assignment) ([]assignment, error) {
	own := slices.Clone(all)
	for i := range own {
		spec, err := s.adapt(own[i].spec)
		if err != nil {
			return nil, err
		}
		if own[i].Spec, err = json.Marshal(spec); err != nil {
			return nil, err
		}
	}
	return own, nil
}

// adapt returns a scenario with the client of this side.
func (s Side) adapt(spec scenarios.Spec) (scenarios.Spec, error) {
	c := &spec.Client
	if s.Client != nil {
		c.Command, c.Directory = s.Client, ""
		return spec, nil
	}
	if s.Tree == nil {
		return spec, nil
	}
	var err error
	switch v := &c.Service; {
	case len(c.Command) > 0:
		c.Command, c.Directory, err = s.place(spec.Name, "client.command", c.Command, c.Directory)
	case len(v.Start) > 0:
		v.Start, v.Directory, err = s.place(spec.Name, "client.service", v.Start, v.Directory)
	case v.Program() != nil:
		_, v.Directory, err = s.place(spec.Name, "client.service", v.Trigger.Command, v.Directory)
	}
	return spec, err
}

// place returns a command of this side and the directory of its tree in which it runs. field names
// what has the command.
func (s Side) place(scenario, field string, command []string, directory string) ([]string, string, error) {
	dir, err := filepath.Abs(directory)
	if err != nil {
		return nil, "", err
	}
	built := slices.ContainsFunc(command, func(word string) bool { return strings.Contains(word, placeholder) })
	placed := s.Tree.Place(dir)
	switch {
	case built && s.Built == "":
		return nil, "", fmt.Errorf("scenario %s: %s has %s, and no build writes a program there: "+
			"want client.build in fleetmark.yaml, with %s", scenario, field, placeholder, placeholder)
	case !built && placed == dir:
		return nil, "", fmt.Errorf("scenario %s: its %s runs in %s, outside the repository, "+
			"so both sides would be the same: want a scenario in the repository whose client is compared", scenario, field, dir)
	}
	command = slices.Clone(command)
	for i, word := range command {
		command[i] = strings.ReplaceAll(word, placeholder, s.Built)
	}
	return command, placed, nil
}
