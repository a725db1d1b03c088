// Package project finds the source tree that a command runs in, and reads its fleetmark.yaml.
//
// Its input is a directory. Its output is the root of the module around it, and the [Config] in the
// root's fleetmark.yaml: which Go benchmarks a baseline page measures, the limits of its figures,
// and the tests that enforce them. The file is read strictly: an unknown key or a wrong value is a
// [ConfigError] with its line and column, never a setting that silently does nothing. Without a
// file the Config is empty. [Revision] returns the revision that the running program was built
// from.
//
// The package measures nothing, and doesn't read or write baseline pages.
package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// ConfigFile is the name of the configuration, at the root of a project.
const ConfigFile = "fleetmark.yaml"

// maxConfigBytes bounds a configuration.
const maxConfigBytes = 256 << 10

// A Project is a source tree. The zero value means that there is none.
type Project struct {
	Root   string // absolute path of the nearest directory with a go.mod or a git repository
	Module string // path of the module; empty if the root has no go.mod
	File   string // path of the configuration for messages; empty if there is none
	Config Config
}

// Find returns the project that contains dir, with its configuration. It returns the zero Project
// if dir is in neither a module nor a git repository. An error about the configuration joins a
// [*ConfigError] for each mistake.
func Find(dir string) (Project, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Project{}, err
	}
	var p Project
	if p.Root, p.Module, err = Module(dir); err != nil {
		return Project{}, err
	}
	repository, err := Repository(dir)
	if err != nil {
		return Project{}, err
	}
	if len(repository) > len(p.Root) { // a module around the repository is no part of it
		p.Root, p.Module = repository, ""
	}
	if p.Root == "" {
		return Project{}, nil
	}
	path := filepath.Join(p.Root, ConfigFile)
	shown, err := filepath.Rel(dir, path)
	if err != nil {
		shown = path
	}
	text, err := readConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		problem := withoutPath(err).Error() + ": want a file that can be read"
		return Project{}, &ConfigError{File: shown, Problem: problem, Err: err}
	}
	p.File = shown
	p.Config, err = ParseConfig(shown, text)
	return p, err
}

// OwnFunctions returns prefixes of the names of the functions of the project's client: those that
// its configuration lists, or else those of its module and of its program.
func (p Project) OwnFunctions() []string {
	switch {
	case len(p.Config.Client.Own) > 0:
		return p.Config.Client.Own
	case p.Module != "":
		return []string{p.Module + ".", p.Module + "/", "main."}
	}
	return []string{"main."}
}

// ClientFunctions returns prefixes of the names of the functions in the packages that the gate
// compares. It returns nil if the configuration names no packages.
func (p Project) ClientFunctions() []string {
	var all []string
	for _, pattern := range p.Config.Client.Packages {
		dir, below := strings.CutSuffix(pattern, "/...")
		name := path.Join(p.Module, dir)
		all = append(all, name+".")
		if below {
			all = append(all, name+"/")
		}
	}
	return all
}

// GateScenarios returns the scenarios that the gate measures: names, and files as paths from the
// directory that [Find] was given.
func (p Project) GateScenarios() []string { return p.scenarios(p.Config.Gate.Scenarios) }

// BaselineScenarios returns the scenarios of the baseline page, as GateScenarios does those of the
// gate.
func (p Project) BaselineScenarios() []string { return p.scenarios(p.Config.Baseline.Scenarios) }

func (p Project) scenarios(configured []string) []string {
	var names []string
	for _, name := range configured {
		if info, err := os.Stat(filepath.Join(p.Root, name)); err == nil && info.Mode().IsRegular() {
			name = filepath.Join(filepath.Dir(p.File), name)
		}
		names = append(names, name)
	}
	return names
}

// Module returns the nearest directory with a go.mod, which is dir or above it, and the path of its
// module. It returns empty strings if there is none.
func Module(dir string) (root, name string, err error) {
	if root, err = above(dir, "go.mod"); err != nil || root == "" {
		return "", "", err
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", "", err
	}
	return root, modfile.ModulePath(text), nil
}

// Repository returns the root of the git repository that contains dir, or "" if there is none.
func Repository(dir string) (string, error) { return above(dir, ".git") }

