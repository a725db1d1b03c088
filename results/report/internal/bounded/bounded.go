// Package bounded keeps reports to a size that browsers and servers take, whatever was measured.
//
// Its input is a function that renders a document within [Limits]; its output is the first document
// that is small enough. What goes beyond the limits is left out, and the document says how much.
//
// It knows nothing of what a document says.
package bounded

import (
	"fmt"
	"io"
)

// Limits bounds what a document shows. How a limit applies is the renderer's affair.
type Limits struct {
	Rows    int  // of a table
	Text    int  // runes of a name, a note or a sentence
	Block   int  // runes of a block: the scenario, a command
	Figures int  // of a section
	Points  int  // of one side in a figure
	List    int  // sentences of a list
	Brief   bool // only the verdict and its reason are shown
}

// A Document says what Render writes and how large that may be.
type Document struct {
	Name string           // for errors, such as "comment"
	Max  int              // the largest size that is allowed
	Size func([]byte) int // measures a document: [Bytes] or [Characters]
}

// Render calls render with one element of steps after the other until its document is small enough,
// and writes that to w. The steps must become tighter. It returns an error if even the last one is
// too large.
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

// Characters returns the size of a document in characters of UTF-16, which servers may count.
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

// Head returns the first n elements of a list, and how many it leaves out.
func Head[T any](list []T, n int) (shown []T, omitted int) {
	if len(list) <= n {
		return list, 0
	}
	return list[:n], len(list) - n
}

// SampleEvenly returns at most n elements of a list, evenly spread over it.
func SampleEvenly[T any](list []T, n int) []T {
	if len(list) <= n || n < 2 {
		return list[:min(len(list), max(0, n))]
	}
	kept := make([]T, n)
	for i := range kept {
		kept[i] = list[i*(len(list)-1)/(n-1)]
	}
	return kept
}
