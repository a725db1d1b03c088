package view

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
	"golang.org/x/sync/semaphore"
)

// driverOptions are what pprof's own driver shows of a profile, or of two.
type driverOptions struct {
	p    *profile.Profile
	base *profile.Profile // subtracted from p; may be nil

	settings map[string]string // pprof's options that differ from render's

	serve func(*driver.HTTPServerArgs) error // of the pages
}

// rendering is held by who uses pprof's driver. It has one set of settings a process, and two users
// at a time would mix them up in silence.
var rendering = semaphore.NewWeighted(1)

// render has pprof's driver show what o says. Each way out of the driver (files, tools, the
// network, the terminal) is one of the types below, which lead nowhere.
//
// The driver keeps its settings from one call to the next, so each one that matters is given every
// time, defaults too.
func render(ctx context.Context, o driverOptions) error {
	flags := &commandLine{FlagSet: flag.NewFlagSet("pprof", flag.ContinueOnError), settings: map[string]string{
		"flat": "true", "cum": "false", "functions": "true", "lines": "false", "trim": "true", "normalize": "false",
		"call_tree": "false", "relative_percentages": "false", "noinlines": "false", "compact_labels": "false",
		"drop_negative": "false", "nodecount": "-1", "nodefraction": fmt.Sprint(nodeFraction),
		"edgefraction": fmt.Sprint(edgeFraction), "divide_by": "1",
		"output": "", "sample_index": "", "unit": "minimum",
		"focus": "", "ignore": "", "hide": "", "show": "", "show_from": "", "prune_from": "",
		"tagfocus": "", "tagignore": "", "tagshow": "", "taghide": "", "tagroot": "", "tagleaf": "",
		"no_browser": "true", "http": "127.0.0.1:0",
	}}
	maps.Copy(flags.settings, o.settings)
	if o.base != nil {
		flags.base = []*string{new(sourceBase)}
	}
	if rendering.Acquire(ctx, 1) != nil {
		return context.Cause(ctx)
	}
	defer rendering.Release(1)

	return driver.PProf(&driver.Options{
		Flagset:       flags,
		Fetch:         fetcher{o.p, o.base},
		Writer:        noFiles{},
		UI:            noUI{},
		Obj:           noTools{},
		HTTPServer:    o.serve,
		HTTPTransport: noNetwork{},
	})
}

// sourceNow and sourceBase name the two profiles to the driver. They are no files.
const (
	sourceNow  = "profile"
	sourceBase = "base"
)

// commandLine stands for the command line that pprof's driver parses. The driver takes its own
// default of what settings doesn't hold.
type commandLine struct {
	*flag.FlagSet
	settings map[string]string
	base     []*string // of -diff_base
}

func (*commandLine) ExtraUsage() string   { return "" }
func (*commandLine) AddExtraUsage(string) {}

func (c *commandLine) StringList(name, _, _ string) *[]*string {
	if name == "diff_base" {
		return &c.base
	}
	return new([]*string)
}

// Parse sets the flags. It returns one source, whose name the fetcher doesn't use.
func (c *commandLine) Parse(func()) []string {
	for name, value := range c.settings {
		_ = c.Set(name, value) // fails for an option that this pprof doesn't have
	}
	return []string{sourceNow}
}

// A fetcher returns profiles in memory.
type fetcher struct{ p, base *profile.Profile }

func (g fetcher) Fetch(source string, _, _ time.Duration) (*profile.Profile, string, error) {
	// No URL: it wasn't fetched from elsewhere, so the driver saves no copy of it.
	if source == sourceBase {
		return g.base, "", nil
	}
	return g.p, "", nil
}

// noFiles keeps the driver from writing files.
type noFiles struct{}

func (noFiles) Open(string) (io.WriteCloser, error) { return nil, errSandboxed }

// noUI is a terminal that shows nothing: the driver prints progress, and returns its errors.
type noUI struct{}

func (noUI) Print(...any)                        {}
func (noUI) PrintErr(...any)                     {}
func (noUI) ReadLine(string) (string, error)     { return "", io.EOF }
func (noUI) IsTerminal() bool                    { return false }
func (noUI) WantBrowser() bool                   { return false }
func (noUI) SetAutoComplete(func(string) string) {}

var errSandboxed = errors.New("pprof works on the profile alone here")

// noTools keeps the driver from running binutils: Go profiles hold their symbols.
type noTools struct{}

func (noTools) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errSandboxed
}

func (noTools) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errSandboxed
}

// noNetwork keeps the driver from fetching profiles or symbols.
type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errSandboxed }
