package htmlpage

import (
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/internal/bounded"
)

// byGroup shows what became of each group of devices.
func (b *builder) byGroup() section {
	t := b.GroupTable()
	if t == nil {
		return section{}
	}
	return b.partSection("groups", "By group", t, b.GroupLead())
}

// groupChanges shows how the groups differ between the two sides.
func (b *builder) groupChanges() section {
	t := b.GroupChangeTable()
	if t == nil {
		return section{}
	}
	for i := range t.Columns {
		t.Columns[i].Name = plaintext.Clip(t.Columns[i].Name, 40)
	}
	return b.partSection("group-changes", "By group, on both sides", t, "Nothing judges these.")
}

// byWave shows the times of the waves of a rollout.
func (b *builder) byWave() section {
	t := b.WaveTimeTable()
	if t == nil {
		return section{}
	}
	return b.partSection("wave-times", "By wave", t, t.Label+".", report.WaveLead)
}

// partSection returns a section with a table of the parts of a run, and what explains its marks.
func (b *builder) partSection(id, title string, t *report.Table, lead ...string) section {
	shown := *t
	var omitted int
	shown.Rows, omitted = bounded.Head(t.Rows, b.limits.Rows)
	for i := range lead {
		lead[i] = b.sentence(lead[i])
	}
	for _, note := range t.Notes {
		lead = append(lead, note+".")
	}
	s := b.tableSection(id, title, &shown, lead...)
	s.Omitted = omittedText(omitted, "row")
	return s
}
