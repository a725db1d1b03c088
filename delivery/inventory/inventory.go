// Package inventory reads the devices of a fleet from a file: JSON, JSON Lines or CSV.
//
// What goes in is text, which isn't trusted: every line that doesn't hold a device is reported.
// What comes out is an [Inventory] in memory, which doesn't change. It yields all devices, or those
// with certain labels, a location or a version, as the sequence that a rollout takes. The package
// opens no connection.
package inventory

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

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// An Inventory is a list of devices in memory, for a rollout. It doesn't change after it
// was read, so any number of goroutines may use it.
//
// A file has these fields for each device:
//
//	id        the ID that the device must report; may be missing, see [delivery.Device]
//	address   where it answers: http://HOST[:PORT][/PREFIX] or https://…
//	location  where it stands, in any words
//	version   what it is thought to run
//	labels    names and values, such as "site": "north"
//
// The file is a JSON array of objects, JSON Lines (an object on each line), or CSV (RFC 4180) with
// a header row. In CSV, each label has a column of its own, named label.NAME; a field doesn't go
// over several lines; fields may also be divided by semicolons or tabs; and empty fields at a row's
// end are ignored. All formats are UTF-8, with or without a byte order mark.
//
// A device must have an address. No two devices may have the same ID, and no two without an ID the
// same address, however it is written (http://H1, http://h1:80/). Texts must hold no invisible
// characters, and none that change the direction of text.
type Inventory struct {
	devices    []Entry
	skipped    []*LineError
	errorCount int

	once  sync.Once
	index map[endpoint.Key]uint32 // of each device in devices; made by the first Lookup
}

// An Entry is a device and what an inventory knows of it.
type Entry struct {
	delivery.Device
	// Labels must not be changed, since devices may share it.
	Labels   map[string]string
	Location string
	Version  string
}

// A Filter picks devices that fit all of its fields. The zero value picks every device.
type Filter struct {
	Labels     map[string]string // the device has each of these labels, with the same value
	Location   string
	Version    string
	NotVersion string // any version but this one: the devices that are still to be updated
}

// Match reports whether the filter picks the device.
func (f Filter) Match(d Entry) bool {
	for name, value := range f.Labels {
		if has, ok := d.Labels[name]; !ok || has != value {
			return false
		}
	}
	return (f.Location == "" || d.Location == f.Location) &&
		(f.Version == "" || d.Version == f.Version) &&
		(f.NotVersion == "" || d.Version != f.NotVersion)
}

// Len returns the number of devices.
func (r *Inventory) Len() int { return len(r.devices) }

// All returns all devices, in the order of the file. The sequence may be iterated over any number
// of times, as rollout.Run requires.
func (r *Inventory) All() iter.Seq[delivery.Device] { return r.Select(Filter{}) }

// Select returns the devices that the filter picks, as All does.
func (r *Inventory) Select(f Filter) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for d := range r.Entries(f) {
			if !yield(d.Device) {
				return
			}
		}
	}
}

// Entries returns the devices that the filter picks, with everything that is known of them.
func (r *Inventory) Entries(f Filter) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, d := range r.devices {
			if f.Match(d) && !yield(d) {
				return
			}
		}
	}
}

// Lookup finds a device by its ID, or by its address if it has no ID. It reports whether the
// inventory has the device. The first call makes an index of some 40 bytes for each device.
func (r *Inventory) Lookup(d delivery.Device) (Entry, bool) {
	r.once.Do(func() {
		r.index = make(map[endpoint.Key]uint32, len(r.devices))
		for i, d := range r.devices {
			key, _ := endpoint.Fingerprint(d.ID, d.Address)
			r.index[key] = uint32(i) // at most maxDevices, which fits
		}
	})
	key, _ := endpoint.Fingerprint(d.ID, d.Address)
	i, ok := r.index[key]
	if !ok {
		return Entry{}, false
	}
	return r.devices[i], true
}

// Labels returns a device's labels, or nil if it has none. It is meant for rollout.Options.Labels.
// The map must not be changed, since devices may share it.
func (r *Inventory) Labels(d delivery.Device) map[string]string {
	known, _ := r.Lookup(d)
	return known.Labels
}

// Skipped returns the first lines that were left out because of Options.SkipInvalid, at most
// Options.MaxErrors of them, and how many there were in all.
func (r *Inventory) Skipped() (lines []*LineError, total int) {
	return slices.Clone(r.skipped), r.errorCount
}

// Format is the format of a file of devices.
type Format string

