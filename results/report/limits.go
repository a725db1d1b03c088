package report

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// limits bound a page, so that it has a size that a browser and a server take whatever was
// measured. What goes beyond is left out, and the page says how much.
type limits struct {
	rows    int  // of a table
	text    int  // runes of a name, a note or a sentence
	long    int  // runes of a block: the scenario, a command
	figures int  // of a section
	points  int  // of a side in a figure
	list    int  // sentences of a list
	brief   bool // the verdict and its reason alone
}

// fit renders within ever tighter limits until the page is no larger than size.
func fit(w io.Writer, what string, size func([]byte) int, most int, tries []limits, render func(limits) ([]byte, error)) error {
	for _, l := range tries {
		page, err := render(l)
		if err != nil {
			return fmt.Errorf("write %s: %w", what, err)
		}
		if size(page) > most {
			continue
		}
		if _, err := w.Write(page); err != nil {
			return fmt.Errorf("write %s: %w", what, err)
		}
		return nil
	}
	return fmt.Errorf("write %s: larger than %d even with nearly everything left out", what, most)
}

// characters counts a page as a server might, whose characters are UTF-16's.
func characters(page []byte) int {
	n := 0
	for _, r := range string(page) {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

func bytesOf(page []byte) int { return len(page) }

// first are the first n of a list, and how many are left out.
func first[T any](list []T, n int) ([]T, int) {
	if len(list) <= n {
		return list, 0
	}
	return list[:n], len(list) - n
}

// spread takes at most n of a list's elements, evenly.
func spread[T any](list []T, n int) []T {
	if len(list) <= n || n < 2 {
		return list[:min(len(list), max(0, n))]
	}
	kept := make([]T, n)
	for i := range kept {
		kept[i] = list[i*(len(list)-1)/(n-1)]
	}
	return kept
}

func runes(s string) int { return utf8.RuneCountInString(s) }
