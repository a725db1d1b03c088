package fault

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/markdown"
)

// TestFaultsPage writes the tables of docs/reference/faults.md. What a kind does comes from the
// comment above the function that returns its row, the rest from the row.
func TestFaultsPage(t *testing.T) {
	docs := kindComments(t)
	used := map[string]bool{}
	rows := map[Point][][]string{}
	var last string
	for _, k := range Table() {
		name := k.Name
		switch {
		case docs[name] != "":
		case strings.HasPrefix(name, "redirect-"):
			name = "redirects"
		case strings.HasPrefix(name, "status"):
			name = "statuses"
		}
		require.NotEmpty(t, docs[name], k.Name)
		used[name] = true
		row := []string{"`" + k.Name + "`", parametersOf(k), docs[name], applied(t, k)}
		table := rows[k.Point]
		if name == last && len(table) > 0 && table[len(table)-1][1] == row[1] {
			table[len(table)-1][0] += " " + row[0] // one row for the kinds of a family
			continue
		}
		last = name
		rows[k.Point] = append(table, row)
	}
	require.Len(t, used, len(docs), "a comment is of no kind")
	for point, part := range map[Point]string{
		PointConnect: "connect", PointReuse: "reuse", PointUpload: "upload", PointBody: "body",
		PointInstall: "install", PointResponse: "response", PointReport: "report",
	} {
		require.NotEmpty(t, rows[point], part)
		docpage.Check(t, "reference/faults.md", part,
			docpage.Table([]string{"fault", "parameters", "what it does", "update applied"}, rows[point]))
		delete(rows, point)
	}
	require.Empty(t, rows)
}

// kindComments returns the comments above the functions that return rows of the table, by the name
// that each begins with.
func kindComments(t *testing.T) map[string]string {
	docs := map[string]string{}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	comment := regexp.MustCompile(`(?m)((?:^// .*\n)+)^func \w+\(\) (?:\[\])?Kind \{`)
	for _, file := range files {
		if file == "kind.go" {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range comment.FindAllStringSubmatch(string(text), -1) {
			words := strings.Join(strings.Fields(strings.ReplaceAll(m[1], "// ", "")), " ")
			name, doc, ok := strings.Cut(words, ": ")
			require.True(t, ok, "%s: want a comment such as // refuse: what it does.", file)
			docs[name] = markdown.Escape(strings.ToUpper(doc[:1]) + doc[1:])
		}
	}
	return docs
}

// parametersOf lists the parameters of a kind, each with its default.
func parametersOf(k Kind) string {
	var list []string
	for _, name := range k.Params.Names() {
		text := "`" + name + "`"
		switch {
		case name == "delay" && !k.Defaults.Delay.IsZero():
			text += " (" + k.Defaults.Delay.String() + ")"
		case name == "status" && k.Defaults.Status != 0:
			text += " (" + strconv.Itoa(k.Defaults.Status) + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// applied returns what becomes of an update on which a fault acts.
func applied(t *testing.T, k Kind) string {
	words := map[string]string{
		"slow-read": "yes", "no-continue": "yes", "corrupt": "yes, with another content, unless it is answered 400",
		"duplicate":        "yes",
		"reset-mid-upload": "no", "close-mid-upload": "no", "stall-mid-upload": "no", "early-4xx": "no", "status-417": "no",
		"no-chunked": "no",
		"status-202": "yes, after the delay", "reboot": "yes", "failed-install": "no", "rollback": "yes, and undone",
	}
	switch k.Point {
	case PointConnect, PointReuse:
		return "no"
	case PointResponse:
		return map[bool]string{true: "yes", false: "no"}[k.Forced == Unforced]
	case PointReport:
		return "–"
	}
	require.NotEmpty(t, words[k.Name], k.Name)
	return cmp.Or(words[k.Name], "?")
}
