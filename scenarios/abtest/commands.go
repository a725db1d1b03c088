package abtest

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/results/judge"
)

// ProtocolVersion is what a driver says of itself, so that it is known for one; see [Commands].
const ProtocolVersion = protocol

// Commands is a [Source]: two programs, whatever they were built from. A program that answers
// `version --json` with a gate_protocol has the commands of Fleetmark, and drives its own client. Any
// other is a client that is a process, which this program drives.
type Commands struct {
	Base, Now []string // each a program and its arguments
}

func (Commands) doing() string { return "asking both commands what they are" }

// open finds the programs and asks each what it is.
func (c Commands) open(ctx context.Context, driver, _ string) (*Builds, error) {
	base, err := commandSide(ctx, "base-command", c.Base, driver)
	if err != nil {
		return nil, err
	}
	now, err := commandSide(ctx, "command", c.Now, driver)
	if err != nil {
		return nil, err
	}
	if (base.Client == nil) != (now.Client == nil) {
		return nil, &checkout.Error{
			Option:  "--base-command and --command",
			Problem: ": one has the commands of fleetmark, and the other is a client that is a process",
			Want:    "compare two of a kind, since the protocol between a client and its driver costs time",
		}
	}
	b := &Builds{Base: base, Now: now}
	if base.Client != nil || now.Client != nil { // a process may read any file
		return b, nil
	}
	b.Differences = programDifferences(base.Program, now.Program)
	// The programs can't be linked again, but each start places what they use elsewhere in memory. Where
	// a process has it for as long as it measures is no difference between the programs.
	b.Relink = func(context.Context, uint64) (Side, Side, error) { return base, now, nil }
	if slices.Equal(base.Args, now.Args) {
		same, err := checkout.SameContent(base.Program, now.Program)
		if err != nil {
			return nil, err
		}
		if same && isGo(base.Program) {
			b.Same = judge.IdenticalDrivers
		}
	}
	return b, nil
}

// CommandFunctions returns prefixes of the names of functions that may be the cause of a regression:
// those of the module that the current command was built from. It returns nil if the command doesn't
// say.
func CommandFunctions(c Commands) []string {
	program, err := findProgram(c.Now[0])
	if err != nil {
		return nil
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil || info.Main.Path == "" {
		return nil
	}
	return []string{info.Main.Path + ".", info.Main.Path + "/", "main."}
}

// isGo reports whether a file is a Go program, which is all of a driver. A script isn't.
func isGo(program string) bool {
	_, err := buildinfo.ReadFile(program)
	return err == nil
}

// commandSide returns the side that a command is.
func commandSide(ctx context.Context, option string, command []string, driver string) (Side, error) {
	program, err := findProgram(command[0])
	if err != nil {
		return Side{}, &checkout.Error{Option: "--" + option + " ", Problem: shell.Join(command...), Want: err.Error(), Err: err}
	}
	args := command[1:]
	version, err := askVersion(ctx, program, args)
	switch {
	case err != nil:
		return Side{}, err
	case version == 0:
		return Side{Program: driver, Client: append([]string{program}, args...)}, nil
	case version != protocol:
		return Side{}, &checkout.Error{
			Option: "--" + option + " ", Problem: fmt.Sprintf("%s: it speaks protocol %d of the gate, not %d",
				shell.Join(command...), version, protocol),
			Want: "build it with the version of fleetmark that this gate has, or run the gate of that version",
		}
	}
	return Side{Program: program, Args: args}, nil
}

// findProgram returns the absolute path of a program. The error says in a few words why it can't be
// run.
func findProgram(name string) (string, error) {
	if filepath.Base(name) == name {
		found, err := exec.LookPath(name)
		if err != nil {
			return "", errors.New("no such program in PATH")
		}
		return filepath.Abs(found)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("no such file")
	case err != nil:
		return "", err
	case info.IsDir():
		return "", errors.New("it is a directory: want a program")
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", errors.New("the file is not executable: make it so (chmod +x), or name its interpreter first")
	}
	return filepath.Abs(found)
}

// Bounds of the question what a command is.
const (
	askLimit  = 5 * time.Second
	askOutput = 64 << 10 // bytes, of its end
)

// askVersion returns the version of the gate's protocol that a program speaks. It returns 0 if the
// program doesn't say, and an error only if ctx ended.
func askVersion(ctx context.Context, program string, args []string) (int, error) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	cmd := childproc.Command(limited, program, slices.Concat(args, []string{"version", "--json"})...)
	cmd.Stdin = bytes.NewReader(nil)
	out := &childproc.Tail{Limit: askOutput}
	cmd.Stdout = out
	err := cmd.Run()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	var says struct {
		Protocol int `json:"gate_protocol"`
	}
	if err != nil || json.Unmarshal([]byte(out.String()), &says) != nil {
		return 0, nil
	}
	return says.Protocol, nil
}
