package scenarios

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml/ast"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

const (
	maxSpecFile = 256 << 10 // bytes of a scenario file
	maxNesting  = 200       // of lists and mappings; the parser's time grows with the square of the depth
)

// source is a scenario file that was read.
type source struct {
	*yamlnode.Document
	file string // its name in messages

	fromCatalog bool // the scenario is in the catalog, not in a file
}

// A position is where something was written. Its line is 0 if it wasn't written anywhere.
type position struct {
	src          *source
	line, column int
}

// attach sets the position of a mistake and returns it.
func (p position) attach(e *SpecError) *SpecError {
	if p.src == nil {
		return e
	}
	e.File = p.src.file
	if p.line > 0 {
		e.Line, e.Column = p.line, p.column
		if !isWithin(e.Field, headersField) {
			e.Source = p.src.visibleLine(p.line)
		}
	}
	return e
}

func readSpecFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(path, err)
	}
	defer func() { _ = f.Close() }() // f was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSpecFile+1))
	if err != nil {
		return nil, cannotRead(path, err)
	}
	if len(text) > maxSpecFile {
		return nil, &SpecError{File: path, Wrong: Wrong{fmt.Sprintf("over %d bytes", maxSpecFile), "a scenario"}}
	}
	return text, nil
}

func cannotRead(path string, err error) error {
	err = WithoutPath(err)
	return &SpecError{File: path, Wrong: Wrong{Problem: err.Error()}, Err: err}
}

// WithoutPath returns the cause of err without the path, for messages that name the file already.
func WithoutPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// newSource parses a file's text as YAML. Its error is a *SpecError.
func newSource(file string, text []byte) (*source, error) {
	document, mistake := yamlnode.Parse(plaintext.Decode(text), "scenario", maxNesting)
	src := &source{Document: document, file: file}
	if mistake != nil {
		at := position{src, mistake.Line, mistake.Column}
		return nil, at.attach(&SpecError{Wrong: Wrong{mistake.Problem, mistake.Want}})
	}
	if src.Root == nil {
		return nil, &SpecError{File: file, Wrong: Wrong{"is empty", "a scenario, at least its name"}}
	}
	return src, nil
}

// visibleLine returns the n-th line for a message. It returns "" if that line or one next to it may
// contain a secret.
func (src *source) visibleLine(n int) string {
	for i := n - 1; i <= n+1; i++ {
		if isSecretName(src.Line(i)) {
			return ""
		}
	}
	return src.Line(n)
}

// position returns where a node begins.
func (src *source) position(n ast.Node) position {
	line, column := src.Position(n)
	return position{src, line, column}
}

const headersField = "client.headers"
