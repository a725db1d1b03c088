package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/fleetmark/fleetmark/internal/markdown"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results/report/agents"
)

// A By says into which parts a run is divided.
type By string

// The parts.
const (
	ByGroup By = "group" // of devices
	ByWave  By = "wave"  // of a rollout
)

// Known reports whether b is one of the parts.
func (b By) Known() bool { return b == ByGroup || b == ByWave }

// tablesBy returns the tables of a part that the result has.
func (r *Result) tablesBy(by By) (tables []*Table) {
	candidates := []*Table{r.WaveTimeTable()}
	if by == ByGroup {
		candidates = []*Table{r.GroupTable(), r.GroupChangeTable()}
	}
	for _, t := range candidates {
		if t != nil {
			tables = append(tables, t)
		}
	}
	return tables
}

// parts writes the results by group and by wave, if there are any.
func (p *markdownPage) parts() {
	for _, by := range []By{ByGroup, ByWave} {
		tables := p.r.tablesBy(by)
		if len(tables) == 0 {
			continue
		}
		lead := WaveLead
		if by == ByGroup {
			lead = p.r.GroupLead()
		}
		p.printf("## By %s\n\n%s\n\n", by, markdown.Escape(lead))
		for _, t := range tables {
			p.printf("%s:\n\n", markdown.Escape(t.Label))
			p.table(t)
			for _, note := range t.Notes {
				p.printf("\n%s.\n", markdown.Escape(note))
			}
			p.printf("\n")
		}
	}
}

// Agents returns what the agents of a merged run did, with a row for at most most of them; 0 means
// all. It returns nil if the result isn't of a merged run.
func (r *Result) Agents(most int) *agents.Section {
	if r.Run == nil {
		return nil
	}
	return agents.New(r.Run.Agents, most)
}

// agents writes what each agent of a merged run did.
func (p *markdownPage) agents() {
	s := p.r.Agents(agents.MaxRows)
	if s == nil {
		return
	}
	p.printf("## %s\n\n", agents.Title)
	p.list("", s.Sentences)
	p.text(s.Table(markdown.Escape, func(bad string) string { return "**" + bad + "**" }))
	p.printf("\n")
}

// agents shows what each agent of a merged run did.
func (p *terminal) agents(r *Result) {
	if s := r.Agents(agents.MaxRows); s != nil && p.err == nil {
		p.printf("\nwhat each agent did:\n\n")
		for _, sentence := range s.Sentences {
			p.printf("%s\n", sentence)
		}
		p.printf("\n")
		bad := func(text string) string { return p.Paint(texttable.Bad, text) }
		p.err = p.Write(&p.out, s.Table(plaintext.Line, bad))
	}
}

// WriteBy writes a document's results by group or by wave as tables for a terminal. It writes a
// line that says so if there are none.
func WriteBy(w io.Writer, d *Document, by By, style texttable.Style) error {
	var out bytes.Buffer
	for _, r := range d.Results {
		tables := r.tablesBy(by)
		if len(tables) == 0 {
			why := "the fleet has no groups, nobody said which device is in which, or no repetition was completed"
			if by == ByWave {
				why = "load.model isn't rollout, no repetition was completed, or an old version measured the run"
			}
			fmt.Fprintf(&out, "%s: nothing by %s: %s\n", plaintext.Line(r.Scenario), by, why)
		}
		for i, t := range tables {
			if i > 0 {
				out.WriteByte('\n')
			}
			fmt.Fprintf(&out, "%s:\n\n", plaintext.Line(t.Label))
			if err := style.Write(&out, t.text(style)); err != nil {
				return err
			}
			for _, note := range t.Notes {
				fmt.Fprintf(&out, "%s\n", note)
			}
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
