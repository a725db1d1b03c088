package report

import (
	"strings"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// A Headline is the part of a result that every reader sees.
type Headline struct {
	Word    string          // the verdict in a word or two
	Verdict results.Verdict // decides the color; empty if nothing was judged
	Symbol  string          // tells verdicts apart without color
	Reason  string          // a sentence without a full stop
}

// newHeadline returns the headline of a result: the outcome of its thresholds if that is worse than
// its verdict, or else its verdict.
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
		h = Headline{
			Word: "threshold failed", Verdict: results.Regressed,
			Reason: failed + "; against the baseline: " + verdict + ", " + reason,
		}
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

// noVerdict is shown in place of a missing verdict.
const noVerdict = "no verdict"

// A look is how forms show a verdict.
type look struct {
	symbol string         // tells verdicts apart without color
	badge  string         // a symbol that servers show in color
	level  string         // of an annotation
	role   texttable.Role // on a terminal
}

func lookOf(v results.Verdict) look {
	switch v {
	case results.Pass:
		return look{"✓", "✅", "notice", texttable.Plain}
	case results.Improved:
		return look{"▲", "✅", "notice", texttable.Good}
	case results.Regressed:
		return look{"✗", "❌", "error", texttable.Bad}
	case results.Inconclusive:
		return look{"?", "⚠️", "warning", texttable.Doubtful}
	case results.Invalid:
		return look{"!", "⛔", "error", texttable.Bad}
	}
	return look{"", "➖", "warning", texttable.Plain}
}

// Symbol returns a character that tells verdicts apart without color. It returns "" if there is no
// verdict.
func Symbol(v results.Verdict) string { return lookOf(v).symbol }
