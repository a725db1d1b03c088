package profiles

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
)

// A view is what pprof's own driver is to make of a profile, or of two.
type view struct {
	p    *profile.Profile
	base *profile.Profile // is taken away from p; nil: none

	bools   map[string]bool
	strings map[string]string

	serve func(*driver.HTTPServerArgs) error // of the pages
}

// render has pprof's driver show v. The driver is shut in: it is handed the profiles, and every
// way out (files, tools, the network, the terminal) is one of the types below.
//
// The driver keeps its settings from one call to the next, so each one that matters is given every
// time, defaults too.
func render(ctx context.Context, v view) error {
	flags := &flagSet{
		bools: map[string]bool{
			"flat": true, "cum": false, "functions": true, "lines": false, "trim": true, "normalize": false,
			"call_tree": false, "relative_percentages": false, "noinlines": false, "compact_labels": false, "drop_negative": false,
		},
		ints:   map[string]int{"nodecount": -1},
		floats: map[string]float64{"nodefraction": nodeFraction, "edgefraction": edgeFraction, "divide_by": 1},
		strings: map[string]string{
			"output": "", "sample_index": "", "unit": "minimum",
			"focus": "", "ignore": "", "hide": "", "show": "", "show_from": "", "prune_from": "",
			"tagfocus": "", "tagignore": "", "tagshow": "", "taghide": "", "tagroot": "", "tagleaf": "",
		},
	}
	maps.Copy(flags.bools, v.bools)
	maps.Copy(flags.strings, v.strings)
	if v.base != nil {
		flags.lists = map[string]string{"diff_base": sourceBase}
	}
	if err := rendering.acquire(ctx); err != nil {
		return err
	}
	defer rendering.release()

	return driver.PProf(&driver.Options{
		Flagset:       flags,
		Fetch:         given{v.p, v.base},
		Writer:        noFiles{},
		UI:            silent{},
		Obj:           noTools{},
		HTTPServer:    v.serve,
		HTTPTransport: noNetwork{},
	})
}

// sourceNow and sourceBase are what the two profiles are called; they are never the name of a file.
const (
	sourceNow  = "profile"
	sourceBase = "base"
)

// flagSet is a command line that was never text: the driver's defaults, but for what the maps hold.
type flagSet struct {
	bools   map[string]bool
	ints    map[string]int
	floats  map[string]float64
	strings map[string]string
	lists   map[string]string
}

func (f *flagSet) Bool(name string, def bool, _ string) *bool { return flag(f.bools, name, def) }
func (f *flagSet) Int(name string, def int, _ string) *int    { return flag(f.ints, name, def) }
func (f *flagSet) String(name, def string, _ string) *string  { return flag(f.strings, name, def) }
func (f *flagSet) ExtraUsage() string                         { return "" }
func (f *flagSet) AddExtraUsage(string)                       {}

func (f *flagSet) StringList(name, _, _ string) *[]*string {
	var list []*string
	if v, ok := f.lists[name]; ok {
		list = append(list, &v)
	}
	return &list
}

func (f *flagSet) Float64(name string, def float64, _ string) *float64 {
	return flag(f.floats, name, def)
}

// Parse answers the sources: one, for the fetcher, whose name is never used.
func (f *flagSet) Parse(func()) []string { return []string{sourceNow} }

func flag[T any](set map[string]T, name string, def T) *T {
	if v, ok := set[name]; ok {
		return &v
	}
	return &def
}

// given is a fetcher of the profiles that are at hand.
type given struct{ p, base *profile.Profile }

func (g given) Fetch(source string, _, _ time.Duration) (*profile.Profile, string, error) {
	// No URL: it wasn't fetched from elsewhere, so the driver saves no copy of it.
	if source == sourceBase {
		return g.base, "", nil
	}
	return g.p, "", nil
}

// noFiles keeps the driver from writing files.
type noFiles struct{}

func (noFiles) Open(string) (io.WriteCloser, error) { return nil, errShutIn }

// silent is a terminal that isn't there. What the driver would tell it is progress; what
// fails comes back as an error.
type silent struct{}

func (silent) Print(...any)                        {}
func (silent) PrintErr(...any)                     {}
func (silent) ReadLine(string) (string, error)     { return "", io.EOF }
func (silent) IsTerminal() bool                    { return false }
func (silent) WantBrowser() bool                   { return false }
func (silent) SetAutoComplete(func(string) string) {}

var errShutIn = errors.New("pprof works on the profile alone here")

// noTools keeps the driver from running binutils: Go profiles hold their symbols.
type noTools struct{}

func (noTools) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errShutIn
}

func (noTools) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errShutIn
}

// noNetwork keeps the driver from fetching profiles or symbols.
type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, errShutIn }
