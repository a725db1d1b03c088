package scenarios

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// The text forms as regular expressions, in what ECMA-262 and RE2 have in common. They know
// no bounds, and not that the lower of two numbers comes first.
const (
	decimalText  = `([0-9]+(\.[0-9]*)?|\.[0-9]+)`
	durationText = `\+?(0|(` + decimalText + `(ns|us|µs|μs|ms|s|m|h))+)`
	amountText   = `(\+?[0-9]+\s*B?|` + decimalText + `\s*(kB|MB|GB|KiB|MiB|GiB))(\s*/s)?`
	bytesText    = decimalText + `\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?`
	rateText     = decimalText + `\s*/\s*(s|min|m|h)`
	shareText    = `\+?` + decimalText + `([eE][+-]?[0-9]+)?%?`

	zeroText         = `(0+(\.0*)?|\.0+)`
	zeroRateText     = zeroText + `\s*/\s*(s|min|m|h)`
	zeroDurationText = `\+?(0|(` + zeroText + `(ns|us|µs|μs|ms|s|m|h))+)`
)

// spaced is a pattern for all of a text but space around it.
func spaced(text string) string { return `^\s*(` + text + `)\s*$` }

// distributed is a distribution of numbers of a form; empty is the zero value.
func distributed(number string) string {
	two := func(name, first, second string) string {
		return name + `\s*\(\s*` + first + number + `\s*,\s*` + second + number + `\s*\)`
	}
	return `(` + number + `|` + two("uniform", "", "") + `|` + two("lognormal", `p50=\s*`, `p99=\s*`) + `)?`
}

// thresholdText is a threshold: a metric, a comparison, a limit.
func thresholdText() string {
	var names []string
	for _, u := range results.Units() {
		names = append(names, regexp.QuoteMeta(u.Name))
	}
	part := `\s*(op=(push|verify|deliver)|min=\+?0*[1-9][0-9]*)\s*`
	return spaced(`(` + strings.Join(names, "|") + `)\s*(\{` + part + `(,` + part + `)*\})?\s*(<=|>=|==|!=|<|>)\s*[0-9.+-].*`)
}

// textSchema is the schema of a type that is one value in a file.
func textSchema(t reflect.Type) (*schema, error) {
	either := func(number string, low, high int64, text string, examples ...string) *schema {
		return &schema{
			Type: []string{"string", number}, Pattern: text, Example: examples,
			Minimum: whole(low), Maximum: whole(high),
		}
	}
	switch t {
	case reflect.TypeFor[Duration](): // 0 needs no unit
		return either("integer", 0, 0, spaced(durationText), "5s", "250ms", "1m30s"), nil
	case reflect.TypeFor[Rate]():
		return &schema{Type: "string", Pattern: spaced(rateText), Example: []string{"2000/s", "90/m"}}, nil
	case reflect.TypeFor[Bytes]():
		return either("integer", 0, int64(results.MaxBytes), spaced(bytesText), "64KiB", "10MB"), nil
	case reflect.TypeFor[mockfleet.Distribution]():
		return either("integer", 0, 0, spaced(distributed(durationText)), "5ms", "uniform(1ms, 5ms)", "lognormal(p50=5ms, p99=50ms)"), nil
	case reflect.TypeFor[mockfleet.Amount]():
		return either("integer", 0, mockfleet.MaxAmount, spaced(distributed(amountText)), "4096", "20kB/s", "uniform(1000, 50000)", "lognormal(p50=1000, p99=50000)"), nil
	case reflect.TypeFor[mockfleet.Share]():
		return either("number", 0, 1, `^`+shareText+`$`, "10%"), nil
	case reflect.TypeFor[mockfleet.RetryAfter]():
		return &schema{Type: "string", Pattern: `^(` + durationText + `|date\(` + durationText + `\))$`, Example: []string{"2s", "date(2s)"}}, nil
	case reflect.TypeFor[Threshold]():
		return &schema{Type: "string", Pattern: thresholdText(), Example: []string{"p99-ns/op{op=push} < 20ms", "failed/device == 0"}}, nil
	case reflect.TypeFor[Model]():
		return &schema{Enum: texts(models()...)}, nil
	case reflect.TypeFor[Operation]():
		return &schema{Enum: texts(Push, Verify, Deliver)}, nil
	case reflect.TypeFor[Arrivals]():
		return &schema{Enum: texts("", Even, Independently)}, nil
	case reflect.TypeFor[Defaults]():
		return &schema{Enum: texts("", Shipped)}, nil
	case reflect.TypeFor[delivery.Transport]():
		return &schema{Enum: texts(delivery.Lean, delivery.NetHTTP)}, nil
	case reflect.TypeFor[mockfleet.Addressing]():
		return &schema{Enum: texts("", mockfleet.AddressIP, mockfleet.AddressPort, mockfleet.AddressPath)}, nil
	case reflect.TypeFor[mockfleet.TLS]():
		return &schema{Enum: texts(mockfleet.TLSNone, mockfleet.TLSGood, mockfleet.TLSExpired, mockfleet.TLSWrongName, mockfleet.TLSUnknownCA, mockfleet.TLS11, mockfleet.TLSStall)}, nil
	}
	return nil, fmt.Errorf("scenarios: schema: no text form is known of %s: want it in textSchema", t)
}

func whole(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }
