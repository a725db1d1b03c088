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

// driverOptions say what pprof's driver shows: a profile, or the difference of two.
type driverOptions struct {
	p    *profile.Profile
	base *profile.Profile // subtracted from p; may be nil

	settings map[string]string // pprof's options that differ from render's

	serve func(*driver.HTTPServerArgs) error // serves the pages
}

// rendering is held while pprof's driver runs. The driver keeps its settings in global variables,
// which two calls at a time would silently mix up.
var rendering = semaphore.NewWeighted(1)

// render has pprof's driver show what o says. The types below replace the driver's access to files,
// tools, the network and the terminal, and allow none of it.
//
// The driver keeps its settings from one call to the next, so every setting that matters is set
// each time, even to its default.
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

// sourceNow and sourceBase name the two profiles to the driver. They aren't file names.
const (
	sourceNow  = "profile"
	sourceBase = "base"
)

// A commandLine takes the place of the command line that pprof's driver parses. An option that
// isn't in settings gets the driver's default.
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

// Parse sets the flags. It returns one source, whose name the fetcher ignores.
func (c *commandLine) Parse(func()) []string {
	for name, value := range c.settings {
		_ = c.Set(name, value) // fails for an option that this pprof doesn't have
	}
	return []string{sourceNow}
}

// A fetcher returns profiles from memory.
type fetcher struct{ p, base *profile.Profile }

func (g fetcher) Fetch(source string, _, _ time.Duration) (*profile.Profile, string, error) {
	// The URL is empty, so the driver takes the profile for a local one and saves no copy.
	if source == sourceBase {
		return g.base, "", nil
	}
	return g.p, "", nil
}

// noFiles keeps the driver from writing files.
type noFiles struct{}

func (noFiles) Open(string) (io.WriteCloser, error) { return nil, errSandboxed }

// noUI is a terminal that shows nothing. Only progress is lost: the driver returns its errors.
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
