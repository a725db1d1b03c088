package profiles

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
)

// renderTop has pprof's own driver print p. The driver is shut in: it is handed the
// profile and a writer, and every other way out (files, tools, the network, the
// terminal) is one of the types below.
func renderTop(ctx context.Context, w io.Writer, p *profile.Profile, opts TopOptions) error {
	sort := "flat"
	if opts.Cumulative {
		sort = "cum"
	}
	// The driver keeps its settings from one call to the next, so each one that matters
	// is given every time, defaults too.
	flags := &flagSet{
		bools:   map[string]bool{"top": true, sort: true, "functions": true, "trim": true},
		ints:    map[string]int{"nodecount": opts.lines()},
		floats:  map[string]float64{"nodefraction": nodeFraction, "divide_by": 1},
		strings: map[string]string{"output": "report", "sample_index": opts.SampleIndex, "unit": "minimum"},
	}
	if err := rendering.acquire(ctx); err != nil {
		return err
	}
	defer rendering.release()

	return driver.PProf(&driver.Options{
		Flagset:       flags,
		Fetch:         given{p},
		Writer:        sink{w},
		UI:            silent{},
		Obj:           noTools{},
		HTTPTransport: noNetwork{},
	})
}

// flagSet is a command line that was never text: the driver's defaults, but for what
// the maps hold.
type flagSet struct {
	bools   map[string]bool
	ints    map[string]int
	floats  map[string]float64
	strings map[string]string
}

func (f *flagSet) Bool(name string, def bool, _ string) *bool   { return flag(f.bools, name, def) }
func (f *flagSet) Int(name string, def int, _ string) *int      { return flag(f.ints, name, def) }
func (f *flagSet) String(name, def string, _ string) *string    { return flag(f.strings, name, def) }
func (f *flagSet) ExtraUsage() string                           { return "" }
func (f *flagSet) AddExtraUsage(string)                         {}
func (f *flagSet) StringList(string, string, string) *[]*string { return new([]*string) }

func (f *flagSet) Float64(name string, def float64, _ string) *float64 {
	return flag(f.floats, name, def)
}

// Parse answers the sources: one, for the fetcher, whose name is never used.
func (f *flagSet) Parse(func()) []string { return []string{"profile"} }

func flag[T any](set map[string]T, name string, def T) *T {
	if v, ok := set[name]; ok {
		return &v
	}
	return &def
}

// given is a fetcher of the one profile that is at hand.
type given struct{ p *profile.Profile }

func (g given) Fetch(string, time.Duration, time.Duration) (*profile.Profile, string, error) {
	// No URL: it wasn't fetched from elsewhere, so the driver saves no copy of it.
	return g.p, "", nil
}

// sink is where the driver writes its report, whatever it calls the file.
type sink struct{ w io.Writer }

func (s sink) Open(string) (io.WriteCloser, error) { return keepOpen{s.w}, nil }

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

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
