package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Registry is a list of devices in memory: read from a file, filtered, and handed to a [Rollout].
// It doesn't change after it was read, so it may be used by any number of goroutines.
//
// The files that it reads have, for each device:
//
//	id        who it must say it is; may be missing, see [Device]
//	address   where it answers: http://HOST[:PORT][/PREFIX] or https://…
//	location  where it stands, in any words
//	version   what it is thought to run
//	labels    names and values, such as "site": "north"
//
// as a JSON array of objects, as JSON lines (an object a line), or as CSV (RFC 4180)
// with a header row, where a label has a column of its own that is named label.NAME
// and a field is on one line. Its fields may be divided by semicolons or tabs as well, and
// empty ones at a row's end don't count. All of them are UTF-8, with a byte order mark or
// without. A device must have an address; no two may have the same ID, or the same address,
// however it is written (http://H1, http://h1:80/), where they have none. Texts hold no
// character that can't be seen or that turns the text around.
type Registry struct {
	devices []RegisteredDevice
	bad     []*BadLine
	numBad  int

	once  sync.Once
	index map[deviceKey]uint32 // a device's place; made when one is first looked up
}

// RegisteredDevice is a device with what a registry knows of it.
type RegisteredDevice struct {
	Device
	// Labels may be shared between devices: don't change it.
	Labels   map[string]string
	Location string
	Version  string
}

// Filter picks devices. Everything that it names must be so; the zero value picks all of them.
type Filter struct {
	Labels     map[string]string // each of these, with this value
	Location   string
	Version    string
	NotVersion string // any but this one: what is still to be updated
}

// Match reports whether the filter picks the device.
func (f Filter) Match(d RegisteredDevice) bool {
	for name, value := range f.Labels {
		if has, ok := d.Labels[name]; !ok || has != value {
			return false
		}
	}
	return (f.Location == "" || d.Location == f.Location) &&
		(f.Version == "" || d.Version == f.Version) &&
		(f.NotVersion == "" || d.Version != f.NotVersion)
}

// Len is the number of devices.
func (r *Registry) Len() int { return len(r.devices) }

// All gives every device, in the order of the file. It can be gone through any
// number of times, as [Rollout.Run] wants it.
func (r *Registry) All() iter.Seq[Device] { return r.Match(Filter{}) }

// Match gives the devices that the filter picks, likewise.
func (r *Registry) Match(f Filter) iter.Seq[Device] {
	return func(yield func(Device) bool) {
		for d := range r.Registered(f) {
			if !yield(d.Device) {
				return
			}
		}
	}
}

// Registered gives them with what is known of them.
func (r *Registry) Registered(f Filter) iter.Seq[RegisteredDevice] {
	return func(yield func(RegisteredDevice) bool) {
		for _, d := range r.devices {
			if f.Match(d) && !yield(d) {
				return
			}
		}
	}
}

// Lookup returns what is known of a device, by its ID, or by its address where it has
// none. The first call makes an index of some 40 bytes a device.
func (r *Registry) Lookup(d Device) (RegisteredDevice, bool) {
	r.once.Do(func() {
		r.index = make(map[deviceKey]uint32, len(r.devices))
		for i, d := range r.devices {
			key, _ := fingerprint(d.Device)
			r.index[key] = uint32(i) // maxRegistryDevices fits
		}
	})
	key, _ := fingerprint(d)
	i, ok := r.index[key]
	if !ok {
		return RegisteredDevice{}, false
	}
	return r.devices[i], true
}

// Labels returns a device's labels, or nil if it has none: see RolloutConfig.Labels. They
// may be shared between devices: don't change them.
func (r *Registry) Labels(d Device) map[string]string {
	known, _ := r.Lookup(d)
	return known.Labels
}

// Bad gives the lines that were left out (RegistryConfig.KeepGoing): at most as many
// as MaxBad, and how many there were in all.
func (r *Registry) Bad() (lines []*BadLine, total int) { return slices.Clone(r.bad), r.numBad }

// RegistryFormat names how a file of devices is written.
type RegistryFormat string

// The formats.
const (
	FormatJSON      RegistryFormat = "json"  // an array of objects
	FormatJSONLines RegistryFormat = "jsonl" // an object a line
	FormatCSV       RegistryFormat = "csv"   // RFC 4180, with a header row
)

