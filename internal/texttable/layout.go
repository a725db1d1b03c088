package texttable

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// A Layout says which parts of a table are shown.
type Layout struct {
	Dropped []string // names of the columns that are left out
	Cut     []string // names of the columns whose cells are shortened
	Whole   int      // width of the whole table

	columns []int // the indices of the columns that are shown
	widths  []int // the width of each column that is shown
}

// A Fold says how a column may shrink in a table that is too wide. A column with the zero value
// stays whole.
type Fold struct {
	// Rank orders the columns that may be left out: the highest rank goes first. A column of rank 0
	// is never left out.
	Rank int

	// Cut orders the columns whose cells may be shortened if leaving out columns isn't enough: the
	// highest goes first. The cells of a column whose Cut is 0 are never shortened.
	Cut int

	End bool // shorten cells at the end, as suits prose, instead of in the middle, as suits names
}

// Widths that text is shortened to.
const (
	usualCell = 8  // of cells
	minCell   = 4  // of cells, if the table is still too wide
	minHead   = 12 // of heads
)

// A frame is the space that a renderer needs besides the cells, in terminal columns.
type frame struct {
	between int // between two cells
	ends    int // before the first cell and after the last, together
	minimum int // the smallest width of a column
}

// total returns the width of a line whose cells have these widths.
func (f frame) total(widths []int) int {
	sum := f.ends + f.between*max(0, len(widths)-1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// fold returns the Fold of column i.
func (t Table) fold(i int) Fold {
	switch {
	case i < len(t.Fold):
		return t.Fold[i]
	case t.Fold != nil:
		return Fold{}
	case i == 0:
		return Fold{Cut: 1}
	}
	return Fold{Rank: i}
}

// fit returns a layout no wider than width; 0 or less means no limit. The layout is wider if the
// columns that are never left out, shortened as far as they may be, are too wide.
func (t Table) fit(width int, f frame) Layout {
	heads, cells := t.naturalWidths(f.minimum)
	columns := make([]int, len(t.Header))
	for i := range columns {
		columns[i] = i
	}
	widths := widest(columns, heads, cells)
	l := Layout{Whole: f.total(widths)}
	for width > 0 && l.Whole > width {
		if widths = shortenHeads(columns, heads, cells, width, f); f.total(widths) <= width {
			break
		}
		drop := t.leastImportant(columns)
		if drop < 0 {
			widths = t.shortenCells(columns, widths, width, f)
			break
		}
		columns = slices.DeleteFunc(columns, func(i int) bool { return i == drop })
	}
	l.columns, l.widths = columns, widths
	for i, name := range t.Header {
		switch at := slices.Index(columns, i); {
		case at < 0:
			l.Dropped = appendNew(l.Dropped, name)
		case widths[at] < cells[i]:
			l.Cut = appendNew(l.Cut, name)
		case widths[at] < heads[i]:
			l.Cut = appendNew(l.Cut, "heads")
		}
	}
	return l
}

// naturalWidths returns the width of each head, and of the widest cell below it, which is at least
// minimum.
func (t Table) naturalWidths(minimum int) (heads, cells []int) {
	heads, cells = make([]int, len(t.Header)), make([]int, len(t.Header))
	for i, name := range t.Header {
		if !t.Headless {
			heads[i] = Width(name)
		}
		cells[i] = minimum
		for _, row := range t.Rows {
			if i < len(row) {
				cells[i] = max(cells[i], Width(row[i]))
			}
		}
	}
	return heads, cells
}

// widest returns the width that each of the columns needs for its head and its cells.
func widest(columns, heads, cells []int) []int {
	widths := make([]int, len(columns))
	for at, i := range columns {
		widths[at] = max(heads[i], cells[i])
	}
	return widths
}

// shortenHeads returns the widths of columns after shortening heads that are wider than the cells
// below, such as paths of files. It shortens the widest head first, and stops when the table fits.
func shortenHeads(columns, heads, cells []int, width int, f frame) []int {
	widths := widest(columns, heads, cells)
	for f.total(widths) > width {
		candidate := -1
		for at, i := range columns {
			if widths[at] > max(cells[i], minHead) && (candidate < 0 || widths[at] > widths[candidate]) {
				candidate = at
			}
		}
		if candidate < 0 {
			break
		}
		widths[candidate]--
	}
	return widths
}

// leastImportant returns which of the columns to leave out next, or -1 if none may be.
func (t Table) leastImportant(columns []int) int {
	least := -1
	for _, i := range columns {
		if rank := t.fold(i).Rank; rank > 0 && (least < 0 || rank >= t.fold(least).Rank) {
			least = i
		}
	}
	return least
}

// shortenCells returns the widths of columns after shortening cells, one column after another,
// until the table fits.
func (t Table) shortenCells(columns, widths []int, width int, f frame) []int {
	widths = slices.Clone(widths)
	var order []int // positions in columns
	for at, i := range columns {
		if t.fold(i).Cut > 0 {
			order = append(order, at)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return t.fold(columns[b]).Cut - t.fold(columns[a]).Cut })
	for _, narrowest := range []int{usualCell, minCell} {
		for _, at := range order {
			if excess := f.total(widths) - width; excess > 0 {
				widths[at] = max(min(widths[at], narrowest), widths[at]-excess)
			}
		}
	}
	return widths
}

// Join returns a layout whose [Layout.Note] covers several tables that are shown together.
func Join(all ...Layout) Layout {
	var joined Layout
	for _, l := range all {
		joined.Dropped, joined.Cut = appendNew(joined.Dropped, l.Dropped...), appendNew(joined.Cut, l.Cut...)
		if len(l.Dropped)+len(l.Cut) > 0 {
			joined.Whole = max(joined.Whole, l.Whole)
		}
	}
	return joined
}

// Note returns a line that says what isn't shown and how to see it, such as
// "left out: p, baseline; COLUMNS=112 shows all". It returns "" if everything is shown.
func (l Layout) Note() string {
	var parts []string
	if len(l.Dropped) > 0 {
		parts = append(parts, "left out: "+strings.Join(l.Dropped, ", "))
	}
	if len(l.Cut) > 0 {
		parts = append(parts, "shortened: "+strings.Join(l.Cut, ", "))
	}
	if parts == nil {
		return ""
	}
	return fmt.Sprintf("%s; COLUMNS=%d shows all", strings.Join(parts, "; "), l.Whole)
}

// appendNew appends the names that list doesn't hold yet.
func appendNew(list []string, names ...string) []string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// measure returns the options for measuring text: color sequences have no width, and the width of
// "µ" doesn't depend on the locale.
func measure() displaywidth.Options { return displaywidth.Options{ControlSequences: true} }

// Width returns how many columns of a terminal a line of text occupies.
func Width(s string) int { return measure().String(s) }

// shorten returns s if it occupies at most width columns. Otherwise it returns as much of s as
// fits, with an ellipsis in place of the end or of the middle. It keeps color sequences.
func shorten(s string, width int, end bool) string {
	if Width(s) <= width {
		return s
	}
	room := max(0, width-1) // besides the ellipsis
	after := room / 2       // the part of room after the ellipsis
	if end {
		after = 0
	}
	var units []string
	for g := measure().StringGraphemes(s); g.Next(); {
		units = append(units, g.Value())
	}
	tail, free := len(units), after // units[tail:] follow the ellipsis
	for tail > 0 && Width(units[tail-1]) <= free {
		tail--
		free -= Width(units[tail])
	}
	var b strings.Builder
	free = room - after
	cut := false
	for i, u := range units {
		n := Width(u)
		switch {
		case i >= tail || n == 0 && strings.HasPrefix(u, "\x1b"):
			b.WriteString(u)
		case !cut && n <= free:
			b.WriteString(u)
			free -= n
		case !cut:
			cut = true
			b.WriteString(ellipsis)
		}
	}
	return b.String()
}
