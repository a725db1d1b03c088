package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

func (l *loader) loadJSONLines(lines *lineReader) error {
	for {
		text, long, err := lines.next()
		if err != nil {
			return l.readError(err)
		}
		if long {
			l.addError(lines.line, l.tooLong())
			continue
		}
		d, e := l.parseJSON(text)
		if err := l.add(lines.line, d, e); err != nil {
			return err
		}
	}
}

func (l *loader) loadJSONArray(elements *arrayReader) error {
	for {
		text, line, err := elements.next()
		if e, ok := errors.AsType[arrayError](err); ok {
			return l.badLine(elements.line, &fieldError{err: e})
		}
		if err != nil {
			return l.readError(err)
		}
		d, e := l.parseJSON(text)
		if err := l.add(line, d, e); err != nil {
			return err
		}
	}
}

// parseJSON reads one device. It goes token by token, because encoding/json would accept a repeated
// field, and a name in another case, without an error.
func (l *loader) parseJSON(text []byte) (d Entry, _ *fieldError) {
	if !utf8.Valid(text) {
		return d, &fieldError{err: errNotUTF8}
	}
	if d, ok := l.fastJSON(text); ok {
		return d, nil
	}
	p := &deviceParser{text: text, dec: json.NewDecoder(bytes.NewReader(text)), strict: !l.cfg.SkipInvalid}
	err := p.object("an object", func(field string) (err error) {
		p.field = field
		switch field {
		case "id":
			d.ID, err = p.string()
		case "address":
			d.Address, err = p.string()
		case "location":
			d.Location, err = p.string()
		case "version":
			d.Version, err = p.string()
		case "labels":
			d.Labels, err = p.labels()
		default:
			err = p.unknown()
		}
		if err == nil {
			p.field = ""
		}
		return err
	})
	if err == nil {
		err = p.end()
	}
	if err == nil {
		return d, nil
	}
	at := min(p.dec.InputOffset(), int64(len(text)))
	return d, &fieldError{field: check.Truncate(p.field), line: bytes.Count(text[:at], []byte("\n")), err: err}
}

// deviceParser is a device being read.
type deviceParser struct {
	text   []byte
	dec    *json.Decoder
	strict bool
	field  string // the one that is being read
}

// object reads an object, and calls member for each of its members when it is up to the value.
func (p *deviceParser) object(want string, member func(name string) error) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%s: want %s", tokenName(t), want)
	}
	names := make(map[string]bool)
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("%s: want a name in quotes", tokenName(t)) // the decoder itself says so first
		}
		if names[name] {
			return fmt.Errorf("%q twice: want each field once", check.Truncate(name))
		}
		names[name] = true
		if err := member(name); err != nil {
			return err
		}
	}
	_, err = p.token() // the brace
	return err
}

func (p *deviceParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends in the middle: want a whole JSON object")
	}
	return t, err
}

func (p *deviceParser) string() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s: want a text in quotes, or leave the field out", tokenName(t))
	}
	return s, nil
}

func (p *deviceParser) labels() (map[string]string, error) {
	labels := make(map[string]string)
	err := p.object(`an object of texts, as in {"site": "north"}`, func(name string) error {
		value, err := p.string()
		labels[name] = value
		return err
	})
	return labels, err
}

// unknown skips a field that a device doesn't have.
func (p *deviceParser) unknown() error {
	if want := knownField(p.field); want != "" {
		return misspelled(p.field, want)
	}
	if p.strict {
		return errors.New("unknown field: want id, address, labels, location or version")
	}
	var over json.RawMessage
	return p.dec.Decode(&over)
}

// end returns an error if anything follows the object.
func (p *deviceParser) end() error {
	if rest := bytes.TrimSpace(p.text[p.dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%q after the object: want one object", check.Truncate(string(rest)))
	}
	return nil
}

func tokenName(t json.Token) string {
	switch t.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case float64, json.Number:
		return "a number"
	}
	return "a list or an object"
}

// arrayReader splits a JSON array into its elements, each within bounds, without checking them: so
// a bad element costs only itself.
type arrayReader struct {
	br    *bufio.Reader
	most  int
	line  int // the current line, from 1
	open  int // the last line with a quote that wasn't closed on it
	begun bool
	ended bool
	buf   []byte
}

// arrayError is the error of an array that can't be read any further.
type arrayError string

func (e arrayError) Error() string { return string(e) }

// next returns an element and the line that it begins on, or io.EOF.
func (r *arrayReader) next() (text []byte, line int, err error) {
	c, err := r.skipSpace()
	if !r.begun {
		if errors.Is(err, io.EOF) || err == nil && c != '[' {
			return nil, 0, arrayError("want a JSON array: [ {…}, … ]")
		}
		if err == nil {
			r.begun = true
			if c, err = r.skipSpace(); err == nil && c == ']' {
				r.ended = true
				c, err = r.skipSpace()
			}
		}
	}
	switch {
	case r.ended && errors.Is(err, io.EOF):
		return nil, 0, io.EOF
	case errors.Is(err, io.EOF):
		return nil, 0, r.lost("the array ends in the middle: want ]")
	case err != nil:
		return nil, 0, err
	case r.ended:
		return nil, 0, arrayError(fmt.Sprintf("%q after the array: want its end", c))
	}
	line = r.line
	text, err = r.element(c)
	return text, line, err
}

// element reads on to the comma or bracket that ends the element, which begins with c.
func (r *arrayReader) element(c byte) ([]byte, error) {
	r.buf = r.buf[:0]
	depth, quoted, escaped := 0, false, false
	for {
		switch {
		case c == '\n':
			if quoted { // no text goes beyond its line
				r.open = r.line - 1
			}
			quoted, escaped = false, false
		case escaped:
			escaped = false
		case quoted:
			quoted, escaped = c != '"', c == '\\'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			r.ended = c == ']'
			return r.buf, nil
		case c == '}' || c == ']':
			depth--
		}
		if len(r.buf) >= r.most {
			return nil, r.lost(fmt.Sprintf("an element is longer than %d bytes", r.most))
		}
		r.buf = append(r.buf, c)
		var err error
		if c, err = r.byte(); err != nil {
			if errors.Is(err, io.EOF) {
				err = r.lost("the array ends in the middle: want ]")
			}
			return nil, err
		}
	}
}

// lost returns an error that says where reading can't go on, and what may have led there.
func (r *arrayReader) lost(what string) error {
	if r.open > 0 {
		return arrayError(fmt.Sprintf("%s (a quote is not closed on line %d)", what, r.open))
	}
	return arrayError(what + " (is a bracket left open?)")
}

func (r *arrayReader) skipSpace() (byte, error) {
	for {
		c, err := r.byte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

func (r *arrayReader) byte() (byte, error) {
	c, err := r.br.ReadByte()
	if c == '\n' {
		r.line++
	}
	return c, err
}
