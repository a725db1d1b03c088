package delivery

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/wire"
)

const (
	maxRegistryText   = 256 // bytes of a location, a label's name or its value
	maxRegistryLabels = 64
	maxInterned       = 1 << 16
)

// registryLoader reads one file.
type registryLoader struct {
	name string
	cfg  RegistryConfig
	reg  *Registry
	seen map[deviceKey]int // the line that a device stands on

	// What many devices have in common is held once.
	texts  map[string]string
	labels map[string]map[string]string
}

func newRegistryLoader(name string, cfg RegistryConfig) *registryLoader {
	return &registryLoader{
		name: name, cfg: cfg, reg: &Registry{}, seen: make(map[deviceKey]int),
		texts: make(map[string]string), labels: make(map[string]map[string]string),
	}
}

func (l *registryLoader) load(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	if head, err := br.Peek(3); err == nil && string(head) == "\ufeff" {
		_, _ = br.Discard(3) // they are there: a byte order mark, which some programs write
	}
	switch l.cfg.Format {
	case FormatCSV:
		return l.loadCSV(&lineReader{br: br, most: l.cfg.MaxLine})
	case FormatJSONLines:
		return l.loadJSONLines(&lineReader{br: br, most: l.cfg.MaxLine})
	default:
		return l.loadJSONArray(&elementReader{br: br, most: l.cfg.MaxLine, line: 1})
	}
}

// fieldError is what is wrong with a device, at a place in it.
type fieldError struct {
	field string
	line  int // beyond the line that the device begins on
	err   error
}

// refuse takes down a bad line.
func (l *registryLoader) refuse(line int, e *fieldError) {
	l.reg.numBad++
	if len(l.reg.bad) < l.cfg.MaxBad {
		l.reg.bad = append(l.reg.bad, l.badLine(line, e))
	}
}

func (l *registryLoader) badLine(line int, e *fieldError) *BadLine {
	return &BadLine{File: l.name, Line: line + e.line, Field: e.field, Err: e.err}
}

// keep takes a device, or what is wrong with it. Its error ends the reading.
func (l *registryLoader) keep(line int, d RegisteredDevice, e *fieldError) error {
	if e == nil {
		e = checkRegistered(d)
	}
	if e != nil {
		l.refuse(line, e)
		return nil
	}
	key, _ := fingerprint(d.Device)
	if first, ok := l.seen[key]; ok {
		field, what := "id", clip(d.ID)
		if d.ID == "" {
			field, what = "address", clip(d.Address)
		}
		l.refuse(line, &fieldError{field: field, err: fmt.Errorf("%q: is that of line %d already: want each device once", what, first)})
		return nil
	}
	if len(l.reg.devices) >= l.cfg.MaxDevices {
		return l.badLine(line, &fieldError{err: fmt.Errorf("more than %d devices: want a smaller file, or a higher bound", l.cfg.MaxDevices)})
	}
	l.seen[key] = line
	d.Location, d.Version, d.Labels = l.text(d.Location), l.text(d.Version), l.labelSet(d.Labels)
	l.reg.devices = append(l.reg.devices, d)
	return nil
}

// checkRegistered says what is wrong with a device's fields.
func checkRegistered(d RegisteredDevice) *fieldError {
	if d.Address == "" {
		return &fieldError{field: "address", err: errors.New("is missing: want http://HOST[:PORT][/PATH] or https://…")}
	}
	if _, err := parseTarget(d.Address); err != nil {
		return &fieldError{field: "address", err: err}
	}
	for _, f := range []struct {
		field, text string
		most        int
	}{
		{"id", d.ID, wire.MaxDeviceID}, {"location", d.Location, maxRegistryText}, {"version", d.Version, wire.MaxVersion},
	} {
		if err := checkText(f.text, f.most); err != nil {
			return &fieldError{field: f.field, err: err}
		}
	}
	if len(d.Labels) > maxRegistryLabels {
		return &fieldError{field: "labels", err: fmt.Errorf("%d of them: want at most %d", len(d.Labels), maxRegistryLabels)}
	}
	for name, value := range d.Labels {
		if err := checkText(name, maxRegistryText); err != nil {
			return &fieldError{field: "labels", err: fmt.Errorf("name %w", err)}
		}
		if err := checkText(value, maxRegistryText); err != nil {
			return &fieldError{field: "label." + clip(name), err: err}
		}
	}
	return nil
}

// checkText refuses what can't be told apart on a screen, or in a header.
func checkText(s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%q: %d bytes, want at most %d", clip(s), len(s), most)
	}
	// U+FFFD stands where a program gave up on a character: two of them may be one.
	if !isName(s) || strings.ContainsRune(s, utf8.RuneError) {
		return fmt.Errorf("%q: want neither control characters nor U+FFFD, and no space around it", clip(s))
	}
	return nil
}

// text gives an equal text that others may hold too.
func (l *registryLoader) text(s string) string {
	if same, ok := l.texts[s]; ok {
		return same
	}
	s = strings.Clone(s) // not a part of its line
	if len(l.texts) < maxInterned {
		l.texts[s] = s
	}
	return s
}

func (l *registryLoader) labelSet(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	key := sameLabels(labels)
	if same, ok := l.labels[key]; ok {
		return same
	}
	own := make(map[string]string, len(labels))
	for name, value := range labels {
		own[l.text(name)] = l.text(value)
	}
	if len(l.labels) < maxInterned {
		l.labels[key] = own
	}
	return own
}

// lineReader gives the lines of a file that are not blank, each within bounds.
type lineReader struct {
	br   *bufio.Reader
	most int
	line int // the number of the line given last
	buf  []byte
}

// next gives a line without its end. long says that it was longer than allowed, and
// left out.
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

func (l *registryLoader) tooLong() *fieldError {
	return &fieldError{err: fmt.Errorf("longer than %d bytes", l.cfg.MaxLine)}
}

// readError is a failure that isn't the file's end.
func (l *registryLoader) readError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("registry %s: %w", l.name, err)
}

var errNotUTF8 = errors.New("not UTF-8")
