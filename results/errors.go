package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// An InputError reports a file or directory that the user named and that can't be used. Nothing was
// judged, so a command that returns it exits with code 2.
type InputError struct {
	Path    string // the file or directory, as the user named it
	Line    int    // 1-based; 0 if no single line is to blame
	Problem string // what is wrong with it
	Want    string // what to do about it
	Err     error  // the cause, or nil
}

// Error returns one line: "PATH:LINE: problem: what to do".
func (e *InputError) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	b.WriteString(e.Problem)
	if e.Want != "" {
		b.WriteString(": ")
		b.WriteString(e.Want)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// WithoutPath returns the message of an operating system's error without the path, which an
// [InputError] names already.
func WithoutPath(err error) string {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// ReadFile reads a whole file of at most limit bytes. Its error is an [*InputError].
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		problem := "can't be opened (" + WithoutPath(err) + ")"
		return nil, &InputError{Path: path, Problem: problem, Want: "name a file that exists and can be read", Err: err}
	}
	defer f.Close()
	return ReadAll(f, path, limit)
}

// ReadTextFile reads a text file as [ReadFile] does. The file may be in any encoding that
// [plaintext.Decode] knows, since users write such files with all kinds of editors.
func ReadTextFile(path string, limit int64) ([]byte, error) {
	data, err := ReadFile(path, limit)
	return plaintext.Decode(data), err
}

// ReadAll reads r to its end, which must come within limit bytes. Its error is an [*InputError]
// with name as the path.
func ReadAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		problem := "can't be read (" + WithoutPath(err) + ")"
		return nil, &InputError{Path: name, Problem: problem, Want: "name a file that can be read", Err: err}
	}
	if int64(len(data)) > limit {
		problem := fmt.Sprintf("is larger than %d MiB", limit>>20)
		return nil, &InputError{Path: name, Problem: problem, Want: "name a file of benchmark results"}
	}
	return data, nil
}

// JSONErrorLine returns the line of data that a JSON error points at. It returns 0 if it points at
// none.
func JSONErrorLine(data []byte, err error) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var offset int64
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return 0
	}
	if offset < 0 || offset > int64(len(data)) {
		return 0
	}
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
