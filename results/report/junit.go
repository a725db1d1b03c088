package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// Bounds of a JUnit file.
const (
	maxCases    = 5_000 // of a suite
	maxCaseText = 500   // runes of a name or a message
)

// JUnit writes the subjects as JUnit's XML, for servers that show tests: a suite a
// scenario; a case "verdict", one a judged row and one a threshold. What regressed or failed
// is a failure, an invalid run an error, and what can't be told or isn't judged is skipped.
//
// The format has no owner. This is the part that Ant's schema and Jenkins' both take:
// attributes and the order of elements are Ant's, the stricter of the two.
func JUnit(w io.Writer, subjects ...*Subject) error {
	told, _ := first(worstFirst(subjects), maxSubjects)
	root := junitSuites{}
	for _, s := range told {
		for _, suite := range suites(s) {
			suite.ID = len(root.Suites)
			root.Suites = append(root.Suites, suite)
		}
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	err := enc.Encode(root)
	if err == nil {
		b.WriteByte('\n')
		_, err = w.Write(b.Bytes())
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
	Hostname   string          `xml:"hostname,attr"` // the schema wants one, and a report names no host
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

// suites are a subject's, by scenario as its rows have them.
func suites(s *Subject) []junitSuite {
	rows := s.judgement().Rows
	names := []string{s.Scenario}
	for _, r := range rows {
		if !slices.Contains(names, r.Scenario) && len(names) < maxSubjects {
			names = append(names, r.Scenario)
		}
	}
	var list []junitSuite
	for i, name := range names {
		suite := junitSuite{
			Name: plain(name), Package: "fleetmark", Hostname: "localhost", Time: "0", Properties: properties(s),
			Out: plain(s.headline().Word + ": " + s.headline().Reason),
		}
		if at := s.measured(); !at.IsZero() {
			suite.Timestamp = at.Format("2006-01-02T15:04:05")
		}
		if run := s.Now.Run; run != nil && i == 0 && run.Finished.After(run.Started) {
			suite.Time = strconv.FormatFloat(run.Finished.Sub(run.Started).Seconds(), 'f', 3, 64)
		}
		if i == 0 {
			suite.add(verdictCase(s))
			for _, o := range s.thresholds() {
				suite.add(thresholdCase(s, o))
			}
		}
		for _, r := range rows {
			if r.Scenario == name {
				suite.add(rowCase(r))
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

// class is a case's class, from words that hold no dot of their own, since servers fold
// classes at dots.
func class(words ...string) string {
	for i, w := range words {
		words[i] = strings.ReplaceAll(plain(w), ".", "_")
	}
	return strings.Join(words, ".")
}

func plain(s string) string { return clip(page.Plain(s), maxCaseText) }

func verdictCase(s *Subject) junitCase {
	h := s.headline()
	c := junitCase{Class: class("fleetmark", s.Scenario), Name: "verdict"}
	message := &junitMessage{Message: plain(h.Reason), Type: plain(h.Word), Text: plain(strings.Join(s.invalid(), "\n"))}
	for _, line := range s.why() {
		message.Text += "\n" + plain(line)
	}
	message.Text = strings.TrimPrefix(message.Text, "\n")
	switch results.Verdict(h.Kind) {
	case results.Invalid:
		c.Error = message
	case results.Regressed:
		c.Failure = message
	case results.Pass, results.Improved:
	default:
		c.Skipped = &junitMessage{Message: plain(h.Word + ": " + h.Reason)}
	}
	return c
}

func rowCase(r results.JudgedRow) junitCase {
	c := junitCase{Class: class("fleetmark", r.Scenario, r.Op), Name: plain(r.Unit)}
	said := plain(rowSentence(r))
	switch r.Verdict {
	case results.Regressed:
		c.Failure = &junitMessage{Message: said, Type: string(r.Verdict)}
	case results.Invalid:
		c.Error = &junitMessage{Message: said, Type: string(r.Verdict)}
	case results.Pass, results.Improved:
	case results.Inconclusive:
		c.Skipped = &junitMessage{Message: "inconclusive: " + said}
	default:
		c.Skipped = &junitMessage{Message: "not judged: " + said}
	}
	return c
}

func thresholdCase(s *Subject, o results.ThresholdOutcome) junitCase {
	c := junitCase{Class: class("fleetmark", s.Scenario, "threshold"), Name: plain(o.Threshold)}
	if !o.Held {
		said := "not measured"
		if o.Measured {
			said = "measured " + results.FormatValue(o.Value, o.Unit)
		}
		c.Failure = &junitMessage{Message: plain(said), Type: "threshold"}
	}
	return c
}

func properties(s *Subject) junitProperties {
	var p junitProperties
	for _, f := range s.where() {
		p.List = append(p.List, junitProperty{plain(f.name), plain(f.value)})
	}
	if command := s.command(); command != "" {
		p.List = append(p.List, junitProperty{"command", plain(command)})
	}
	return p
}
