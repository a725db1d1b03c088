package baseline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Schema is the version of the baseline page that this package writes. It reads the earlier
// ones too: version 1 had no sections, version 2 no Go benchmarks.
const Schema = 3

// The marks that hold a baseline page together. They are HTML comments, which a
// reader of the page doesn't see.
const (
	markBaseline     = "<!-- fleetmark:baseline schema=3. Written by `fleetmark baseline`; only the optimization history is for editing. -->"
	markBaselineHead = "<!-- fleetmark:baseline "
	markBenchmarks   = "<!-- fleetmark:benchmarks %d -->"
	markHistoryBegin = "<!-- fleetmark:history:begin -->"
	markHistoryEnd   = "<!-- fleetmark:history:end -->"
	markEndFormat    = "<!-- fleetmark:end samples=%d -->"
	fenceSamples     = "```text"
	fenceFacts       = "```json"
	fenceEnd         = "```"
)

var markEnd = regexp.MustCompile(`^<!-- fleetmark:end samples=([0-9]{1,9}) -->$`)

// baselineFacts is the page's JSON block: what the tables say for people, for
// programs.
type baselineFacts struct {
	Schema    int                     `json:"schema"`
	Machine   results.Machine         `json:"machine"`
	Revision  string                  `json:"revision"`
	GoVersion string                  `json:"go_version"`
	Created   time.Time               `json:"created"`
	Scenarios []baselineScenarioFacts `json:"scenarios"`

	// Benchmarks are the page's blocks of Go benchmarks, in their order.
	Benchmarks []benchmarkFacts `json:"benchmarks,omitempty"`

	Sections []sectionFacts `json:"sections,omitempty"`

	// Sources is the digest of the code that was measured, by its name.
	Sources map[string]string `json:"sources,omitempty"`

	// GeneratedSHA256 is the digest of the page without its optimization history
	// and with 64 zeros for this digest, line breaks being single line feeds.
	GeneratedSHA256 string `json:"generated_sha256"`
}

type baselineScenarioFacts struct {
	Name            string         `json:"name"`
	WorkloadDigest  string         `json:"workload_digest"`
	Command         string         `json:"command"`
	Repetitions     int            `json:"repetitions"`
	Counts          results.Counts `json:"counts"`
	ClientsWordOnly bool           `json:"clients_word_only"`

	Interference *results.Interference `json:"interference,omitempty"`
	Yardstick    *results.Yardstick    `json:"yardstick,omitempty"`

	Samples int `json:"samples"` // lines in the page's samples that are of this scenario
}

// benchmarkFacts describe one block of go test's lines.
type benchmarkFacts struct {
	Command string `json:"command"`
	Lines   int    `json:"lines"`   // of the block
	Samples int    `json:"samples"` // result lines among them
}

// maxFactsLine bounds a line of the JSON block, in bytes: benchfmt's reader, which benchstat is
// made of, gives up at a line of 64 KiB.
const maxFactsLine = 32 << 10

// encode writes the facts as JSON: a line per scenario, per block of benchmarks and per section, and
// one for the digest, by which it is found.
func (f baselineFacts) encode() (string, error) {
	var b strings.Builder
	var failed error
	value := func(v any, indent string) string {
		data, err := json.Marshal(v)
		if err == nil && len(data) > maxFactsLine {
			data, err = json.MarshalIndent(v, indent, "  ")
		}
		failed = errors.Join(failed, err)
		return string(data)
	}
	field := func(name string, v any) { fmt.Fprintf(&b, ",\n  %q: %s", name, value(v, "  ")) }
	list := func(name string, n int, at func(int) any) {
		fmt.Fprintf(&b, ",\n  %q: [", name)
		for i := range n {
			fmt.Fprintf(&b, "%s\n    %s", strings.Repeat(",", min(i, 1)), value(at(i), "    "))
		}
		b.WriteString("\n  ]")
	}
	fmt.Fprintf(&b, "{\n  %q: %d", "schema", f.Schema)
	field("machine", f.Machine)
	field("revision", f.Revision)
	field("go_version", f.GoVersion)
	field("created", f.Created)
	list("scenarios", len(f.Scenarios), func(i int) any { return f.Scenarios[i] })
	if len(f.Benchmarks) > 0 {
		list("benchmarks", len(f.Benchmarks), func(i int) any { return f.Benchmarks[i] })
	}
	if len(f.Sections) > 0 {
		list("sections", len(f.Sections), func(i int) any { return f.Sections[i] })
	}
	if len(f.Sources) > 0 {
		field("sources", f.Sources)
	}
	fmt.Fprintf(&b, ",\n  %s\n}\n", digestField(f.GeneratedSHA256))
	return b.String(), failed
}

var zeroDigest = strings.Repeat("0", sha256.Size*2)

// generatedDigest is the digest of a page, in which digest stands for itself.
func generatedDigest(page, digest string) string {
	before, rest, _ := strings.Cut(page, markHistoryBegin+"\n")
	_, after, _ := strings.Cut(rest, markHistoryEnd+"\n")
	generated := before + markHistoryBegin + "\n" + markHistoryEnd + "\n" + after
	if digest != zeroDigest {
		generated = strings.Replace(generated, digestField(digest), digestField(zeroDigest), 1)
	}
	sum := sha256.Sum256([]byte(generated))
	return hex.EncodeToString(sum[:])
}

func digestField(digest string) string { return fmt.Sprintf("%q: %q", "generated_sha256", digest) }
