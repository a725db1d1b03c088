package report

import (
	"strings"

	"github.com/fleetmark/fleetmark/results"
)

// A headline is what a reader must take along who reads nothing else.
type headline struct {
	Word   string // the verdict, in a word or two
	Kind   string // names the colour: pass, improved, regressed, inconclusive, invalid, none
	Symbol string // tells it to those who don't see colours
	Reason string // without a full stop
}

// headline is the verdict, or, where a threshold failed and the numbers mean something
// otherwise, that.
func (s *Subject) headline() headline {
	j := s.judgement()
	reason := strings.TrimSuffix(strings.TrimSpace(j.Reason), ".")
	if reason == "" {
		reason = "no reason was given"
	}
	h := headline{Word: string(j.Verdict), Kind: string(j.Verdict), Reason: reason}
	failed := results.ThresholdSummary(s.thresholds())
	switch {
	case failed == "" || j.Verdict == results.Invalid:
	case j.Verdict == results.Regressed:
		h.Reason += "; " + failed
	default:
		verdict := string(j.Verdict)
		if verdict == "" {
			verdict = "no verdict"
		}
		h = headline{Word: "threshold failed", Kind: string(results.Regressed), Reason: failed + "; against the baseline: " + verdict + ", " + reason}
	}
	switch results.Verdict(h.Kind) {
	case results.Pass:
		h.Symbol = "✓"
	case results.Improved:
		h.Symbol = "▲"
	case results.Regressed:
		h.Symbol = "✗"
	case results.Inconclusive:
		h.Symbol = "?"
	case results.Invalid:
		h.Symbol = "!"
	case "":
		h.Word, h.Kind, h.Symbol = "no verdict", "none", "–"
	default: // a verdict of somebody else's making
		h.Kind, h.Symbol = "none", "–"
	}
	return h
}
