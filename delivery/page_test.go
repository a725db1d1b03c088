package delivery

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

const referencePage = "reference/delivery.md"

// TestReferencePage writes the tables of docs/reference/delivery.md, and checks that the page has
// every class.
func TestReferencePage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	for _, name := range []string{
		"Config", "Timeouts", "LeastProgress", "Retry", "RetryBudget", "Breaker", "Credentials", "Stats", "Report",
		"Timeline",
	} {
		docpage.Check(t, referencePage, name, source.StructTable(t, name))
	}
	docpage.Check(t, referencePage, "status", statusTable())
	docpage.Check(t, referencePage, "settlement", settlementTable(t))

	page, err := os.ReadFile(filepath.Join("..", "docs", filepath.FromSlash(referencePage)))
	require.NoError(t, err)
	for _, class := range classNames[ClassUnknown+1:] {
		require.Contains(t, string(page), "\n| `"+class+"` |")
	}
}

// statusTable returns the class of every status from 100 to 599, except for the successes of the
// two requests.
func statusTable() string {
	classOf := func(status int) string {
		now, later := classOfStatus(status, false), classOfStatus(status, true)
		if now != later {
			return fmt.Sprintf("`%s`, with `Retry-After` `%s`", now, later)
		}
		return fmt.Sprintf("`%s`", now)
	}
	var rows [][]string
	for first := 100; first <= 599; {
		last := first
		for last < 599 && last+1 != 200 && last != 200 && classOf(last+1) == classOf(first) {
			last++
		}
		codes := fmt.Sprintf("%d to %d", first, last)
		if first == last {
			codes = fmt.Sprint(first)
		}
		if first != 200 {
			rows = append(rows, []string{codes, classOf(first)})
		}
		first = last + 1
	}
	return docpage.Table([]string{"status", "class"}, rows)
}

// settlementTable returns the table in the comment of settlement.
func settlementTable(t *testing.T) string {
	text, err := os.ReadFile("settlement.go")
	require.NoError(t, err)
	var rows [][]string
	row := regexp.MustCompile(`(?m)^//[ \t]+(\d+)  (\w.+?)\r?$`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		cells := append([]string{m[1]}, regexp.MustCompile(` {2,}`).Split(m[2], -1)...)
		if len(cells) == 4 {
			cells = append(cells, "–")
		}
		require.Len(t, cells, 5, m[0])
		rows = append(rows, cells)
		require.Equal(t, strconv.Itoa(len(rows)), m[1])
	}
	require.GreaterOrEqual(t, len(rows), 15)
	return docpage.Table([]string{"", "state", "the request", "what follows", "next state"}, rows)
}
