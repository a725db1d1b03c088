package report

import (
	"strings"

	"github.com/fleetmark/fleetmark/results"
)

// A Headline is what a reader must know who reads nothing else.
type Headline struct {
	Word    string          // the verdict in a word or two
	Verdict results.Verdict // decides the color; empty if nothing was judged
	Symbol  string          // says the verdict without color
	Reason  string          // without a full stop
}

// newHeadline returns the headline of a result: its verdict or, if the verdict is better than that,
// what became of its thresholds.
func newHeadline(r *Result) Headline {
	reason := strings.TrimSuffix(strings.TrimSpace(r.Reason), ".")
	if reason == "" {
		reason = "no reason was given"
	}
	h := Headline{Word: string(r.Verdict), Verdict: r.Verdict, Reason: reason}
	failed, undecided := results.ThresholdSummary(r.Thresholds), results.UndecidedSummary(r.Thresholds)
	switch {
	case failed == "" || r.Verdict == results.Invalid:
	case r.Verdict == results.Regressed:
		h.Reason += "; " + failed
	default:
		verdict := string(r.Verdict)
		if verdict == "" {
			verdict = noVerdict
		}
		h = Headline{Word: "threshold failed", Verdict: results.Regressed, Reason: failed + "; against the baseline: " + verdict + ", " + reason}
	}
	if undecided != "" && (h.Verdict == "" || h.Verdict == results.Pass || h.Verdict == results.Improved) {
		h = Headline{Word: "threshold inconclusive", Verdict: results.Inconclusive, Reason: undecided}
	}
	h.Symbol = Symbol(h.Verdict)
	if h.Symbol == "" {
		h.Symbol = "–"
		if h.Verdict == "" {
			h.Word = noVerdict
		}
		h.Verdict = ""
	}
	return h
}

// noVerdict stands where a verdict would.
const noVerdict = "no verdict"

// Symbol returns the character that says a verdict without color. It returns "" if there is no
// verdict.
func Symbol(v results.Verdict) string {
	switch v {
	case results.Pass:
		return "✓"
	case results.Improved:
		return "▲"
	case results.Regressed:
		return "✗"
	case results.Inconclusive:
		return "?"
	case results.Invalid:
		return "!"
	}
	return ""
}
