package htmlpage

import (
	"cmp"
	"strconv"

	"github.com/goccy/go-yaml"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/rundir"
)

func (b *builder) keyFigures() (figures []keyFigure) {
	add := func(name, value string) {
		if value != "" && value != report.UnknownRevision {
			figures = append(figures, keyFigure{name, plaintext.Clip(value, 60)})
		}
	}
	if b.Run != nil {
		counts := b.Run.Counts
		if b.OnlyPartial() {
			counts = b.Run.Partial.Counts
		}
		add("devices", strconv.Itoa(counts.Devices))
		add("updated", strconv.Itoa(counts.Updated))
		add("failed", strconv.Itoa(counts.Failed))
	}
	if n := b.Now.Repetitions(); n > 0 {
		add("repetitions", strconv.Itoa(n))
	}
	add("revision", b.Now.Revision)
	if b.Base.Revision != "" {
		add(plaintext.Clip(b.Base.Label, 30)+" revision", b.Base.Revision)
	}
	if !b.Measured.IsZero() {
		add("measured", b.Measured.Format("2006-01-02 15:04 UTC"))
	}
	return figures
}

// outcome shows the outcome of the devices.
func (b *builder) outcome() (section, error) {
	if b.Run == nil || b.OnlyPartial() {
		return section{}, nil
	}
	t, omitted := b.OutcomeTable(min(b.limits.Rows, 60))
	s := section{ID: "outcome", Title: "What became of the devices", Lead: []string{b.OutcomeLead()}, Table: b.table(t)}
	if omitted > 0 {
		s.Omitted = plaintext.Count(omitted, "repetition") + " left out; " + rundir.RunFile + " has them."
	}
	return s, nil
}

func (b *builder) operations() (section, error) {
	t := b.OperationTable()
	if t == nil {
		return section{}, nil
	}
	lead := "Rates are over the plan: what succeeded within it, divided by its length. " +
		"The drain is how much longer the last operation took."
	return section{
		ID: "operations", Title: "What became of the operations", Table: b.table(t), Lead: []string{lead},
	}, nil
}

func (b *builder) waves() (section, error) {
	t := b.WaveTable()
	if t == nil {
		return section{}, nil
	}
	return section{ID: "waves", Title: "Waves", Table: b.table(t), Lead: []string{t.Label + "."}}, nil
}

func (b *builder) validity() (section, error) {
	if b.Run == nil || b.OnlyPartial() {
		return section{}, nil
	}
	s := section{ID: "trust", Title: "Can the numbers be trusted", Table: b.table(b.HealthTable())}
	for _, sentence := range b.Validity {
		s.Lead = append(s.Lead, b.sentence(sentence))
	}
	return s, nil
}

func (b *builder) provenance() (section, error) {
	if len(b.Provenance) == 0 {
		return section{}, nil
	}
	return section{ID: "machine", Title: "Where it was measured", Table: b.table(b.ProvenanceTable())}, nil
}

// spec shows the scenario as run.json holds it, which has no secrets such as values of environment
// variables.
func (b *builder) spec() (section, error) {
	if b.Run == nil || len(b.Run.Spec) == 0 {
		return section{}, nil
	}
	text, err := yaml.JSONToYAML(b.Run.Spec)
	if err != nil || len(b.Run.Spec) > b.limits.Block {
		text = b.Run.Spec
	}
	return section{
		ID: "scenario", Title: "The scenario", Folded: "Whole and resolved, with every default",
		Block: plaintext.Clip(string(text), b.limits.Block),
	}, nil
}

func (b *builder) reproduce() (section, error) {
	if b.Command == "" {
		return section{}, nil
	}
	s := section{ID: "reproduce", Title: "How to reproduce", Code: []string{plaintext.Clip(b.Command, b.limits.Block)}}
	if b.Run != nil {
		digest := b.clip(cmp.Or(b.Run.WorkloadDigest, report.NoDigest))
		s.Lead = []string{"With seed " + strconv.FormatUint(b.Run.Seed, 10) + ", of the work " + digest +
			". The profiles are read by the second command."}
		s.Code = append(s.Code, plaintext.Clip(b.ProfileCommand(), b.limits.Block))
	}
	return s, nil
}
