package progress

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// An eta estimates how fast the current repetition is, and how long it and the remaining ones of
// its kind will take. Call begin, progress and end for each repetition. An eta reads no clock;
// begin is given the time.
type eta struct {
	rep    runner.Repetition
	live   runner.Progress
	ended  bool                       // the repetition is over
	recent [maxRecent]runner.Progress // the repetition in the last seconds, oldest first
	known  int                        // how many of recent are set
	first  time.Time                  // when the first repetition of the phase began
	each   time.Duration              // mean time from one repetition's start to the next one's; 0 if unknown
}

const (
	maxRecent    = 64               // more than arrive in a rateWindow
	rateWindow   = 10 * time.Second // over which a rate is measured: it follows a slowing load without jumping
	minElapsed   = time.Second      // after which there are enough operations to estimate a rate
	maxRemaining = 1000 * 3600.0    // seconds; a longer time only means that the rate is close to zero
)

// begin records that a repetition begins at the given time.
func (e *eta) begin(s runner.Repetition, at time.Time) {
	if s.Number == 1 || e.first.IsZero() || e.rep.Phase != s.Phase || e.rep.Scenario != s.Scenario {
		*e = eta{first: at}
	} else {
		e.each = at.Sub(e.first) / time.Duration(s.Number-1)
	}
	e.rep, e.ended = s, false
	e.live, e.recent[0], e.known = runner.Progress{}, runner.Progress{}, 1
}

// progress records how far the repetition is.
func (e *eta) progress(v runner.Progress) {
	e.live = v
	drop := 0
	for drop+1 < e.known && (v.Elapsed-e.recent[drop+1].Elapsed >= rateWindow || e.known-drop == maxRecent) {
		drop++
	}
	e.known = copy(e.recent[:], e.recent[drop:e.known])
	e.recent[e.known] = v
	e.known++
}

// end records how the repetition ended.
func (e *eta) end(v runner.Progress) { e.live, e.ended = v, true }

// rates returns how many operations succeeded a second, and how many ended: over the last seconds,
// or over the whole repetition once it has ended. It reports false while that isn't known.
func (e *eta) rates() (done, finished float64, ok bool) {
	from, to := runner.Progress{}, e.live
	if !e.ended {
		if e.live.Elapsed-e.live.Uncounted < minElapsed {
			return 0, 0, false
		}
		from, to = e.recent[0], e.recent[e.known-1]
	}
	if e.ended && to.Plan > 0 { // as in the metric ops/s
		to.Done, to.Elapsed = to.DoneInPlan, to.Plan
	}
	seconds := (to.Elapsed - to.Uncounted - from.Elapsed + from.Uncounted).Seconds()
	if seconds <= 0 {
		return 0, 0, false
	}
	done = float64(to.Done-from.Done) / seconds
	return done, done + float64(to.Failed-from.Failed)/seconds, true
}

// remaining returns how many more seconds this repetition and the later ones of its phase will
// take. It reports false while that can't be estimated.
func (e *eta) remaining() (seconds float64, ok bool) {
	here, ok := e.remainingHere()
	after := e.rep.Total - e.rep.Number
	switch {
	case e.ended && (after <= 0 || fraction(e.rep, e.live) < 1): // none follows a repetition that was broken off
		return 0, false
	case after <= 0 || !ok:
		return here, ok
	}
	each := e.each.Seconds()
	if each == 0 {
		each = e.live.Elapsed.Seconds() + here
	}
	return here + float64(after)*each, true
}

// remainingHere returns how many more seconds this repetition will take: until its time is over or
// its operations have ended at the present rate, whichever is later; if neither is known, until it
// has taken as long as the repetitions before it. It reports false while that can't be estimated.
func (e *eta) remainingHere() (seconds float64, ok bool) {
	if e.ended {
		return 0, true
	}
	if e.rep.Duration > 0 {
		seconds, ok = max(0, (e.rep.Duration-e.live.Elapsed).Seconds()), true
	}
	_, finished, known := e.rates()
	switch {
	case e.rep.Planned == 0:
	case known && finished > 0:
		operations := max(0, e.rep.Planned-e.live.Done-e.live.Failed)
		seconds, ok = max(seconds, float64(operations)/finished), true
	case !ok && e.each > 0:
		seconds, ok = max(0, (e.each-e.live.Elapsed).Seconds()), true
	}
	return seconds, ok
}

// text describes the running repetition with the figures that are known:
//
//	22.0s load  312,000 of 1,000,000  14,210/s  48s left  16 in flight  3 failed  2 retries
func (e *eta) text() string {
	parts := append(e.stage(), e.figures(e.count())...)
	return strings.Join(slices.Concat(parts, e.details(), e.warnings()), "  ")
}

// endText describes a repetition that has ended:
//
//	1,000,000 of 1,000,000 operations in 71.4s  14,006/s
func (e *eta) endText() string {
	parts := e.figures(fmt.Sprintf("%s operations in %.1fs", e.count(), e.live.Elapsed.Seconds()))
	return strings.Join(append(parts, e.details()...), "  ")
}

// shortText describes how far the repetition is, in less than half a line. Once the repetition has
// ended, it has all details.
func (e *eta) shortText() string {
	parts := e.figures(e.count())
	if e.ended || e.live.Stage == "" {
		parts = append(parts, e.details()...)
	}
	return strings.Join(parts, "  ")
}

