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
)

// Schema is the version of the page that this package writes. It also reads earlier versions: 1 had
// no sections, and 2 no Go benchmarks.
const Schema = 3

// The marks that separate the parts of a page. They are HTML comments, which a browser doesn't
// show.
const (
	markPage = "<!-- fleetmark:baseline schema=3. Written by `fleetmark baseline`; " +
		"only the optimization history is for editing. -->"
	markPagePrefix   = "<!-- fleetmark:baseline "
	markSection      = "<!-- fleetmark:section %s -->"
	markSectionsEnd  = "<!-- fleetmark:sections:end -->"
	markBenchmarks   = "<!-- fleetmark:benchmarks %d -->"
	markHistoryBegin = "<!-- fleetmark:history:begin -->"
	markHistoryEnd   = "<!-- fleetmark:history:end -->"
	markEndFormat    = "<!-- fleetmark:end samples=%d -->"
	fenceSamples     = "```text"
	fenceFacts       = "```json"
	fenceEnd         = "```"
)

var markEnd = regexp.MustCompile(`^<!-- fleetmark:end samples=([0-9]{1,9}) -->$`)

// pageFacts is the page's block of JSON, for reading.
type pageFacts struct {
	Schema int `json:"schema"`
	Page

	// Benchmarks describe the blocks of Go benchmarks, in their order.
	Benchmarks []benchmarkFacts `json:"benchmarks"`

	// GeneratedSHA256 is the digest of the page, computed without the optimization history, with 64
	// zeros in place of this digest, and with line feeds at the end of lines.
	GeneratedSHA256 string `json:"generated_sha256"`
}

// scenarioFacts describe a scenario and how many of the samples are its own.
type scenarioFacts struct {
	Scenario
	Samples int `json:"samples"`
}

// benchmarkFacts describe a block of go test's lines.
type benchmarkFacts struct {
	Command string `json:"command"`
	Lines   int    `json:"lines"`   // of the block
	Samples int    `json:"samples"` // result lines among them
}

// maxFactsLine bounds a line of the JSON, in bytes. benchstat's reader stops at a line of 64 KiB.
const maxFactsLine = 32 << 10

// encodeFacts returns the page's block of JSON, with a placeholder for the digest: one line for
// each scenario, block of benchmarks and section, and one for the digest.
func encodeFacts(p *Page) (string, error) {
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
	fmt.Fprintf(&b, "{\n  %q: %d", "schema", Schema)
	field("machine", p.Machine)
	field("revision", p.Revision)
	field("go_version", p.GoVersion)
	field("created", p.Created.UTC().Truncate(time.Second))
	list("scenarios", len(p.Scenarios), func(i int) any {
		return scenarioFacts{p.Scenarios[i],
			len(p.Scenarios[i].Records)}
	})
	if len(p.Benchmarks) > 0 {
		list("benchmarks", len(p.Benchmarks), func(i int) any {
			g := p.Benchmarks[i]
			return benchmarkFacts{g.Command, len(g.Lines), len(g.Samples)}
		})
	}
	if len(p.Sections) > 0 {
		list("sections", len(p.Sections), func(i int) any { return p.Sections[i] })
	}
	if len(p.Sources) > 0 {
		field("sources", p.Sources)
	}
	fmt.Fprintf(&b, ",\n  %s\n}\n", digestField(digestPlaceholder()))
	return b.String(), failed
}

// digestPlaceholder returns what stands in the page in place of the digest while the digest is
// computed.
func digestPlaceholder() string { return strings.Repeat("0", sha256.Size*2) }

// contentDigest returns the digest of a page. digest is the digest that the page holds, or the
// placeholder.
func contentDigest(page, digest string) string {
	before, rest, _ := strings.Cut(page, markHistoryBegin+"\n")
	_, after, _ := strings.Cut(rest, markHistoryEnd+"\n")
	generated := before + markHistoryBegin + "\n" + markHistoryEnd + "\n" + after
	if digest != digestPlaceholder() {
		generated = strings.Replace(generated, digestField(digest), digestField(digestPlaceholder()), 1)
	}
	sum := sha256.Sum256([]byte(generated))
	return hex.EncodeToString(sum[:])
}

func digestField(digest string) string { return fmt.Sprintf("%q: %q", "generated_sha256", digest) }
