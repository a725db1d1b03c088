// Package inventory reads the devices of a fleet from a file: JSON, JSON Lines or CSV. It gives
// them, whole or filtered by label, location or version, as the sequence that a rollout takes.
//
// What goes in: text, of which nothing is trusted; each line that holds no device is named. What comes
// out: an [Inventory] in memory, which doesn't change. It opens no connection.
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

// Inventory is a list of devices in memory: read from a file, filtered, and handed to a [delivery.Rollout].
// It doesn't change after it was read, so it may be used by any number of goroutines.
//
// The files that it reads have, for each device:
//
//	id        who it must say it is; may be missing, see [delivery.Device]
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
type Inventory struct {
	devices    []Entry
	skipped    []*LineError
	errorCount int

	once  sync.Once
	index map[endpoint.Key]uint32 // a device's place; made when one is first looked up
}

// Entry is a device with what an inventory knows of it.
type Entry struct {
	delivery.Device
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

// Len is the number of devices.
func (r *Inventory) Len() int { return len(r.devices) }

// All gives every device, in the order of the file. It can be gone through any
// number of times, as [delivery.Rollout.Run] wants it.
func (r *Inventory) All() iter.Seq[delivery.Device] { return r.Select(Filter{}) }

// Select gives the devices that the filter picks, likewise.
func (r *Inventory) Select(f Filter) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for d := range r.Entries(f) {
			if !yield(d.Device) {
				return
			}
		}
	}
}

// Entries gives them with what is known of them.
func (r *Inventory) Entries(f Filter) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, d := range r.devices {
			if f.Match(d) && !yield(d) {
				return
			}
		}
	}
}

// Lookup returns what is known of a device, by its ID, or by its address where it has
// none. The first call makes an index of some 40 bytes a device.
func (r *Inventory) Lookup(d delivery.Device) (Entry, bool) {
	r.once.Do(func() {
		r.index = make(map[endpoint.Key]uint32, len(r.devices))
		for i, d := range r.devices {
			key, _ := endpoint.Fingerprint(d.ID, d.Address)
			r.index[key] = uint32(i) // maxDevices fits
		}
	})
	key, _ := endpoint.Fingerprint(d.ID, d.Address)
	i, ok := r.index[key]
	if !ok {
		return Entry{}, false
	}
	return r.devices[i], true
}

// Labels returns a device's labels, or nil if it has none: see RolloutConfig.Labels. They
// may be shared between devices: don't change them.
func (r *Inventory) Labels(d delivery.Device) map[string]string {
	known, _ := r.Lookup(d)
	return known.Labels
}

// Skipped gives the lines that were left out (Options.SkipInvalid): at most as many
// as MaxErrors, and how many there were in all.
func (r *Inventory) Skipped() (lines []*LineError, total int) {
	return slices.Clone(r.skipped), r.errorCount
}

// Format names how a file of devices is written.
type Format string

// The formats.
const (
	FormatJSON      Format = "json"  // an array of objects
	FormatJSONLines Format = "jsonl" // an object a line
	FormatCSV       Format = "csv"   // RFC 4180, with a header row
)

// Options says how a file of devices is read. The zero value is strict and
// takes the format from the file's name.
type Options struct {
	// Format of the file. Default: by the name's ending, which is .json, .jsonl, .ndjson or .csv.
	Format Format
	// SkipInvalid leaves bad lines out and keeps the rest; Inventory.Skipped says which they
	// were. Fields that a device doesn't have are ignored then, unless their name is that
	// of one that it has but for case or space. Otherwise any of these refuses the whole
	// file. What can't be gone on after is an error either way.
	SkipInvalid bool
	// MaxDevices bounds the file. Default 2,000,000.
	MaxDevices int
	// MaxLine bounds a line, or an object of a JSON array, in bytes. Default 64 KiB.
	MaxLine int
	// MaxErrors bounds how many bad lines are told of; all are counted. Default 100.
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

// Validate reports everything that is wrong with the configuration, a line each.
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

// LineError is a line that doesn't hold a device.
type LineError struct {
	File  string
	Line  int    // from 1, where the field or the device begins; 0 where the whole file is meant
	Field string // as the file names it; empty if it isn't about one
	Err   error  // what is wrong, and what is wanted
}

// Error is FILE:LINE: FIELD: what is wrong.
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

// Unwrap gives what is wrong.
func (b *LineError) Unwrap() error { return b.Err }

// InvalidError refuses a file that has bad lines.
type InvalidError struct {
	Bad   []*LineError // the first of them, Options.MaxErrors at most
	Total int
}

// Error has a line for each, and says how many more there are.
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

// Unwrap gives the bad lines.
func (e *InvalidError) Unwrap() []error {
	errs := make([]error, len(e.Bad))
	for i, bad := range e.Bad {
		errs[i] = bad
	}
	return errs
}

// Open reads a file of devices.
func Open(path string, cfg Options) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // the path is named once
		}
		return nil, fmt.Errorf("registry %s: %w", path, err)
	}
	r, err := Read(f, path, cfg)
	// Nothing was written: that a file can't be closed says nothing about the devices.
	_ = f.Close()
	return r, err
}

// Read reads devices from r to its end; name is what errors call it. Its error is a
// *InvalidError where lines are bad, a *LineError where it can't go on after one, or the reader's.
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
