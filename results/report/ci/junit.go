// Package ci writes reports for servers that run tests: JUnit's XML, and annotations of GitHub Actions.
//
// Its input is a [report.Document]. The package judges nothing and reads no files: the same document
// always gives the same bytes.
package ci

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
)

// Bounds of a JUnit file.
const (
	maxCases    = 5_000 // of a suite
	maxCaseText = 500   // runes of a name or a message
)

// JUnit writes the document as JUnit's XML, for servers that show tests: a suite for each scenario,
// with a case "verdict", and a case for each row and each threshold. A regressed row or a failed
// threshold is a failure, an invalid run is an error, and a row that is inconclusive or wasn't
// judged is skipped.
//
// No standard defines the format. The output is valid for the schemas of both Ant and Jenkins:
// attributes and the order of elements are Ant's, the stricter of the two.
func JUnit(w io.Writer, d *report.Document) error {
	shown, _ := bounded.Head(report.WorstFirst(d.Results), report.MaxResults)
	root := junitSuites{}
	for _, r := range shown {
		for _, suite := range junitSuitesOf(r) {
			suite.ID = len(root.Suites)
			root.Suites = append(root.Suites, suite)
		}
	}
	text, err := xml.MarshalIndent(root, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	}
	if err != nil {
		return fmt.Errorf("write JUnit file: %w", err)
	}
	return nil
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	ID         int             `xml:"id,attr"`
	Package    string          `xml:"package,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Hostname   string          `xml:"hostname,attr"` // required by the schema, but a report names no host
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Properties junitProperties `xml:"properties"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitMessage `xml:"skipped"`
	Error   *junitMessage `xml:"error"`
	Failure *junitMessage `xml:"failure"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junitSuitesOf returns the suites of a result, one for each scenario of its rows.
func junitSuitesOf(r *report.Result) []junitSuite {
	names := []string{r.Scenario}
	for _, row := range r.Rows {
		if !slices.Contains(names, row.Scenario) && len(names) < report.MaxResults {
			names = append(names, row.Scenario)
		}
	}
	var list []junitSuite
	for i, name := range names {
		suite := junitSuite{
			Name: caseText(name), Package: "fleetmark", Hostname: "localhost", Time: "0",
			Properties: junitPropertiesOf(r), Out: caseText(r.Headline.Word + ": " + r.Headline.Reason),
		}
		if !r.Measured.IsZero() {
			suite.Timestamp = r.Measured.Format("2006-01-02T15:04:05")
		}
		if i == 0 {
			if run := r.Run; run != nil && run.Finished.After(run.Started) {
				suite.Time = strconv.FormatFloat(run.Finished.Sub(run.Started).Seconds(), 'f', 3, 64)
			}
			suite.add(verdictCase(r))
			for _, o := range r.Thresholds {
				suite.add(thresholdCase(r.Scenario, o))
			}
		}
		for _, row := range r.Rows {
			if row.Scenario == name {
				suite.add(rowCase(row))
			}
		}
		list = append(list, suite)
	}
	return list
}

func (suite *junitSuite) add(c junitCase) {
	if len(suite.Cases) == maxCases {
		suite.Err = fmt.Sprintf("only the first %d cases are in this file", maxCases)
		return
	}
	c.Time = "0"
	suite.Cases = append(suite.Cases, c)
	suite.Tests++
	switch {
	case c.Failure != nil:
		suite.Failures++
	case c.Error != nil:
		suite.Errors++
	case c.Skipped != nil:
		suite.Skipped++
	}
}

// caseClass returns the class of a case: the words, separated by dots. Servers split a class at
// dots, so dots in the words become underscores.
func caseClass(words ...string) string {
	for i, w := range words {
		words[i] = strings.ReplaceAll(caseText(w), ".", "_")
	}
	return strings.Join(words, ".")
}

func caseText(s string) string { return plaintext.Clip(plaintext.Line(s), maxCaseText) }

func verdictCase(r *report.Result) junitCase {
	h := r.Headline
	c := junitCase{Class: caseClass("fleetmark", r.Scenario), Name: "verdict"}
	message := &junitMessage{
		Message: caseText(h.Reason), Type: caseText(h.Word), Text: caseText(strings.Join(r.Invalid, "\n")),
	}
	for _, line := range r.CauseLines() {
		message.Text += "\n" + caseText(line)
	}
	message.Text = strings.TrimPrefix(message.Text, "\n")
	c.judge(h.Verdict, message, caseText(h.Word+": "+h.Reason))
	return c
}

// judge makes the case a failure, an error or skipped, as the verdict says.
func (c *junitCase) judge(v results.Verdict, message *junitMessage, skipped string) {
	switch v {
	case results.Invalid:
		c.Error = message
	case results.Regressed:
		c.Failure = message
	case results.Pass, results.Improved:
	default:
		c.Skipped = &junitMessage{Message: skipped}
	}
}

func rowCase(r report.Row) junitCase {
	c := junitCase{Class: caseClass("fleetmark", r.Scenario, r.Op), Name: caseText(r.Unit.Name)}
	text := caseText(r.Sentence())
	c.judge(r.Verdict, &junitMessage{Message: text, Type: string(r.Verdict)},
		cmp.Or(string(r.Verdict), "not judged")+": "+text)
	return c
}

func thresholdCase(scenario string, o results.ThresholdOutcome) junitCase {
	c := junitCase{Class: caseClass("fleetmark", scenario, "threshold"), Name: caseText(o.Threshold)}
	switch {
	case o.Undecided != "":
		c.Skipped = &junitMessage{Message: "inconclusive: " + caseText(o.Undecided)}
	case !o.Held:
		var parts []string
		switch {
		case o.HasWorst():
			parts = append(parts, "measured "+results.FormatValue(o.Value, o.Unit))
		case o.Windows == nil:
			parts = append(parts, "not measured")
		}
		if o.Windows != nil {
			how, _ := o.Result()
			parts = append(parts, how)
		}
		text := strings.Join(parts, ", ")
		c.Failure = &junitMessage{Message: caseText(text), Type: "threshold"}
	}
	return c
}

func junitPropertiesOf(r *report.Result) junitProperties {
	var p junitProperties
	for _, f := range r.Provenance {
		p.List = append(p.List, junitProperty{caseText(f.Name), caseText(f.Value)})
	}
	if r.Command != "" {
		p.List = append(p.List, junitProperty{"command", caseText(r.Command)})
	}
	return p
}
