// Package bounded keeps reports to a size that browsers and servers accept, whatever was measured.
//
// Its input is a function that renders a document within [Limits]; its output is the first document
// that is small enough. The function leaves out what exceeds the limits, and says how much.
//
// The package doesn't know what a document says.
package bounded

import (
	"fmt"
	"io"
)

// Limits bounds what a document shows. The renderer decides how each limit applies.
type Limits struct {
	Rows    int  // of a table
	Text    int  // runes of a name, a note or a sentence
	Block   int  // runes of a block, such as the scenario or a command
	Figures int  // of a section
	Points  int  // of one side in a figure
	List    int  // sentences of a list
	Brief   bool // show only the verdict and its reason
}

// A Document describes a document to be rendered.
type Document struct {
	Name string           // for errors, such as "comment"
	Max  int              // the largest allowed size
	Size func([]byte) int // returns the size of a document: [Bytes] or [Characters]
}

// Render calls render with one element of steps after the other, until the document is small
// enough, and writes it to w. Each step should be tighter than the one before. Render returns an
// error if the last document is still too large.
func (d Document) Render(w io.Writer, steps []Limits, render func(Limits) ([]byte, error)) error {
	for _, l := range steps {
		page, err := render(l)
		if err != nil {
			return fmt.Errorf("write %s: %w", d.Name, err)
		}
		if d.Size(page) > d.Max {
			continue
		}
		if _, err := w.Write(page); err != nil {
			return fmt.Errorf("write %s: %w", d.Name, err)
		}
		return nil
	}
	return fmt.Errorf("write %s: larger than %d even with nearly everything left out", d.Name, d.Max)
}

// Bytes returns the size of a document in bytes.
func Bytes(page []byte) int { return len(page) }

// Characters returns the size of a document in UTF-16 code units, which some servers count.
func Characters(page []byte) int {
	n := 0
	for _, r := range string(page) {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Head returns the first n elements of a list, and the number of elements that it leaves out.
func Head[T any](list []T, n int) (shown []T, omitted int) {
	if len(list) <= n {
		return list, 0
	}
	return list[:n], len(list) - n
}

// SampleEvenly returns at most n elements of a list, evenly spaced.
func SampleEvenly[T any](list []T, n int) []T {
	if len(list) <= n || n < 2 {
		return list[:min(len(list), max(0, n))]
	}
	sample := make([]T, n)
	for i := range sample {
		sample[i] = list[i*(len(list)-1)/(n-1)]
	}
	return sample
}