// The formats.
const (
	FormatJSON      Format = "json"  // an array of objects
	FormatJSONLines Format = "jsonl" // an object a line
	FormatCSV       Format = "csv"   // RFC 4180, with a header row
)

// Options say how a file of devices is read. The zero value refuses a file that has any mistake,
// and takes the format from the file's name.
type Options struct {
	// Format of the file. Default: by the name's ending, which is .json, .jsonl, .ndjson or .csv.
	Format Format
	// SkipInvalid leaves bad lines out and keeps the rest; Inventory.Skipped returns the bad ones.
	// It also ignores unknown fields, unless their name differs from that of a known field only in
	// case or space. Without SkipInvalid, any of these mistakes refuses the whole file. A mistake
	// after which the file can't be read any further is an error in both cases.
	SkipInvalid bool
	// MaxDevices bounds the number of devices. Default 2,000,000.
	MaxDevices int
	// MaxLine bounds a line, or an object of a JSON array, in bytes. Default 64 KiB.
	MaxLine int
	// MaxErrors bounds how many bad lines are reported; all are counted. Default 100.
	MaxErrors int
}

const (
	maxDevices = 100_000_000
	maxLine    = 16 << 20
	maxErrors  = 1 << 20
)

func (c Options) withDefaults(name string) Options {
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
	c.MaxDevices, c.MaxLine, c.MaxErrors = cmp.Or(c.MaxDevices, 2_000_000), cmp.Or(c.MaxLine, 64<<10), cmp.Or(c.MaxErrors, 100)
	return c
}

// Validate returns an error with a line for each mistake in the options, or nil if there is none.
func (c Options) Validate() error {
	m := check.Mistakes{Prefix: "registry: "}
	switch c.Format {
	case "", FormatJSON, FormatJSONLines, FormatCSV:
	default:
		m.Add("format %q: want %s, %s or %s", string(c.Format), FormatJSON, FormatJSONLines, FormatCSV)
	}
	check.AtMost(&m, "max devices", c.MaxDevices, maxDevices)
	check.AtMost(&m, "max line", c.MaxLine, maxLine)
	check.AtMost(&m, "max bad", c.MaxErrors, maxErrors)
	return m.Err()
}

// A LineError is the error of a line that doesn't hold a device.
type LineError struct {
	File  string
	Line  int    // from 1, where the field or the device begins; 0 for the whole file
	Field string // as the file names it; empty if no single field is wrong
	Err   error  // what is wrong, and what is wanted
}

// Error returns "FILE:LINE: FIELD: what is wrong".
func (b *LineError) Error() string {
	s := b.File
	if b.Line > 0 {
		s += fmt.Sprintf(":%d", b.Line)
	}
	if b.Field != "" {
		s += ": " + b.Field
	}
	return s + ": " + b.Err.Error()
}

// Unwrap returns Err.
func (b *LineError) Unwrap() error { return b.Err }

// An InvalidError is the error of a file that has bad lines.
type InvalidError struct {
	Bad   []*LineError // the first of them, Options.MaxErrors at most
	Total int
}

// Error returns a line for each of them, and one that says how many more there are.
func (e *InvalidError) Error() string {
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

// Unwrap returns the bad lines.
func (e *InvalidError) Unwrap() []error {
	errs := make([]error, len(e.Bad))
	for i, bad := range e.Bad {
		errs[i] = bad
	}
	return errs
}

// Open reads a file of devices. Its errors are those of Read, or say why the file can't be opened.
func Open(path string, cfg Options) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // its path is added below
		}
		return nil, fmt.Errorf("registry %s: %w", path, err)
	}
	r, err := Read(f, path, cfg)
	_ = f.Close() // it was only read
	return r, err
}

// Read reads devices from r to its end. Errors refer to r by name. The error is a *InvalidError if
// lines are bad, a *LineError if Read can't go on after a line, or that of r.
func Read(r io.Reader, name string, cfg Options) (*Inventory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults(name)
	if cfg.Format == "" {
		return nil, fmt.Errorf("registry %s: want a name that ends in .json, .jsonl, .ndjson or .csv, or a format", name)
	}
	l := newLoader(name, cfg)
	if err := l.load(r); err != nil {
		return nil, err
	}
	if l.inventory.errorCount > 0 && !cfg.SkipInvalid {
		return nil, &InvalidError{Bad: l.inventory.skipped, Total: l.inventory.errorCount}
	}
	l.inventory.devices = slices.Clip(l.inventory.devices)
	return l.inventory, nil
}
