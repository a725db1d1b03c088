package benchtext

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// A testEvent is a line of `go test -json`; see `go doc test2json`.
type testEvent struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string // of a package that is built
}

// maxForeign bounds how many lines may stand before the first event, such as the go command's messages
// about downloads.
const maxForeign = 100

// hasTestEvents reports whether text is what `go test -json` printed.
func hasTestEvents(text []byte) bool {
	n := 0
	for line := range bytes.Lines(text) {
		if n++; n > maxForeign {
			return false
		}
		var e testEvent
		if line = bytes.TrimSpace(line); bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &e) == nil && e.Action != "" {
			return true
		}
	}
	return false
}

// joinEvents sets Data to the lines that the outputs of events make. A line of output may come in several
// events, with events between them of packages that run at the same time: outputs are joined by package
// and test. The lines of a package stay together, because a configuration line belongs to those after it.
func (t *Text) joinEvents(text []byte) {
	type outputLine struct {
		text string
		from int
	}
	type source struct{ pkg, test string }
	var packages []string
	whole := map[string][]outputLine{}
	begun, order := map[source]string{}, []source{}
	n := 0
	add := func(s source, output string) {
		if _, ok := whole[s.pkg]; !ok {
			packages, whole[s.pkg] = append(packages, s.pkg), nil
		}
		if _, ok := begun[s]; !ok {
			order = append(order, s)
		}
		rest := begun[s] + output
		for {
			line, after, ended := strings.Cut(rest, "\n")
			if !ended {
				begun[s] = rest
				return
			}
			whole[s.pkg] = append(whole[s.pkg], outputLine{line, n})
			rest = after
		}
	}
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		var e testEvent
		switch {
		case len(line) == 0:
		case line[0] != '{':
			add(source{}, string(line)+"\n") // the go command's own
		default:
			if err := json.Unmarshal(line, &e); err != nil {
				t.damaged(n, string(line), "no event of go test -json: "+err.Error())
				continue
			}
			switch e.Action {
			case "output":
				add(source{e.Package, e.Test}, e.Output)
			case "build-output":
				add(source{pkg: e.ImportPath}, e.Output)
			}
		}
	}
	var b bytes.Buffer
	t.from = []int{}
	write := func(line string, from int) {
		b.WriteString(line + "\n")
		t.from = append(t.from, from)
	}
	for _, pkg := range packages {
		if pkg != "" && !slices.ContainsFunc(whole[pkg], func(l outputLine) bool { return strings.HasPrefix(l.text, "pkg: ") }) {
			write("pkg: "+pkg, 0) // or results would be of the package before
		}
		for _, l := range whole[pkg] {
			write(l.text, l.from)
		}
	}
	for _, s := range order {
		if strings.HasPrefix(begun[s], "Benchmark") {
			t.damaged(n, begun[s], "its end is missing")
		}
	}
	t.Data = b.Bytes()
}
