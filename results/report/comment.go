package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/internal/page"
)

// MaxComment is how many characters a comment of a pull request may have.
const MaxComment = 65_536

// maxSubjects is how many scenarios a comment, a JUnit file or annotations tell of one by one.
const maxSubjects = 100

// Comment writes what stands in a pull request: a paragraph a subject, the verdict first,
// and the rest folded. It has at most [MaxComment] characters, whatever the input, and is
// fit for GITHUB_STEP_SUMMARY as well.
func Comment(w io.Writer, subjects ...*Subject) error {
	tries := []limits{
		{rows: 200, text: 300, long: 2000, list: 20},
		{rows: 60, text: 160, long: 1000, list: 10},
		{rows: 20, text: 80, long: 300, list: 5},
		{rows: 5, text: 60, long: 0, list: 3},
		{rows: 0, text: 40, long: 0, list: 1},
		{text: 40, brief: true},
	}
	subjects = worstFirst(subjects)
	return fit(w, "comment", characters, MaxComment, tries, func(l limits) ([]byte, error) {
		var b bytes.Buffer
		told, left := first(subjects, maxSubjects)
		for i, s := range told {
			if i > 0 {
				b.WriteString("\n---\n\n")
			}
			c := &comment{Subject: s, limits: l, out: &b}
			if err := c.write(); err != nil {
				return nil, err
			}
		}
		if left > 0 {
			fmt.Fprintf(&b, "\n%s more, none of them worse.\n", count(left, "scenario"))
		}
		return b.Bytes(), nil
	})
}

// worstFirst orders subjects so that the first line of a comment is its worst news.
func worstFirst(subjects []*Subject) []*Subject {
	of := make(map[string][]*Subject)
	for _, s := range subjects {
		kind := s.headline().Kind
		of[kind] = append(of[kind], s)
	}
	var ordered []*Subject
	kinds := []string{string(results.Invalid), string(results.Regressed), string(results.Inconclusive), "none", string(results.Improved), string(results.Pass)}
	for _, kind := range kinds {
		ordered = append(ordered, of[kind]...)
	}
	return ordered
}

type comment struct {
	*Subject
	limits
	out *bytes.Buffer
}

func (c *comment) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

func (c *comment) prose(s string) string { return prose(clip(s, c.text)) }

// badge is the verdict's symbol as servers show it in colour; the word stands beside it.
func (h headline) badge() string {
	switch results.Verdict(h.Kind) {
	case results.Pass, results.Improved:
		return "✅"
	case results.Regressed:
		return "❌"
	case results.Inconclusive:
		return "⚠️"
	case results.Invalid:
		return "⛔"
	}
	return "➖"
}

func (c *comment) write() error {
	h := c.headline()
	c.printf("%s **%s: %s**: %s.\n\n", h.badge(), prose(clip(c.Scenario, 80)), prose(clip(h.Word, 40)), prose(clip(h.Reason, max(c.text, 200))))
	if c.brief {
		return nil
	}
	if line := c.sides(); line != "" {
		c.printf("%s\n\n", prose(clip(line, max(c.text, 200))))
	}
	c.sentences("Invalid: ", c.invalid())
	if status := c.unended(); status != "" {
		c.printf("The run is **%s**: it holds the %s that ended before.\n\n", status, count(c.Now.repetitions(), "repetition"))
	}
	j := c.judgement()
	if rows := notable(j.Rows); len(rows) > 0 {
		if err := c.rows(rows, j.HasBaseline, min(c.limits.rows, 15)); err != nil {
			return err
		}
	}
	c.why()
	sections := []struct {
		summary string
		write   func() error
	}{
		{c.thresholdSummary(), c.thresholdTable},
		{c.metricSummary(), func() error { return c.rows(j.Rows, j.HasBaseline, c.limits.rows) }},
		{"What became of the devices", c.outcome},
		{"Warnings and notes", c.remarks},
		{"Where it was measured, and how to reproduce", c.circumstances},
	}
	for _, s := range sections {
		before := c.out.Len()
		c.printf("<details><summary>%s</summary>\n\n", s.summary)
		begun := c.out.Len()
		if err := s.write(); err != nil {
			return err
		}
		if c.out.Len() == begun {
			c.out.Truncate(before)
			continue
		}
		c.printf("\n</details>\n\n")
	}
	return nil
}

