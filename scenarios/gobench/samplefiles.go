package gobench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// sampleFiles are base.txt and now.txt, which hold what was measured as the testing package printed
// it. A line is written as soon as there is one, so a killed comparison leaves what it had, and
// benchstat reads it.
type sampleFiles struct {
	files  map[string]*os.File // by side
	header map[string]string   // what stands above the last line
}

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

func outError(dir string, err error) error {
	return &checkout.Error{Problem: fmt.Sprintf("--out: %s can't be made (%v)", dir, err), Want: "name a directory that can be written", Err: err}
}

// write adds a block's line, with its configuration and units where they aren't those of the line
// before.
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
