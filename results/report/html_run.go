package report

import (
	"path"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/fleetmark/fleetmark/results"
)

// unknown is what the revision of a tree without version control is called.
const unknown = "unknown"

func (s *Subject) chips(l limits) (chips []chip) {
	add := func(name, value string) {
		if value != "" && value != unknown {
			chips = append(chips, chip{name, clip(value, 60)})
		}
	}
	if run := s.Now.Run; run != nil {
		add("devices", strconv.Itoa(run.Counts.Devices))
		add("updated", strconv.Itoa(run.Counts.Updated))
		add("failed", strconv.Itoa(run.Counts.Failed))
	}
	if n := s.Now.repetitions(); n > 0 {
		add("repetitions", strconv.Itoa(n))
	}
	add("revision", s.Now.Revision)
	if s.Base.Revision != "" {
		add(clip(s.baseLabel(), 30)+" revision", s.Base.Revision)
	}
	if at := s.measured(); !at.IsZero() {
		add("measured", at.Format("2006-01-02 15:04 UTC"))
	}
	return chips
}

func (s *Subject) outcomeSection(l limits) (section, error) {
	run := s.Now.Run
	if run == nil {
		return section{}, nil
	}
	sec := section{ID: "outcome", Title: "What became of the devices", Lead: []string{"What the client claimed and what the fleet's ledger saw, reconciled."}}
	if run.ClientsWordOnly {
		sec.Lead = []string{"Client's word only: no ledger confirmed what became of the devices."}
	}
	t := &table{Label: "Outcome of the devices", Header: []cell{{Text: "repetition"}}}
	for _, name := range []string{"devices", "updated", "failed", "lost", "applied twice"} {
		t.Header = append(t.Header, cell{Text: name, Class: "n"})
	}
	row := func(name string, c results.Counts) {
		cells := []cell{{Text: name, Head: true}}
		for _, n := range []int{c.Devices, c.Updated, c.Failed, c.Lost, c.AppliedTwice} {
			cells = append(cells, cell{Text: strconv.Itoa(n), Class: "n"})
		}
		t.Rows = append(t.Rows, cells)
	}
	counts, left := first(run.RepetitionCounts, min(l.rows, 60))
	for i, c := range counts {
		row(strconv.Itoa(i+1), c)
	}
	row("worst of all", run.Counts)
	sec.Table = t
	if left > 0 {
		sec.Left = count(left, "repetition") + " left out; " + results.RunFile + " has them."
	}
	return sec, nil
}

func (s *Subject) trustSection(l limits) (section, error) {
	run := s.Now.Run
	if run == nil {
		return section{}, nil
	}
	fleet, harness := run.Fleet, run.Harness
	saturated := func(is bool) cell {
		if is {
			return cell{Text: "✗ yes: it was the bottleneck", Class: string(results.Regressed)}
		}
		return cell{Text: "no"}
	}
	t := &table{Label: "The harness and the fleet", Header: []cell{{Text: "what"}, {Text: "driver", Class: "n"}, {Text: "fleet", Class: "n"}}, Rows: [][]cell{
		{{Text: "processor, share of all cores", Head: true}, {Text: percent(harness.CPUFraction), Class: "n"}, {Text: percent(fleet.CPUFraction), Class: "n"}},
		{{Text: "peak resident memory", Head: true}, {Text: resident(harness.PeakResidentBytes), Class: "n"}, {Text: resident(fleet.PeakResidentBytes), Class: "n"}},
		{{Text: "saturated", Head: true}, saturated(harness.Saturated), saturated(fleet.Saturated)},
		{{Text: "behind the plan, 99th percentile", Head: true}, {Text: time.Duration(harness.LatenessP99NS).String(), Class: "n"}, {}},
		{{Text: "garbage collection, share of its processor time", Head: true}, {Text: percent(harness.GCCPUFraction), Class: "n"}, {}},
	}}
	for i := range t.Rows {
		for j := range t.Rows[i] {
			if j > 0 && t.Rows[i][j].Class == "" {
				t.Rows[i][j].Class = "n"
			}
		}
	}
	sec := section{ID: "trust", Title: "Can the numbers be trusted", Table: t}
	for _, sentence := range trustSentences(run) {
		sec.Lead = append(sec.Lead, clip(sentence, 2*l.text))
	}
	return sec, nil
}

func (s *Subject) machineSection(l limits) (section, error) {
	t := &table{Label: "Where it was measured", Header: []cell{{Text: "what"}, {Text: "value"}}}
	for _, f := range s.where() {
		value := cell{Text: f.value, Class: "wrap"}
		if f.code {
			value.Class = "code"
		}
		t.Rows = append(t.Rows, clipCells([]cell{{Text: f.name, Head: true}, value}, l))
	}
	if len(t.Rows) == 0 {
		return section{}, nil
	}
	return section{ID: "machine", Title: "Where it was measured", Table: t}, nil
}

// scenarioSection shows the scenario as run.json holds it, and nothing of where its values
// came from: what the run didn't write down, such as a secret of the environment, can't be
// here.
func (s *Subject) scenarioSection(l limits) (section, error) {
	run := s.Now.Run
	if run == nil || len(run.Spec) == 0 {
		return section{}, nil
	}
	text, err := yaml.JSONToYAML(run.Spec)
	if err != nil || len(run.Spec) > l.long {
		text = run.Spec
	}
	return section{ID: "scenario", Title: "The scenario", Folded: "Whole and resolved, with every default", Block: clip(string(text), l.long)}, nil
}

func (s *Subject) reproduceSection(l limits) (section, error) {
	command := s.command()
	if command == "" {
		return section{}, nil
	}
	sec := section{ID: "reproduce", Title: "How to reproduce", Code: []string{clip(command, l.long)}}
	if run := s.Now.Run; run != nil {
		sec.Lead = []string{"With seed " + strconv.FormatUint(run.Seed, 10) + ", of the work " + clip(orNone(run.WorkloadDigest), l.text) + ". The profiles are read by the second command."}
		sec.Code = append(sec.Code, clip("fleetmark profile top "+quote(path.Clean(run.Path)), l.long))
	}
	return sec, nil
}
