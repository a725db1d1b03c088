package gobench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// sampleFiles writes base.txt and now.txt, which hold the results as the testing package printed
// them, for benchstat. Each line is written at once, so that a killed comparison leaves the lines
// measured before.
type sampleFiles struct {
	files  map[string]*os.File // by side
	header map[string]string   // the header above the last line, by side
}

// createSamples makes the directory and the files in it.
func createSamples(dir string) (*sampleFiles, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, outError(dir, err)
	}
	s := &sampleFiles{files: map[string]*os.File{}, header: map[string]string{}}
	for _, side := range []string{checkout.Base, checkout.Now} {
		f, err := os.Create(filepath.Join(dir, side+".txt"))
		if err != nil {
			return nil, errors.Join(outError(dir, err), s.Close())
		}
		s.files[side] = f
	}
	return s, nil
}

// outError returns the error for a directory that can't be written.
func outError(dir string, err error) error {
	return &checkout.Error{
		Option: "Out", Problem: fmt.Sprintf(": %s can't be made (%v)", dir, err),
		Want: "name a directory that can be written", Err: err,
	}
}

// write writes the line of a block, below its configuration and units if they differ from those of
// the line before.
func (s *sampleFiles) write(side string, b *block) error {
	text := b.line + "\n"
	header := strings.Join(append(b.units[:len(b.units):len(b.units)], b.config...), "\n") + "\n\n"
	if header != s.header[side] {
		s.header[side] = header
		text = header + text
	}
	_, err := s.files[side].WriteString(text)
	return err
}

// Close closes the files.
func (s *sampleFiles) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
