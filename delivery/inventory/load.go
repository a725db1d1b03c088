package inventory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/internal/wire"
)

const (
	maxText     = 256 // bytes of a location, a label's name or its value
	maxLabels   = 64
	maxInterned = 1 << 16
)

// loader reads one file.
type loader struct {
	name      string
	cfg       Options
	inventory *Inventory
	seen      map[endpoint.Key]uint32 // the line of each device

	// What many devices have in common is held once, and was checked once.
	texts  map[string]string            // versions, and names and values of labels
	places map[string]string            // locations
	labels map[string]map[string]string // by appendLabel of each, in order

	key []byte // scratch memory for the key of labels
	own []byte // scratch memory for an ID and an address
}

func newLoader(name string, cfg Options) *loader {
	return &loader{
		name: name, cfg: cfg, inventory: &Inventory{}, seen: make(map[endpoint.Key]uint32),
		texts: make(map[string]string), places: make(map[string]string), labels: make(map[string]map[string]string),
	}
}

func (l *loader) load(r io.Reader) error {
	br, err := decodeText(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return l.badLine(0, &fieldError{err: err})
	}
	switch l.cfg.Format {
	case FormatCSV:
		return l.loadCSV(&lineReader{br: br, most: l.cfg.MaxLine})
	case FormatJSONLines:
		return l.loadJSONLines(&lineReader{br: br, most: l.cfg.MaxLine})
	default:
		return l.loadJSONArray(&arrayReader{br: br, most: l.cfg.MaxLine, line: 1})
	}
}

// fieldError says what is wrong with a device, and where.
type fieldError struct {
	field string
	line  int // lines after the one that the device begins on
	err   error
}

// addError records a bad line.
func (l *loader) addError(line int, e *fieldError) {
	l.inventory.errorCount++
	if len(l.inventory.skipped) < l.cfg.MaxErrors {
		l.inventory.skipped = append(l.inventory.skipped, l.badLine(line, e))
	}
}

func (l *loader) badLine(line int, e *fieldError) *LineError {
	return &LineError{File: l.name, Line: line + e.line, Field: e.field, Err: e.err}
}

// add adds a device, or records what is wrong with it. It returns an error if reading must end.
func (l *loader) add(line int, d Entry, e *fieldError) error {
	if e == nil {
		e = l.validate(&d)
	}
	if e != nil {
		l.addError(line, e)
		return nil
	}
	key, _ := endpoint.Fingerprint(d.ID, d.Address)
	if first, ok := l.seen[key]; ok {
		field, what, spelled := "id", check.Truncate(d.ID), ""
		if d.ID == "" {
			field, what, spelled = "address", check.Truncate(d.Address), ", perhaps written in another way"
		}
		l.addError(line, &fieldError{field: field, err: fmt.Errorf("%q: is that of line %d already%s: want each device once", what, first, spelled)})
		return nil
	}
	if len(l.inventory.devices) >= l.cfg.MaxDevices {
		return l.badLine(line, &fieldError{err: fmt.Errorf("more than %d devices: want a smaller file, or a higher bound", l.cfg.MaxDevices)})
	}
	l.seen[key] = uint32(min(line, math.MaxUint32))
	l.inventory.devices = append(l.inventory.devices, d)
	return nil
}

// validate returns what is wrong with a device's fields. If nothing is, it makes the device share
// what it has in common with others.
func (l *loader) validate(d *Entry) *fieldError {
	if d.Address == "" {
		return &fieldError{field: "address", err: errors.New("is missing: want http://HOST[:PORT][/PATH] or https://…")}
	}
	if _, err := endpoint.Parse(d.Address); err != nil {
		return &fieldError{field: "address", err: err}
	}
	if err := checkText(d.ID, wire.MaxDeviceID, plainSpaces); err != nil {
		return &fieldError{field: "id", err: err}
	}
	var err error
	if d.Location, err = share(l.places, d.Location, maxText, anySpaces); err != nil {
		return &fieldError{field: "location", err: err}
	}
	if d.Version, err = share(l.texts, d.Version, wire.MaxVersion, plainSpaces); err != nil {
		return &fieldError{field: "version", err: err}
	}
	var e *fieldError
	d.Labels, e = l.internLabels(d.Labels)
	return e
}

// share checks a text, and returns an equal one that others may hold too.
func share(known map[string]string, s string, most int, spaces spaces) (string, error) {
	if same, ok := known[s]; ok && len(s) <= most {
		return same, nil
	}
	if err := checkText(s, most, spaces); err != nil {
		return s, err
	}
	s = strings.Clone(s) // not a part of its line
	if len(known) < maxInterned {
		known[s] = s
	}
	return s, nil
}

// internLabels checks a set of labels, and returns an equal one that others may hold too.
func (l *loader) internLabels(labels map[string]string) (map[string]string, *fieldError) {
	if len(labels) == 0 {
		return nil, nil
	}
	l.key = l.key[:0]
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		l.key = appendLabel(appendLabel(l.key, name), labels[name])
	}
	if same, ok := l.labels[string(l.key)]; ok {
		return same, nil
	}
	if len(labels) > maxLabels {
		return nil, &fieldError{field: "labels", err: fmt.Errorf("%d of them: want at most %d", len(labels), maxLabels)}
	}
	own := make(map[string]string, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		name, err := share(l.texts, name, maxText, plainSpaces)
		if err != nil {
			return nil, &fieldError{field: "labels", err: fmt.Errorf("name %w", err)}
		}
		if own[name], err = share(l.texts, labels[name], maxText, plainSpaces); err != nil {
			return nil, &fieldError{field: "label." + check.Truncate(name), err: err}
		}
	}
	if len(l.labels) < maxInterned {
		l.labels[string(l.key)] = own
	}
	return own, nil
}

// lineReader reads the lines of a file that are not blank, each within bounds.
type lineReader struct {
	br   *bufio.Reader
	most int
	line int // the number of the line given last
	buf  []byte
}

// next returns a line without its end. long reports that the line was longer than allowed, and left
// out.
func (r *lineReader) next() (text []byte, long bool, err error) {
	for {
		text, long, err = r.one()
		if err != nil || long || len(bytes.TrimSpace(text)) > 0 {
			return text, long, err
		}
	}
}

func (r *lineReader) one() (text []byte, long bool, err error) {
	r.line++
	r.buf = r.buf[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		if len(r.buf)+len(part) > r.most+2 { // the end of a line isn't counted
			long = true
		} else {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (len(r.buf) > 0 || long), err == nil:
			text = bytes.TrimSuffix(bytes.TrimSuffix(r.buf, []byte("\n")), []byte("\r"))
			return text, long || len(text) > r.most, nil
		default:
			return nil, false, err
		}
	}
}

func (l *loader) tooLong() *fieldError {
	return &fieldError{err: fmt.Errorf("longer than %d bytes", l.cfg.MaxLine)}
}

// readError returns the error of a read that failed before the file's end.
func (l *loader) readError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("registry %s: %w", l.name, err)
}

var errNotUTF8 = errors.New("not UTF-8")
