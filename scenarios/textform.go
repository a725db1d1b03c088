package scenarios

import (
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// The text forms as regular expressions, in what ECMA-262 and RE2 have in common. They know
// no bounds, and not that the lower of two numbers comes first.
const (
	decimalPattern  = `([0-9]+(\.[0-9]*)?|\.[0-9]+)`
	durationPattern = `\+?(0|(` + decimalPattern + `(ns|us|µs|μs|ms|s|m|h))+)`
	amountPattern   = `(\+?[0-9]+\s*B?|` + decimalPattern + `\s*(kB|MB|GB|KiB|MiB|GiB))(\s*/s)?`
	bytesPattern    = decimalPattern + `\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?`
	ratePattern     = decimalPattern + `\s*/\s*(s|min|m|h)`
	sharePattern    = `\+?` + decimalPattern + `([eE][+-]?[0-9]+)?%?`

	zeroPattern         = `(0+(\.0*)?|\.0+)`
	zeroRatePattern     = zeroPattern + `\s*/\s*(s|min|m|h)`
	zeroDurationPattern = `\+?(0|(` + zeroPattern + `(ns|us|µs|μs|ms|s|m|h))+)`

	// tokenPattern is a header field's name (RFC 9110 §5.6.2).
	tokenPattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
)

// anchored returns a pattern for all of a text but space around it.
func anchored(pattern string) string { return `^\s*(` + pattern + `)\s*$` }

// distributed returns the pattern of a distribution of numbers of a form; empty is the zero value.
func distributed(number string) string {
	two := func(name, first, second string) string {
		return name + `\s*\(\s*` + first + number + `\s*,\s*` + second + number + `\s*\)`
	}
	return `(` + number + `|` + two("uniform", "", "") + `|` + two("lognormal", `p50=\s*`, `p99=\s*`) + `)?`
}

// thresholdSchemaPattern returns the pattern of a threshold: a metric, a comparison, a limit.
func thresholdSchemaPattern() string {
	var names []string
	for _, u := range results.Units() {
		names = append(names, regexp.QuoteMeta(u.Name))
	}
	part := `\s*(op=(push|verify|deliver)|min=\+?0*[1-9][0-9]*)\s*`
	return anchored(`(` + strings.Join(names, "|") + `)\s*(\{` + part + `(,` + part + `)*\})?\s*(<=|>=|==|!=|<|>)\s*[0-9.+-].*`)
}

// A textForm is the text form of a Go type.
type textForm struct {
	name      string // of its definition in the schema
	what      string
	number    string // the JSON type of a number that a file may have instead; empty: none
	low, high int64  // bounds of that number; both 0: only 0, which needs no unit
	pattern   string // of all of the text
	zero      string // the pattern of the zero value; empty: no field with it has to be zero
	examples  []string
}

func (f textForm) schema() *schema {
	s := &schema{Type: "string", Pattern: f.pattern, Example: f.examples}
	if f.number != "" {
		s.Type, s.Minimum, s.Maximum = []string{"string", f.number}, jsonInt(f.low), jsonInt(f.high)
	}
	return s
}

func durationForm() textForm {
	return textForm{"Duration", "duration", "integer", 0, 0, anchored(durationPattern), anchored(zeroDurationPattern), []string{"5s", "250ms", "1m30s"}}
}

func rateForm() textForm {
	return textForm{"Rate", "rate", "", 0, 0, anchored(ratePattern), anchored(zeroRatePattern), []string{"2000/s", "90/m"}}
}

func bytesForm() textForm {
	return textForm{"Bytes", "amount of data", "integer", 0, results.MaxBytes, anchored(bytesPattern), "", []string{"64KiB", "10MB"}}
}

func distributionForm() textForm {
	return textForm{"Distribution", "duration, or distribution of durations,", "integer", 0, 0, anchored(distributed(durationPattern)), anchored(`(` + zeroDurationPattern + `)?`),
		[]string{"5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)"}}
}

func amountForm() textForm {
	return textForm{"Amount", "amount, or distribution of amounts,", "integer", 0, mockfleet.MaxAmount, anchored(distributed(amountPattern)), "",
		[]string{"4096", "20kB/s", "uniform(1000, 50000)", "lognormal(p50=1000, p99=50000)"}}
}

func shareForm() textForm {
	return textForm{"Share", "share", "number", 0, 1, `^` + sharePattern + `$`, "", []string{"10%"}}
}

func retryAfterForm() textForm {
	return textForm{"RetryAfter", "time", "", 0, 0, `^(` + durationPattern + `|date\(` + durationPattern + `\))$`, "", []string{"2s", "date(2s)"}}
}

func thresholdForm() textForm {
	return textForm{"Threshold", "threshold", "", 0, 0, thresholdSchemaPattern(), "", []string{"p99-ns/op{op=push} < 20ms", "failed/device == 0"}}
}