// stage says how long the load has run and what it is doing: "12.3s load". It returns nil if no
// load is running.
func (e *eta) stage() []string {
	v := e.live
	if v.Stage == "" {
		return nil
	}
	doing, wave := string(v.Stage), ""
	if n := len(v.Waves); n > 0 {
		if wave = fmt.Sprintf("wave %d", n); v.WaveCount > 0 {
			wave += fmt.Sprintf(" of %d", v.WaveCount)
		}
	}
	switch {
	case v.Stage == runner.Soaking:
		doing = "soaking after " + wave + ", " + remainingText(v.SoakLeft.Seconds())
	case v.Stage == runner.Load && wave != "":
		doing = wave
	}
	return []string{elapsedText(v.Elapsed) + " " + doing}
}

func (e *eta) count() string {
	if e.rep.Planned == 0 {
		return plaintext.Thousands(e.live.Done)
	}
	return plaintext.Thousands(e.live.Done) + " of " + plaintext.Thousands(e.rep.Planned)
}

// figures returns how many operations there were, how many there are a second, and how much time is
// left.
func (e *eta) figures(count string) []string {
	parts := []string{count}
	if e.rep.Rate > 0 {
		parts = append([]string{"trying " + rateText(e.rep.Rate)}, parts...)
	}
	if done, _, ok := e.rates(); ok {
		rate := rateText(done)
		if e.live.PlannedRate > 0 && !e.ended {
			rate += " of " + rateText(e.live.PlannedRate)
		}
		parts = append(parts, rate)
	}
	if seconds, ok := e.remaining(); ok && seconds < maxRemaining {
		parts = append(parts, remainingText(seconds))
	}
	return parts
}

// details returns texts about response times, operations that haven't ended, waves, failures and
// retries, if there are any.
func (e *eta) details() (parts []string) {
	v := e.live
	if v.P99 > 0 {
		parts = append(parts, "p50 "+timeText(v.P50)+" p99 "+timeText(v.P99))
	}
	if v.InFlight > 0 {
		parts = append(parts, plaintext.Thousands(v.InFlight)+" in flight")
	}
	if v.NotSent > 0 {
		parts = append(parts, plaintext.Thousands(v.NotSent)+" not sent")
	}
	if n := len(v.Waves); n > 0 && v.Stage == "" {
		parts = append(parts, fmt.Sprintf("wave %d", n))
	}
	if v.Failed > 0 {
		parts = append(parts, plaintext.Thousands(v.Failed)+" failed"+classesText(v.Classes))
	}
	if v.Retries > 0 {
		parts = append(parts, plaintext.Thousands(v.Retries)+" retries")
	}
	if v.Stage != "" {
		parts = append(parts, agentsParts(v.Agents)...)
	}
	return parts
}

// agentsParts says how many agents there are, and which of them is silent or behind.
func agentsParts(a runner.AgentsStatus) (parts []string) {
	switch {
	case a.Of == 0:
		return nil
	case a.Alive == a.Of:
		parts = append(parts, plaintext.Count(a.Of, "agent"))
	default:
		parts = append(parts, fmt.Sprintf("%d of %s", a.Alive, plaintext.Count(a.Of, "agent")))
	}
	if a.Silent != "" {
		parts = append(parts, fmt.Sprintf("%s silent for %s", a.Silent, elapsedText(a.SilentFor)))
	}
	if a.Behind != "" && a.Behind != a.Silent {
		parts = append(parts, fmt.Sprintf("%s behind by %s", a.Behind, elapsedText(a.BehindBy)))
	}
	return parts
}

// warnings returns why the run is certain to be invalid or to fail, as far as that is known.
func (e *eta) warnings() (parts []string) {
	if e.ended {
		return nil
	}
	for _, text := range []string{e.live.Invalid, e.live.Failing} {
		if text != "" {
			parts = append(parts, plaintext.Line(text))
		}
	}
	return parts
}

// classesText returns the classes of failures, most frequent first: " (timeout 12, refused 3)".
func classesText(classes map[string]int) string {
	if len(classes) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = name + " " + plaintext.Thousands(int64(classes[name]))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// timeText formats d with two significant digits.
func timeText(d time.Duration) string {
	digits := 1
	for limit := time.Duration(100); d >= limit; limit *= 10 {
		digits *= 10
	}
	return d.Round(time.Duration(digits)).String()
}

// rateText formats a rate: with a decimal below 10/s, and per minute or hour below 0.1/s.
func rateText(perSecond float64) string {
	switch {
	case perSecond > 0 && perSecond < 0.1:
		return results.Rate.Format(perSecond)
	case perSecond < 9.95:
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return plaintext.Thousands(int64(math.Round(perSecond))) + "/s"
}

// elapsedText formats a time that has passed.
func elapsedText(d time.Duration) string {
	switch s := int64(d.Seconds()); {
	case s >= 3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
}

// remainingText formats a remaining time. It rounds up, so that "0s left" means that none is left.
func remainingText(seconds float64) string {
	s := int64(math.Ceil(seconds))
	switch {
	case s >= 3600:
		return fmt.Sprintf("%dh%02dm left", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%dm%02ds left", s/60, s%60)
	}
	return fmt.Sprintf("%ds left", s)
}
