package report

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
)

const (
	// MaxComment is the largest number of characters in a comment of a pull request.
	MaxComment = 65_536

	// MaxResults bounds how many scenarios a form shows.
	MaxResults = 100
)

// Comment writes a comment for a pull request: a paragraph for each result, with the verdict first,
// and the rest folded. The comment has at most [MaxComment] characters, whatever the input, and is
// suitable for GITHUB_STEP_SUMMARY too.
func Comment(w io.Writer, d *Document) error {
	steps := []bounded.Limits{
		{Rows: 200, Text: 300, Block: 2000, List: 20},
		{Rows: 60, Text: 160, Block: 1000, List: 10},
		{Rows: 20, Text: 80, Block: 300, List: 5},
		{Rows: 5, Text: 60, Block: 0, List: 3},
		{Rows: 0, Text: 40, Block: 0, List: 1},
		{Text: 40, Brief: true},
	}
	form := bounded.Document{Name: "comment", Max: MaxComment, Size: bounded.Characters}
	return form.Render(w, steps, func(l bounded.Limits) ([]byte, error) {
		c := &commentPage{limits: l}
		c.prose = func(s string) string { return escapeComment(plaintext.Clip(s, l.Text)) }
		c.code = func(s string) string { return markdown.Code(plaintext.Clip(s, l.Text)) }
		shown, omitted := bounded.Head(WorstFirst(d.Results), MaxResults)
		for i, r := range shown {
			if i > 0 {
				c.printf("\n---\n\n")
			}
			c.r = r
			c.write()
		}
		if omitted > 0 {
			c.printf("\n%s more, none of them worse.\n", plaintext.Count(omitted, "scenario"))
		}
		return c.out.Bytes(), c.err
	})
}

// A commentPage writes one result after the other, clipped to the limits.
type commentPage struct {
	markdownPage
	limits bounded.Limits
}

func (c *commentPage) write() {
	h, long := c.r.Headline, max(c.limits.Text, 200)
	clipped := func(s string, n int) string { return escapeComment(plaintext.Clip(s, n)) }
	c.printf("%s **%s: %s**: %s.\n\n", lookOf(h.Verdict).badge,
		clipped(c.r.Scenario, 80), clipped(h.Word, 40), clipped(h.Reason, long))
	if c.limits.Brief {
		return
	}
	if c.r.Comparison != "" {
		c.printf("%s\n\n", clipped(c.r.Comparison, long))
	}
	c.sentences("Invalid: ", c.r.Invalid)
	if sentence := c.r.EndSentence("**"); sentence != "" {
		c.printf("%s\n\n", sentence)
	}
	c.firstRows(ChangedRows(c.r.Rows), min(c.limits.Rows, 15))
	c.causes()
	c.folded(c.thresholdSummary(), c.thresholds)
	c.folded(c.metricSummary(), func() { c.firstRows(c.r.Rows, c.limits.Rows) })
	c.folded("What became of the devices", c.outcome)
	c.folded("Warnings and notes", c.remarks)
	c.folded("Where it was measured, and how to reproduce", c.circumstances)
}

// folded writes a folded block with what write writes, or nothing if it writes nothing.
func (c *commentPage) folded(summary string, write func()) {
	start := c.out.Len()
	c.printf("<details><summary>%s</summary>\n\n", summary)
	empty := c.out.Len()
	write()
	if c.out.Len() == empty {
		c.out.Truncate(start)
		return
	}
	c.printf("\n</details>\n\n")
}

func (c *commentPage) sentences(prefix string, list []string) {
	shown, omitted := bounded.Head(list, c.limits.List)
	for _, s := range shown {
		c.printf("- %s%s\n", prefix, c.prose(s))
	}
	if omitted > 0 {
		c.printf("- %d more\n", omitted)
	}
	if len(list) > 0 {
		c.printf("\n")
	}
}

func (c *commentPage) firstRows(rows []Row, limit int) {
	shown, omitted := bounded.Head(rows, limit)
	if len(shown) > 0 {
		c.rows(shown)
	}
	if omitted > 0 {
		c.printf("\n%s left out here.\n", plaintext.Count(omitted, "row"))
	}
	if len(rows) > 0 {
		c.printf("\n")
	}
}

func (c *commentPage) metricSummary() string {
	if !c.r.HasBaseline {
		return plaintext.Count(len(c.r.Rows), "metric") + ", without a baseline"
	}
	judged := 0
	for _, r := range c.r.Rows {
		if r.Verdict != "" {
			judged++
		}
	}
	return fmt.Sprintf("%s, %d of them judged", plaintext.Count(len(c.r.Rows), "metric"), judged)
}

func (c *commentPage) thresholdSummary() string {
	list := c.r.Thresholds
	text := fmt.Sprintf("%s, %d failed", plaintext.Count(len(list), "threshold"), len(results.FailedThresholds(list)))
	if undecided := len(results.UndecidedThresholds(list)); undecided > 0 {
		text += fmt.Sprintf(", %d inconclusive", undecided)
	}
	return text
}

func (c *commentPage) thresholds() {
	list, omitted := bounded.Head(c.r.Thresholds, c.limits.Rows)
	if len(list) == 0 {
		return
	}
	t := ThresholdTable(list)
	t.Strong = false
	c.table(t)
	if omitted > 0 {
		c.printf("\n%s left out here.\n", plaintext.Count(omitted, "threshold"))
	}
}

func (c *commentPage) outcome() {
	if c.r.Run == nil {
		return
	}
	witness := "by the fleet's ledger."
	if c.r.Run.Unconfirmed {
		witness = "by the client's word only."
	}
	c.printf("%s: %s\n", c.r.Run.Counts, witness)
}

// causes names the functions that made the difference.
func (c *commentPage) causes() {
	for _, k := range c.r.Causes {
		c.printf("%s\n\n", c.prose(k.Sentence()))
		for _, note := range k.Notes {
			c.printf("%s\n\n", c.prose("Note: "+plaintext.Clip(note, maxNote)+"."))
		}
		shown, omitted := k.Shown(c.limits.List)
		for _, f := range shown {
			c.printf("- %s\n", c.prose(k.line(f)))
		}
		if omitted > 0 {
			c.printf("- and %s more\n", plaintext.Count(omitted, "function"))
		}
		c.printf("\n")
	}
}

func (c *commentPage) remarks() {
	c.sentences("Warning: ", c.r.Warnings)
	c.sentences("", c.r.Notes)
}

func (c *commentPage) circumstances() {
	t := c.r.ProvenanceTable()
	if c.r.Run != nil {
		t.Rows = append(t.Rows, []Cell{{Text: "seed"}, {Text: strconv.FormatUint(c.r.Run.Seed, 10)}})
	}
	if len(t.Rows) > 0 {
		c.table(t)
	}
	if text := c.r.Command; text != "" && utf8.RuneCountInString(text) <= c.limits.Block {
		c.printf("\n")
		c.command(text)
	}
}
