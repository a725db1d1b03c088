package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// goldenForms renders every input in every text form. The key is the form and the input.
func goldenForms(t *testing.T) map[string]string {
	t.Helper()
	forms := map[string]string{}
	text := func(form, name string, render func(io.Writer) error) {
		t.Helper()
		var b bytes.Buffer
		require.NoError(t, render(&b))
		forms[form+"/"+name] = b.String()
	}
	files := func(name string, d *report.Document) {
		t.Helper()
		if slices.Contains(goldenPages(), name) {
			text("html", name, func(w io.Writer) error { return htmlpage.Write(w, d, "gate") })
		}
		text("comment", name, func(w io.Writer) error { return report.Comment(w, d) })
		text("junit", name, func(w io.Writer) error { return ci.JUnit(w, d) })
		text("annotations", name, func(w io.Writer) error { return ci.Annotations(w, d) })
	}
	terminal := func(form, name string, d *report.Document, style report.Style) {
		t.Helper()
		text(form, name, func(w io.Writer) error { return report.Terminal(w, d, style) })
	}
	narrow := report.Style{Style: texttable.Style{Width: 60}}
	for name, c := range goldenRuns() {
		d := c.document(report.ModeRun)
		terminal("run", name, d, report.Style{})
		terminal("run-all", name, d, report.Style{All: true})
		terminal("run-60", name, d, narrow)
		text("markdown", name, func(w io.Writer) error { return report.Markdown(w, d) })
		terminal("report-60", name, c.document(report.ModeReport), narrow)
		files("run-"+name, d)
	}
	for name, d := range goldenGates() {
		d.Gate.Revision = ""
		terminal("gate", name, d, report.Style{All: true})
		terminal("gate-60", name, d, report.Style{Style: texttable.Style{Width: 60, Color: true}})
		files("gate-"+name, d)
	}
	for name, d := range goldenTurns() {
		terminal("base", name, d, report.Style{})
		terminal("base-60", name, d, narrow)
		files("base-"+name, d)
		text("markdown", "base-"+name, func(w io.Writer) error { return report.Markdown(w, d) })
	}
	return forms
}

// updateGolden names the environment variable that makes the tests rewrite the golden files.
const updateGolden = "FLEETMARK_UPDATE_GOLDEN"

var (
	styleOf   = regexp.MustCompile(`(?s)<style>.*?</style>`)
	drawingOf = regexp.MustCompile(`(?s)(<desc id="[^"]*">[^<]*</desc>)(.*?)(</svg>)`)
)

// goldenPage returns a page of HTML without its style sheet, and with a digest in the place of each
// drawing. How the last bit of a coordinate is rounded depends on the processor, so only one
// architecture compares the digests.
func goldenPage(page string) string {
	page = styleOf.ReplaceAllString(page, "<style></style>")
	return drawingOf.ReplaceAllStringFunc(page, func(svg string) string {
		parts := drawingOf.FindStringSubmatch(svg)
		digest := ""
		if runtime.GOARCH == "amd64" {
			digest = fmt.Sprintf("drawing %.6x", sha256.Sum256([]byte(parts[2])))
		}
		return parts[1] + digest + parts[3]
	})
}

// TestGoldenForms compares every text form of fixed inputs with its golden file. A file holds all
// inputs of one form.
func TestGoldenForms(t *testing.T) {
	forms := goldenForms(t)
	files := map[string]*strings.Builder{}
	for _, key := range slices.Sorted(maps.Keys(forms)) {
		form, name, _ := strings.Cut(key, "/")
		if files[form] == nil {
			files[form] = &strings.Builder{}
		}
		text := forms[key]
		if form == "html" {
			text = goldenPage(text)
		}
		fmt.Fprintf(files[form], "-- %s --\n%s\n", name, text)
	}
	for form, got := range files {
		t.Run(form, func(t *testing.T) {
			compareGolden(t, filepath.Join("testdata", "golden", form+".txt"), got.String())
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv(updateGolden) != "" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	text := string(want)
	if runtime.GOARCH != "amd64" {
		text = regexp.MustCompile(`drawing [0-9a-f]{12}`).ReplaceAllString(text, "")
	}
	require.Equal(t, text, got)
}

// goldenObjects returns what the four commands print with --json, by mode and input.
func goldenObjects(t *testing.T) map[string]map[string]any {
	t.Helper()
	objects := map[string]map[string]any{"run": {}, "gate": {}, "base": {}, "report": {}}
	add := func(mode, name string, d *report.Document) {
		t.Helper()
		var b bytes.Buffer
		require.NoError(t, report.JSON(&b, d))
		var object any
		require.NoError(t, json.Unmarshal(b.Bytes(), &object))
		objects[mode][name] = object
	}
	for name, c := range goldenRuns() {
		add("run", name, c.document(report.ModeRun))
		add("report", name, c.document(report.ModeReport))
	}
	for name, d := range goldenGates() {
		add("gate", name, d)
	}
	for name, d := range goldenTurns() {
		add("base", name, d)
		d.Mode = report.ModeReport
		add("report", "base-"+name, d)
	}
	return objects
}

// jsonPaths adds each path below value with its type: "judgement[].now.n number".
func jsonPaths(paths map[string]bool, path string, value any) {
	add := func(kind string) { paths[path+" "+kind] = true }
	switch v := value.(type) {
	case map[string]any:
		add("object")
		for name, field := range v {
			jsonPaths(paths, path+"."+name, field)
		}
	case []any:
		add("array")
		for _, item := range v {
			jsonPaths(paths, path+"[]", item)
		}
	case string:
		add("string")
	case float64:
		add("number")
	case bool:
		add("boolean")
	case nil:
		add("null")
	}
}

// TestJSONKeepsItsPaths compares the paths of every object that a command prints with --json with
// those in a golden file. A path may be added, but none may go or change its type.
func TestJSONKeepsItsPaths(t *testing.T) {
	paths := map[string]bool{}
	for mode, objects := range goldenObjects(t) {
		for _, object := range objects {
			jsonPaths(paths, mode, object)
		}
	}
	file := filepath.Join("testdata", "golden", "jsonpaths.txt")
	if os.Getenv(updateGolden) != "" {
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(slices.Sorted(maps.Keys(paths)), "\n")+"\n"), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(want)), "\n")
	require.Greater(t, len(lines), 200)
	for _, line := range lines {
		require.True(t, paths[line], "%s is gone", line)
	}
}
