package profilecmd

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/internal/texttable"
)

// topTable returns pprof's table of functions, without rows. A narrow table leaves out sums and
// shares, which follow from the other columns.
func topTable() texttable.Table {
	return texttable.Table{
		Header: []string{"flat", "flat%", "sum%", "cum", "cum%", "function"}, Align: "rrrrrl", Ruleless: true,
		Fold: []texttable.Fold{{}, {Rank: 1}, {Rank: 3}, {}, {Rank: 2}, {Cut: 1}},
	}
}

var (
	topHead = regexp.MustCompile(`(?m)^ +flat +flat% +sum% +cum +cum%\n`)
	topRow  = regexp.MustCompile(`^ *(\S+) +(\S+) +(\S+) +(\S+) +(\S+)  (.*)$`)
)

// writeTop writes the text that write prints, which ends in pprof's table of functions. If the
// table is wider than width, writeTop narrows it.
func writeTop(w io.Writer, width int, write func(io.Writer) error) error {
	if width <= 0 {
		return write(w)
	}
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	head := topHead.FindIndex(text.Bytes())
	if head == nil {
		_, err := w.Write(text.Bytes())
		return err
	}
	t := topTable()
	wide := false
	for line := range strings.Lines(string(text.Bytes()[head[1]:])) {
		line = strings.TrimRight(line, "\n")
		cells := topRow.FindStringSubmatch(line)
		if cells == nil { // it isn't pprof's table
			wide = false
			break
		}
		wide = wide || texttable.Width(line) > width
		t.Rows = append(t.Rows, cells[1:])
	}
	if !wide {
		_, err := w.Write(text.Bytes())
		return err
	}
	var page bytes.Buffer
	page.Write(text.Bytes()[:head[0]])
	if err := (texttable.Style{Width: width}).Write(&page, t); err != nil {
		return err
	}
	_, err := w.Write(page.Bytes())
	return err
}