// RegistryConfig says how a file of devices is read. The zero value is strict and
// takes the format from the file's name.
type RegistryConfig struct {
	// Format of the file. Default: by the name's ending, which is .json, .jsonl, .ndjson or .csv.
	Format RegistryFormat
	// KeepGoing leaves bad lines out and keeps the rest; Registry.Bad says which they
	// were. Fields that a device doesn't have are ignored then, unless their name is that
	// of one that it has but for case or space. Otherwise any of these refuses the whole
	// file. What can't be gone on after is an error either way.
	KeepGoing bool
	// MaxDevices bounds the file. Default 2,000,000.
	MaxDevices int
	// MaxLine bounds a line, or an object of a JSON array, in bytes. Default 64 KiB.
	MaxLine int
	// MaxBad bounds how many bad lines are told of; all are counted. Default 100.
	MaxBad int
}

const (
	maxRegistryDevices = 100_000_000
	maxRegistryLine    = 16 << 20
	maxRegistryBad     = 1 << 20
)

func (c RegistryConfig) withDefaults(name string) RegistryConfig {
	if c.Format == "" {
		switch strings.ToLower(filepath.Ext(name)) {
		case ".json":
			c.Format = FormatJSON
		case ".jsonl", ".ndjson":
			c.Format = FormatJSONLines
		case ".csv":
			c.Format = FormatCSV
		}
	}
	c.MaxDevices, c.MaxLine, c.MaxBad = cmp.Or(c.MaxDevices, 2_000_000), cmp.Or(c.MaxLine, 64<<10), cmp.Or(c.MaxBad, 100)
	return c
}

// Validate reports everything that is wrong with the configuration, a line each.
func (c RegistryConfig) Validate() error {
	m := mistakes{of: "registry: "}
	switch c.Format {
	case "", FormatJSON, FormatJSONLines, FormatCSV:
	default:
		m.add("format %q: want %s, %s or %s", string(c.Format), FormatJSON, FormatJSONLines, FormatCSV)
	}
	checkMost(&m, "max devices", c.MaxDevices, maxRegistryDevices)
	checkMost(&m, "max line", c.MaxLine, maxRegistryLine)
	checkMost(&m, "max bad", c.MaxBad, maxRegistryBad)
	return m.err()
}

// BadLine is a line that doesn't hold a device.
type BadLine struct {
	File  string
	Line  int    // from 1, where the field or the device begins; 0 where the whole file is meant
	Field string // as the file names it; empty if it isn't about one
	Err   error  // what is wrong, and what is wanted
}

// Error is FILE:LINE: FIELD: what is wrong.
func (b *BadLine) Error() string {
	s := b.File
	if b.Line > 0 {
		s += fmt.Sprintf(":%d", b.Line)
	}
	if b.Field != "" {
		s += ": " + b.Field
	}
	return s + ": " + b.Err.Error()
}

// Unwrap gives what is wrong.
func (b *BadLine) Unwrap() error { return b.Err }

// RegistryError refuses a file that has bad lines.
type RegistryError struct {
	Bad   []*BadLine // the first of them, RegistryConfig.MaxBad at most
	Total int
}

// Error has a line for each, and says how many more there are.
func (e *RegistryError) Error() string {
	var b strings.Builder
	for i, bad := range e.Bad {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(bad.Error())
	}
	if more := e.Total - len(e.Bad); more > 0 {
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// Unwrap gives the bad lines.
func (e *RegistryError) Unwrap() []error {
	errs := make([]error, len(e.Bad))
	for i, bad := range e.Bad {
		errs[i] = bad
	}
	return errs
}

// OpenRegistry reads a file of devices.
func OpenRegistry(path string, cfg RegistryConfig) (*Registry, error) {
	f, err := os.Open(path)
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // the path is named once
		}
		return nil, fmt.Errorf("registry %s: %w", path, err)
	}
	r, err := ReadRegistry(f, path, cfg)
	// Nothing was written: that a file can't be closed says nothing about the devices.
	_ = f.Close()
	return r, err
}

// ReadRegistry reads devices from r to its end; name is what errors call it. Its error is a
// *RegistryError where lines are bad, a *BadLine where it can't go on after one, or the reader's.
func ReadRegistry(r io.Reader, name string, cfg RegistryConfig) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults(name)
	if cfg.Format == "" {
		return nil, fmt.Errorf("registry %s: want a name that ends in .json, .jsonl, .ndjson or .csv, or a format", name)
	}
	l := newRegistryLoader(name, cfg)
	if err := l.load(r); err != nil {
		return nil, err
	}
	if l.reg.numBad > 0 && !cfg.KeepGoing {
		return nil, &RegistryError{Bad: l.reg.bad, Total: l.reg.numBad}
	}
	l.reg.devices = slices.Clip(l.reg.devices)
	return l.reg, nil
}