func (c *comment) sentences(before string, list []string) {
	told, left := first(list, c.list)
	for _, s := range told {
		c.printf("- %s%s\n", before, c.prose(s))
	}
	if left > 0 {
		c.printf("- %d more\n", left)
	}
	if len(list) > 0 {
		c.printf("\n")
	}
}

func (c *comment) rows(rows []results.JudgedRow, hasBaseline bool, most int) error {
	told, left := first(rows, most)
	if len(told) > 0 {
		t, notes := metricTable(told, hasBaseline, c.prose)
		if err := t.Markdown(c.out); err != nil {
			return err
		}
		if len(notes) > 0 {
			c.printf("\n%s", strings.Join(notes, ""))
		}
	}
	if left > 0 {
		c.printf("\n%s left out here.\n", count(left, "row"))
	}
	if len(rows) > 0 {
		c.printf("\n")
	}
	return nil
}

func (c *comment) metricSummary() string {
	j := c.judgement()
	if !j.HasBaseline {
		return fmt.Sprintf("%s, without a baseline", count(len(j.Rows), "metric"))
	}
	judged := 0
	for _, r := range j.Rows {
		if r.Verdict != "" {
			judged++
		}
	}
	return fmt.Sprintf("%s, %d of them judged", count(len(j.Rows), "metric"), judged)
}

func (c *comment) thresholdSummary() string {
	list := c.thresholds()
	return fmt.Sprintf("%s, %d failed", count(len(list), "threshold"), len(results.FailedThresholds(list)))
}

func (c *comment) thresholdTable() error {
	list, left := first(c.thresholds(), c.limits.rows)
	if len(list) == 0 {
		return nil
	}
	t := page.Table{Header: []string{"threshold", "measured", "result"}, Align: "lrl"}
	for _, o := range list {
		value, result := "–", "held"
		if o.Measured {
			value = c.prose(results.FormatValue(o.Value, o.Unit))
		}
		switch {
		case !o.Measured:
			result = "**failed**: not measured"
		case !o.Held:
			result = "**failed**"
		}
		t.Rows = append(t.Rows, []string{c.prose(o.Threshold), value, result})
	}
	if err := t.Markdown(c.out); err != nil {
		return err
	}
	if left > 0 {
		c.printf("\n%s left out here.\n", count(left, "threshold"))
	}
	return nil
}

func (c *comment) outcome() error {
	run := c.Now.Run
	if run == nil {
		return nil
	}
	c.printf("%s: %s\n", run.Counts, map[bool]string{true: "by the client's word only.", false: "by the fleet's ledger."}[run.ClientsWordOnly])
	return nil
}

func (c *comment) remarks() error {
	c.sentences("Warning: ", c.warnings())
	c.sentences("", c.notes())
	return nil
}

func (c *comment) circumstances() error {
	t := page.Table{Header: []string{"what", "value"}}
	for _, f := range c.where() {
		value := c.prose(f.value)
		if f.code {
			value = page.Code(clip(f.value, c.text))
		}
		t.Rows = append(t.Rows, []string{c.prose(f.name), value})
	}
	if run := c.Now.Run; run != nil {
		t.Rows = append(t.Rows, []string{"seed", strconv.FormatUint(run.Seed, 10)})
	}
	if len(t.Rows) > 0 {
		if err := t.Markdown(c.out); err != nil {
			return err
		}
	}
	if command := c.command(); command != "" && runes(command) <= c.long {
		c.printf("\n")
		return page.Fence(c.out, "sh", command)
	}
	return nil
}
