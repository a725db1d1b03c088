package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// stepSummary names the file that GitHub Actions shows below a step.
const stepSummary = "GITHUB_STEP_SUMMARY"

// An output is a rendered report on its way to where it is wanted.
type output struct {
	flag string
	file string // or standardOutput
	data []byte
	add  bool // to the file's end, rather than in its place
}

// A rendering is one that may be wanted: with a file, it is.
type rendering struct {
	flag, file string
	render     func(io.Writer, *report.Subject) error
	add        bool
}

// render makes everything that was asked for, before any of it is written.
func (f *reportFlags) render(s *report.Subject) ([]output, error) {
	one := func(render func(io.Writer, ...*report.Subject) error) func(io.Writer, *report.Subject) error {
		return func(w io.Writer, s *report.Subject) error { return render(w, s) }
	}
	wanted := []rendering{
		{"html", f.html, report.HTML, false},
		{"markdown", f.markdown, report.Markdown, false},
		{"comment", f.comment, one(report.Comment), false},
		{"junit", f.junit, one(report.JUnit), false},
		{"json", f.json, report.JSON, false},
	}
	if f.github {
		wanted = append(wanted,
			rendering{"github", os.Getenv(stepSummary), one(report.Comment), true},
			rendering{"github", standardOutput, one(report.Annotations), false})
	}
	var outputs []output
	for _, w := range wanted {
		if w.file == "" {
			continue
		}
		var page bytes.Buffer
		if err := w.render(&page, s); err != nil {
			return nil, err
		}
		outputs = append(outputs, output{w.flag, w.file, page.Bytes(), w.add})
	}
	if len(outputs) == 0 {
		var page bytes.Buffer
		err := report.Markdown(&page, s)
		return []output{{"markdown", standardOutput, page.Bytes(), false}}, err
	}
	return outputs, nil
}

func (o output) write(c console) error {
	var err error
	switch {
	case o.file == standardOutput:
		_, err = c.out.Write(o.data)
		return err // the reader may be gone, which is no mistake of the command line's
	case o.add:
		err = appendFile(o.file, o.data)
	default:
		err = results.AtomicWriteFile(o.file, o.data)
	}
	if err != nil {
		return &exitError{exitUsage, fmt.Sprintf("--%s %s: %v", o.flag, o.file, err)}
	}
	return nil
}

// appendFile adds a paragraph to what other commands of the step wrote.
func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		data = append([]byte("\n"), data...)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}
