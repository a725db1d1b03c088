package inventory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// loadCSV reads a header row and then a device a line. Lines are cut before
// encoding/csv sees them: so a quote that isn't closed costs its own line and not the
// rest of the file, and memory is bounded.
func (l *loader) loadCSV(lines *lineReader) error {
	feed := &oneLineReader{}
	reader := csv.NewReader(feed)
	reader.FieldsPerRecord = -1
	begun := false
	var row func() ([]string, *fieldError, error)
	row = func() ([]string, *fieldError, error) {
		text, long, err := lines.next()
		if err != nil {
			return nil, nil, err
		}
		if long {
			return nil, l.tooLong(), nil
		}
		if !utf8.Valid(text) {
			return nil, &fieldError{err: errNotUTF8}, nil
		}
		if !begun {
			begun = true
			var alone bool
			if reader.Comma, alone = delimiterOf(string(text)); alone {
				return row()
			}
		}
		feed.line = append(append(feed.line[:0], text...), '\n')
		fields, err := reader.Read()
		if p, ok := errors.AsType[*csv.ParseError](err); ok {
			err = fmt.Errorf("column %d: %w (a field is on one line)", p.Column, p.Err)
		}
		if err != nil {
			return nil, &fieldError{err: err}, nil
		}
		return fields, nil, nil
	}

	header, e, err := row()
	if errors.Is(err, io.EOF) {
		e, err = &fieldError{err: errors.New("no header row: want columns such as id,address,location,version,label.site")}, nil
	}
	if err != nil {
		return l.readError(err)
	}
	if e == nil {
		e = l.checkColumns(header)
	}
	if e != nil {
		return l.badLine(max(1, lines.line), e)
	}
	header = withoutEmptyEnd(slices.Clone(header), 0)
	for {
		fields, e, err := row()
		if err != nil {
			return l.readError(err)
		}
		fields = withoutEmptyEnd(fields, len(header))
		var d Entry
		switch {
		case e != nil:
		case len(fields) != len(header):
			e = &fieldError{err: fmt.Errorf("%d fields: want %d, as the header row has", len(fields), len(header))}
		default:
			d = fromRow(header, fields)
		}
		if err := l.add(lines.line, d, e); err != nil {
			return err
		}
	}
}

const labelColumn = "label."

// checkColumns returns what is wrong with the header row, or nil.
func (l *loader) checkColumns(header []string) *fieldError {
	header = withoutEmptyEnd(header, 0)
	for i, name := range header {
		if want := knownField(name); want != "" && want != "labels" {
			return &fieldError{field: check.Truncate(name), err: misspelled(name, want)}
		}
		if label, ok := strings.CutPrefix(name, labelColumn); ok {
			if err := checkText(label, maxText, plainSpaces); err != nil {
				return &fieldError{field: check.Truncate(name), err: err}
			}
		}
		if name != "" && slices.Contains(header[:i], name) {
			return &fieldError{field: check.Truncate(name), err: errors.New("two columns of this name: want each once")}
		}
	}
	if !slices.Contains(header, "address") {
		return &fieldError{field: "address", err: errors.New("no such column in the header row: want one (columns are divided by commas, semicolons or tabs)")}
	}
	for i, name := range header {
		label, isLabel := strings.CutPrefix(name, labelColumn)
		switch {
		case l.cfg.SkipInvalid, isLabel && label != "", slices.Contains(fieldNames()[:numTextFields], name):
		case name == "":
			return &fieldError{err: fmt.Errorf("column %d has no name: want id, address, location, version or label.NAME", i+1)}
		default:
			return &fieldError{field: check.Truncate(name), err: errors.New("unknown column: want id, address, location, version or label.NAME")}
		}
	}
	return nil
}

// fromRow returns the device of a row. The header row says what each field is. An empty field sets
// no label.
func fromRow(header, fields []string) (d Entry) {
	for i, name := range header {
		// A field is a substring of its whole line. So that what is kept doesn't keep the line, the
		// ID and the address are cloned here, and the rest by add.
		switch name {
		case "id":
			d.ID = strings.Clone(fields[i])
		case "address":
			d.Address = strings.Clone(fields[i])
		case "location":
			d.Location = fields[i]
		case "version":
			d.Version = fields[i]
		default:
			label, ok := strings.CutPrefix(name, labelColumn)
			if !ok || label == "" || fields[i] == "" {
				continue
			}
			if d.Labels == nil {
				d.Labels = make(map[string]string)
			}
			d.Labels[label] = fields[i]
		}
	}
	return d
}

// A oneLineReader lets one csv.Reader read a file line by line. It returns io.EOF at the end of
// line, and goes on when line is set to the next one.
type oneLineReader struct{ line []byte }

func (f *oneLineReader) Read(p []byte) (int, error) {
	if len(f.line) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.line)
	f.line = f.line[n:]
	return n, nil
}

// delimiterOf returns the delimiter of a file whose first line is given. If the line is a
// declaration such as sep=;, which spreadsheets write, it returns what that names, and reports that
// the line holds nothing else. Otherwise the line is the header row, and it returns the delimiter
// by which the row has an address column, or a comma if there is none.
func delimiterOf(line string) (delimiter rune, alone bool) {
	delimiters := []rune{',', ';', '\t'}
	if named, ok := strings.CutPrefix(line, "sep="); ok && len(named) == 1 && slices.Contains(delimiters, rune(named[0])) {
		return rune(named[0]), true
	}
	for _, d := range delimiters {
		r := csv.NewReader(strings.NewReader(line))
		r.Comma, r.LazyQuotes = d, true
		names, err := r.Read()
		if err == nil && slices.ContainsFunc(names, func(name string) bool { return name == "address" || knownField(name) == "address" }) {
			return d, false
		}
	}
	return ',', false
}

// withoutEmptyEnd returns a row without the empty fields at its end, but keeps the first from
// fields. Spreadsheets write empty fields for columns that were used once.
func withoutEmptyEnd(fields []string, from int) []string {
	for len(fields) > from && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	return fields
}
