package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
)

func junitOf(t testing.TB, inputs ...*report.Input) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, ci.JUnit(&b, documentOf(inputs...)))
	return b.Bytes()
}

// TestJUnitIsReadByAnotherParser checks that a parser that we didn't write finds each case with its
// status.
func TestJUnitIsReadByAnotherParser(t *testing.T) {
	suites, err := junit.Ingest(junitOf(t, wholeInput(), gateInput()))
	require.NoError(t, err)
	require.Len(t, suites, 2)
	gate, whole := suites[0], suites[1]
	if gate.Name != "throughput" {
		gate, whole = whole, gate
	}
	require.Equal(t, "rollout", whole.Name)
	require.Equal(t, junit.Totals{Tests: 10, Passed: 6, Failed: 3, Skipped: 1}, gate.Totals)
	require.Equal(t, "0badcafe", gate.Properties["revision"])
	require.Contains(t, gate.Properties["machine"], "Example CPU")
	status := map[string]junit.Status{}
	for _, c := range gate.Tests {
		status[c.Classname+" "+c.Name] = c.Status
	}
	require.Equal(t, junit.StatusFailed, status["fleetmark.throughput verdict"])
	require.Equal(t, junit.StatusFailed, status["fleetmark.throughput.push p99-ns/op"])
	require.Equal(t, junit.StatusSkipped, status["fleetmark.throughput.push cpu-ns/op"])
	require.Equal(t, junit.StatusPassed, status["fleetmark.throughput.push B/op"])
	status = map[string]junit.Status{}
	for _, c := range whole.Tests {
		status[c.Name] = c.Status
	}
	require.Equal(t, junit.StatusFailed, status["failed/device == 0"])
	require.Equal(t, junit.StatusPassed, status["ops/s > 1/s"])
	require.Equal(t, junit.StatusFailed, status["p99-ns/op < 1s"])
}

func TestJUnitOfAnInvalidRunIsAnError(t *testing.T) {
	run := testRun()
	run.Valid, run.Invalid = false, []string{"the fleet was saturated"}
	suites, err := junit.Ingest(junitOf(t, runInput(run, nil)))
	require.NoError(t, err)
	require.Equal(t, junit.Totals{Tests: 3, Error: 1, Skipped: 2}, suites[0].Totals)
	require.Equal(t, "the fleet was saturated", suites[0].Tests[0].Message)
}

// TestJUnitKeepsTheSchema checks every kind of document against the rules of Ant's schema, which
// are written down here: the elements that each element may hold, their order, and the required
// attributes.
func TestJUnitKeepsTheSchema(t *testing.T) {
	must := map[string][]string{
		"testsuite": {"name", "id", "package", "hostname", "tests", "failures", "errors", "time"},
		"property":  {"name", "value"}, "testcase": {"name", "classname", "time"}, "failure": {"type"}, "error": {"type"},
	}
	may := map[string][]string{"testsuite": {"skipped", "timestamp"}, "failure": {"message"}, "error": {"message"},
		"skipped": {"message"}}
	order := map[string][]string{
		"":           {"testsuites"},
		"testsuites": {"testsuite"}, "testsuite": {"properties", "testcase", "system-out", "system-err"},
		"properties": {"property"}, "testcase": {"skipped", "error", "failure"},
	}
	for name, s := range inputs() {
		t.Run(name, func(t *testing.T) {
			text := junitOf(t, s, s)
			d := xml.NewDecoder(bytes.NewReader(text))
			type element struct {
				name     string
				at       int // index in order[name] of its last child
				children map[string]int
				attrs    map[string]string
			}
			stack := []*element{{children: map[string]int{}}}
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, "%s", text)
				parent := stack[len(stack)-1]
				switch token := token.(type) {
				case xml.StartElement:
					name := token.Name.Local
					for parent.at < len(order[parent.name]) && order[parent.name][parent.at] != name {
						parent.at++
					}
					require.Less(t, parent.at, len(order[parent.name]), "<%s> in <%s>", name, parent.name)
					parent.children[name]++
					e := &element{name: name, children: map[string]int{}, attrs: map[string]string{}}
					for _, a := range token.Attr {
						e.attrs[a.Name.Local] = a.Value
						require.Contains(t, append(may[name], must[name]...), a.Name.Local, name)
					}
					for _, a := range must[name] {
						require.Contains(t, e.attrs, a, name)
					}
					stack = append(stack, e)
				case xml.EndElement:
					e := parent
					stack = stack[:len(stack)-1]
					switch e.name {
					case "testcase":
						require.LessOrEqual(t, e.children["skipped"]+e.children["error"]+e.children["failure"], 1)
					case "testsuite":
						require.Equal(t, strconv.Itoa(e.children["testcase"]), e.attrs["tests"])
						require.Equal(t, 1, e.children["system-out"])
						require.Equal(t, 1, e.children["properties"])
						if at, ok := e.attrs["timestamp"]; ok {
							require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`, at)
						}
					}
				}
			}
			require.Len(t, stack, 1)
			_, err := junit.Ingest(text)
			require.NoError(t, err)
		})
	}
}

func TestJUnitIsBounded(t *testing.T) {
	testenv.SlowRaced(t)
	s := hostileInput(6_000, 0)
	text := junitOf(t, s)
	require.Contains(t, string(text), "only the first 5000 cases are in this file")
	require.Less(t, len(text), 20<<20)
	_, err := junit.Ingest(text)
	require.NoError(t, err)
}

func TestAnnotations(t *testing.T) {
	for name, c := range map[string]struct {
		s    *report.Input
		want string
	}{
		"a pass": {runInput(testRun(), judgement(testRun())),
			"::notice title=Fleetmark rollout%3A pass::1 metric judged, none beyond its tolerance; 1 metric not judged (the baseline is from another machine)\n"},
		"no verdict": {runInput(testRun(), nil),
			"::warning title=Fleetmark rollout%3A no verdict::no baseline to hold the run against\n"},
		"a gate": {gateInput(), "::error title=Fleetmark throughput%3A regressed::push p99-ns/op went from 1.32ms to 1.43ms (+8.0%25), and 1 other metric\n" +
			"::error title=throughput push ns/op%3A regressed::1.01ms ± 2%25 -> 1.09ms ± 2%25 (+8.0%25), ratio ×1.080 (1.064 to 1.098), p<0.001\n" +
			"::error title=throughput push p99-ns/op%3A regressed::1.32ms ± 2%25 -> 1.43ms ± 2%25 (+8.0%25), ratio ×1.080 (1.064 to 1.098), p<0.001\n" +
			"::warning title=throughput push cpu-ns/op%3A inconclusive::31.1µs ± 2%25 -> 32.3µs ± 2%25 (+3.9%25), ratio ×1.039 (1.024 to 1.057), p<0.001; the pairs disagree: repeat more often\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, ci.Annotations(&b, documentOf(c.s)))
			require.Equal(t, c.want, b.String())
		})
	}
}

// TestAnnotationsCannotBeForged checks that hostile text can't add a workflow command, and that the
// number and length of commands are bounded.
func TestAnnotationsCannotBeForged(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, ci.Annotations(&b, documentOf(hostileInput(100, 10_000))))
	n := map[string]int{}
	for line := range strings.Lines(b.String()) {
		require.Regexp(t, `^::(error|warning|notice) title=[^:,\r\n]*::[^\r\n]*\n$`, line)
		require.NotRegexp(t, `%(?:[^0-9]|$)`, line, "each percent sign is an escape")
		require.Less(t, len(line), 10_000)
		n[line[:7]]++
	}
	require.Equal(t, map[string]int{"::error": 10, "::warni": 10}, n)
}
