package scenarios

import (
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
)

// The text forms as regular expressions, in the syntax that ECMA-262 and RE2 share. They don't
// express bounds, or that the lower of two numbers comes first.
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

	// tokenPattern matches the name of a header field (RFC 9110 §5.6.2).
	tokenPattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
)

// anchored returns a pattern for a whole text, with space around it.
func anchored(pattern string) string { return `^\s*(` + pattern + `)\s*$` }

// distributed returns the pattern of a distribution of numbers. The empty text, which is the zero
// value, matches too.
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
	part := `\s*(op=(push|verify|deliver)|group=[^,{}]+|min=\+?0*[1-9][0-9]*)\s*`
	metric := `(` + strings.Join(names, "|") + `)\s*(\{` + part + `(,` + part + `)*\})?`
	return anchored(metric + `\s*(<=|>=|==|!=|<|>)\s*[0-9.+-].*`)
}

// A typeForm says how the values of a Go type are written, if its kind doesn't decide that: as one
// of a few words, or as text that the type parses.
type typeForm struct {
	name  string   // of its definition in the schema
	words []string // including "" if a field may be empty

	what      string // its name in text for people
	number    string // the JSON type of a number that a file may have instead; empty: none
	low, high int64  // bounds of that number; both 0: only 0, which needs no unit
	pattern   string // of the whole text
	zero      string // the pattern of the zero value; empty if no rule needs it
	examples  []string

	// mapping is a struct that a file may have instead of the text, as a mapping. Its method value
	// returns the value that it stands for. It is nil if there is none.
	mapping reflect.Type
}

func (f typeForm) schema() *schema {
	s := &schema{Enum: enumOf(f.words...)}
	if f.pattern != "" {
		s = &schema{Type: "string", Pattern: f.pattern, Example: f.examples}
	}
	if f.number != "" {
		s.Type, s.Minimum, s.Maximum = []string{"string", f.number}, jsonInt(f.low), jsonInt(f.high)
	}
	return s
}

// wordsOf returns the form of a type whose values are a few words.
func wordsOf[T ~string](name string, words ...T) typeForm {
	f := typeForm{name: name}
	for _, w := range words {
		f.words = append(f.words, string(w))
	}
	return f
}

// typeForms returns the form of each Go type of a field that has one.
var typeForms = sync.OnceValue(func() map[reflect.Type]typeForm {
	return map[reflect.Type]typeForm{
		reflect.TypeFor[Model]():              wordsOf("Model", models()...),
		reflect.TypeFor[delivery.Op]():        wordsOf("Operation", delivery.OpPush, delivery.OpVerify, delivery.OpDeliver),
		reflect.TypeFor[Arrivals]():           wordsOf("Arrivals", "", EvenArrivals, PoissonArrivals),
		reflect.TypeFor[Defaults]():           wordsOf("Defaults", "", Shipped),
		reflect.TypeFor[delivery.Transport](): wordsOf("Transport", delivery.Lean, delivery.NetHTTP),
		reflect.TypeFor[address.Mode](): wordsOf("Addressing",
			"", address.IP, address.Port, address.Path),
		reflect.TypeFor[behavior.TLSMode](): wordsOf("TLS", behavior.TLSNone, behavior.TLSGood, behavior.TLSExpired,
			behavior.TLSWrongName, behavior.TLSUnknownCA, behavior.TLS11, behavior.TLSStall),

		reflect.TypeFor[Duration](): {
			name: "Duration", what: "duration", examples: []string{"5s", "250ms", "1m30s"}, number: "integer",
			pattern: anchored(durationPattern), zero: anchored(zeroDurationPattern),
		},
		reflect.TypeFor[Rate](): {
			name: "Rate", what: "rate", examples: []string{"2000/s", "90/m"},
			pattern: anchored(ratePattern), zero: anchored(zeroRatePattern),
		},
		reflect.TypeFor[Bytes](): {
			name: "Bytes", what: "amount of data", examples: []string{"64KiB", "10MB"},
			number: "integer", high: results.MaxBytes,
			pattern: anchored(bytesPattern),
		},
		reflect.TypeFor[random.Duration](): {
			name: "Distribution", what: "duration, or distribution of durations,", number: "integer",
			examples: []string{"5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)"},
			pattern:  anchored(distributed(durationPattern)), zero: anchored(`(` + zeroDurationPattern + `)?`),
		},
		reflect.TypeFor[random.Int](): {
			name: "Amount", what: "amount, or distribution of amounts,", number: "integer", high: random.MaxInt,
			examples: []string{"4096", "20kB/s", "uniform(1000, 50000)", "lognormal(p50=1000, p99=50000)"},
			pattern:  anchored(distributed(amountPattern)),
		},
		reflect.TypeFor[random.Share](): {
			name: "Share", what: "share", examples: []string{"10%"}, number: "number", high: 1,
			pattern: `^` + sharePattern + `$`,
		},
		reflect.TypeFor[fault.RetryAfter](): {
			name: "RetryAfter", what: "time", examples: []string{"2s", "date(2s)"},
			pattern: `^(` + durationPattern + `|date\(` + durationPattern + `\))$`,
		},
		reflect.TypeFor[Threshold](): {
			name: "Threshold", what: "threshold", examples: []string{"p99-ns/op{op=push} < 20ms", "failed/device == 0"},
			pattern: thresholdSchemaPattern(), mapping: reflect.TypeFor[thresholdMapping](),
		},
		reflect.TypeFor[thresholdText](): {
			name: "ThresholdText", what: "threshold", examples: []string{"p99-ns/op{op=push} < 20ms in every 5s"},
			pattern: thresholdSchemaPattern(),
		},
	}
})
