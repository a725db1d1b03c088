package results

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// An InputError says that a file or directory that the user named can't be used.
// Nothing was judged because of it: a command answers it with exit code 2.
type InputError struct {
	Path    string // the file or directory, as the user named it
	Line    int    // 1-based; 0 where no one line is to blame
	Problem string // what is wrong with it
	Want    string // what to do about it
	Err     error  // the cause, or nil
}

// Error is one line: "PATH:LINE: problem: what to do".
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

// cause is an operating system's error without the path, which InputError names already.
func cause(err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// readBounded reads the whole of a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &InputError{Path: path, Problem: "can't be opened (" + cause(err) + ")", Want: "name a file that exists and can be read", Err: err}
	}
	defer f.Close()
	return readAllBounded(f, path, limit)
}

func readAllBounded(r io.Reader, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, &InputError{Path: path, Problem: "can't be read (" + cause(err) + ")", Want: "name a file that can be read", Err: err}
	}
	if int64(len(data)) > limit {
		return nil, &InputError{Path: path, Problem: fmt.Sprintf("is larger than %d MiB", limit>>20), Want: "name a file of benchmark results"}
	}
	return data, nil
}