// above returns the nearest directory that holds name, which is dir or above it. It returns "" if
// there is none.
func above(dir, name string) (string, error) {
	for {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(text) > maxConfigBytes {
		err = fmt.Errorf("is over %d KiB", maxConfigBytes>>10)
	}
	return plaintext.Decode(text), err
}

// withoutPath returns the cause of an error, without the path of the file.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Config is the content of a fleetmark.yaml. The zero value stands for a project without one.
type Config struct {
	Benchmarks   []Benchmarks
	Units        map[string]Unit // units of b.ReportMetric, by name
	Targets      []Target
	AntiPatterns []AntiPattern
	Commands     []Command
	Client       Client
	Gate         Gate
	Baseline     Baseline
}

// A Client is the project's own delivery client, which the gate measures. The zero value means that
// there is none.
type Client struct {
	// Build is a command for a shell. It runs at the root, and writes a program to the file that {out}
	// stands for: the one that drives the client or, with Command, the client. With Command it may
	// also leave what it builds in the tree, or be empty.
	Build string
	// Packages are patterns of Go packages, such as ./delivery/..., that the gate compares. If there
	// are any, all else that the program is built from is the working tree's on both sides.
	Packages []string
	// Command is the program and the arguments of a client that is a process, for scenarios without a
	// command of their own. It runs at the root. {out} stands for the program that Build writes.
	Command []string
	// Own are prefixes of the names of functions that may be the cause of a regression. If there are
	// none, they are those of the module, and of the program's package main.
	Own []string
}

// IsZero reports whether there is no client.
func (c Client) IsZero() bool { return c.Build == "" && c.Command == nil }

// Gate says what `fleetmark gate` measures.
type Gate struct {
	Scenarios []string // names or files, relative to the root, if none are named on the command line

	// Tolerances are the smallest relative changes that count, of metrics for which it isn't the
	// usual one.
	Tolerances []Tolerance
}

// A Tolerance is the smallest relative change of a metric that counts.
type Tolerance struct {
	Metric string
	Share  float64 // 0.05 for 5%
	Where  string  // the position of the entry, FILE:LINE:COLUMN, and its key
}

// Baseline says what `fleetmark baseline` measures, besides what is in the rest of the configuration.
type Baseline struct {
	Scenarios []string // names or files, relative to the root, that later runs are compared with
}

// Better returns which way is better for the metrics in Units: +1 if more is, -1 if less is.
func (c Config) Better() map[string]int {
	better := map[string]int{}
	for name, u := range c.Units {
		if better[name] = -1; u.HigherIsBetter {
			better[name] = +1
		}
	}
	return better
}

// BenchmarkPackages returns the packages whose benchmarks are measured, as arguments of go test at
// the root.
func (c Config) BenchmarkPackages() (packages []string) {
	for _, b := range c.Benchmarks {
		packages = append(packages, b.Packages...)
	}
	return packages
}

// Benchmarks are Go benchmarks that one go test command measures for the baseline page.
type Benchmarks struct {
	Packages []string // arguments of go test, relative to the root
	Run      string   // the regular expression for -bench
	Skip     string   // the regular expression for -skip, or ""
	Count    int      // samples per benchmark

	// References maps a benchmark to one that does the least possible work for the same task, both
	// without "Benchmark": {Push: ReferenceBareSockets}. Their ratio means the same on any machine.
	References map[string]string

	Where string // the position of the entry, FILE:LINE:COLUMN
}

// A Unit describes a metric that benchmarks report themselves.
type Unit struct {
	HigherIsBetter bool
}

// A Target limits a figure of the baseline page.
type Target struct {
	Name string

	// Figure names a figure of a section as "SECTION/FIGURE", or the median of a scenario's metric
	// as "SCENARIO OPERATION METRIC".
	Figure     string
	Limit      Limit
	EnforcedBy string // the test, PACKAGE.TestName, or the file that enforces it on every commit; may be empty

	// Machine is part of the name of the processor that the target is for. On any other processor
	// the page shows the figure beside the target without judging it. If Machine is empty, it
	// judges the figure on every processor.
	Machine string
}

// An AntiPattern is a mistake that is easily made, and the tests that fail when somebody makes it.
type AntiPattern struct {
	Name  string
	Tests []string // PACKAGE.TestName, where PACKAGE is relative to the root
}

// A Command tells readers of the page how to measure something again.
type Command struct {
	Name string   // what it measures
	Run  []string // lines for a shell
}

// A Limit is a closed range of values.
type Limit struct {
	Low, High float64 // an infinity if the range has no such end
	Form      Form    // how values are written
}

// Holds reports whether v is within the limit.
func (l Limit) Holds(v float64) bool { return l.Low <= v && v <= l.High }

// Text returns the limit for people, such as "≤ 8 MiB". format formats one of its ends.
func (l Limit) Text(format func(float64) string) string {
	switch {
	case l.Low == l.High:
		return format(l.Low)
	case math.IsInf(l.Low, -1):
		return "≤ " + format(l.High)
	case math.IsInf(l.High, 1):
		return "≥ " + format(l.Low)
	}
	return format(l.Low) + " to " + format(l.High)
}

// A Form is how a value is written: the unit that its limit has in the configuration.
type Form string

// The forms. A value is a plain number, bytes in powers of 1024 or of 1000, nanoseconds, percent,
// or a multiple of something.
const (
	FormNumber       Form = ""
	FormBytes        Form = "bytes"
	FormDecimalBytes Form = "decimal bytes"
	FormDuration     Form = "duration"
	FormPercent      Form = "percent"
	FormFactor       Form = "factor"
)

// sizes returns the units that a quantity may have. The first whose suffix fits is used.
func sizes() []sizedUnit {
	return []sizedUnit{
		{"KiB", FormBytes, 1 << 10},
		{"MiB", FormBytes, 1 << 20},
		{"GiB", FormBytes, 1 << 30},
		{"kB", FormDecimalBytes, 1e3},
		{"MB", FormDecimalBytes, 1e6},
		{"GB", FormDecimalBytes, 1e9},
		{"B", FormDecimalBytes, 1},
		{"ns", FormDuration, 1},
		{"µs", FormDuration, 1e3}, // the micro sign
		{"μs", FormDuration, 1e3}, // the Greek letter
		{"us", FormDuration, 1e3},
		{"ms", FormDuration, 1e6},
		{"s", FormDuration, 1e9},
		{"%", FormPercent, 1},
		{"x", FormFactor, 1},
	}
}

type sizedUnit struct {
	suffix string
	form   Form
	size   float64
}

// parseQuantity parses a number with an optional unit, such as 0.01, 8MiB, 35µs, 3% or 1.15x.
func parseQuantity(text string) (v float64, form Form, ok bool) {
	number, size := text, 1.0
	for _, u := range sizes() {
		if rest, found := strings.CutSuffix(text, u.suffix); found {
			number, form, size = strings.TrimSpace(rest), u.form, u.size
			break
		}
	}
	v, ok = parseDecimal(number)
	return v * size, form, ok
}

// UnknownRevision is the revision of a program whose source isn't known.
const UnknownRevision = "unknown"

// Revision returns the revision of the source that the running program was built from: what the
// build recorded or, under go run, the commit of the checkout around the current directory. It ends
// in +dirty if the source differs from that revision.
func Revision(ctx context.Context) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return UnknownRevision
	}
	if rev := buildRevision(info); rev != "" {
		return rev
	}
	dir, err := os.Getwd()
	if err != nil {
		return UnknownRevision
	}
	return checkoutRevision(ctx, dir, info.Main.Path)
}

// buildRevision returns what the build recorded: a commit, or the version of a module that was
// installed by version. It returns "" if the build recorded neither.
func buildRevision(info *debug.BuildInfo) string {
	var rev, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	switch {
	case rev != "":
		return rev + dirty
	case info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return ""
}

// checkoutRevision returns the commit of the checkout that contains dir, if module is at its root.
// It returns UnknownRevision in another project, whose history says nothing about this program.
func checkoutRevision(ctx context.Context, dir, module string) string {
	dir, found, err := Module(dir)
	if err != nil || found != module {
		return UnknownRevision
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if below, err := git(ctx, dir, "rev-parse", "--show-prefix"); err != nil || below != "" {
		return UnknownRevision
	}
	rev, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return UnknownRevision
	}
	if changed, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		rev += "+dirty"
	}
	return rev
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return childproc.Output(ctx, dir, "git", args...)
}
