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

	// Tree is where the processes of client.command run: client.directory is the same directory of
	// this tree. If it is nil, the directory is used as it is.
	Tree *checkout.Tree
	// Built is the program that {out} stands for in client.command. It may be empty.
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
	if len(c.Command) == 0 || s.Tree == nil {
		return spec, nil
	}
	dir, err := filepath.Abs(c.Directory)
	if err != nil {
		return spec, err
	}
	built := slices.ContainsFunc(c.Command, func(word string) bool { return strings.Contains(word, placeholder) })
	c.Directory = s.Tree.Place(dir)
	switch {
	case built && s.Built == "":
		return spec, fmt.Errorf("scenario %s: client.command has %s, and no build writes a program there: "+
			"want client.build in fleetmark.yaml, with %s", spec.Name, placeholder, placeholder)
	case !built && c.Directory == dir:
		return spec, fmt.Errorf("scenario %s: its client.command runs in %s, outside the repository, "+
			"so both sides would be the same: want a scenario in the repository whose client is compared", spec.Name, dir)
	}
	c.Command = slices.Clone(c.Command)
	for i, word := range c.Command {
		c.Command[i] = strings.ReplaceAll(word, placeholder, s.Built)
	}
	return spec, nil
}
