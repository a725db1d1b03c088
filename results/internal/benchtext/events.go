package benchtext

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// A testEvent is a line of the output of `go test -json`; see `go doc test2json`.
type testEvent struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string // of a package that is being built
}

// maxForeign bounds how many lines may precede the first event, such as the go command's messages
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
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &e) == nil && e.Action != "" {
			return true
		}
	}
	return false
}

// joinEvents sets Data to the lines of output that the events in text carry. A line may come in
// several events, interleaved with events of packages that run at the same time, so outputs are
// joined by package and test. The lines of a package stay together, because a configuration line
// applies to the lines after it.
func (t *Text) joinEvents(text []byte) {
	type outputLine struct {
		text string
		from int // the line of the file
	}
	isPackageLine := func(l outputLine) bool { return strings.HasPrefix(l.text, "pkg: ") }
	type source struct{ pkg, test string }
	var packages []string
	whole := map[string][]outputLine{}
	partial, order := map[source]string{}, []source{}
	n := 0
	add := func(s source, output string) {
		if _, ok := whole[s.pkg]; !ok {
			packages, whole[s.pkg] = append(packages, s.pkg), nil
		}
		if _, ok := partial[s]; !ok {
			order = append(order, s)
		}
		rest := partial[s] + output
		for {
			line, after, ended := strings.Cut(rest, "\n")
			if !ended {
				partial[s] = rest
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
			add(source{}, string(line)+"\n") // a message of the go command
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
		if named := slices.ContainsFunc(whole[pkg], isPackageLine); pkg != "" && !named {
			write("pkg: "+pkg, 0) // otherwise its results would belong to the package before
		}
		for _, l := range whole[pkg] {
			write(l.text, l.from)
		}
	}
	for _, s := range order {
		if strings.HasPrefix(partial[s], "Benchmark") {
			t.damaged(n, partial[s], "its end is missing")
		}
	}
	t.Data = b.Bytes()
}
