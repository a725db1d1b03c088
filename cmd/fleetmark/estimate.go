package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
)

// estimate says how fast the repetition under way goes, and how long those of its kind
// will take yet. It is told of each repetition's begin and of how it stands; nothing in
// it looks at a clock but the time that it is given.
type estimate struct {
	step   scenarios.Step
	live   scenarios.Live
	ended  bool                      // the repetition is over
	recent [maxRecent]scenarios.Live // how it stood in the last seconds, oldest first
	known  int                       // of them
	first  time.Time                 // when the first repetition of the kind began
	each   time.Duration             // from one repetition's begin to the next one's, in the mean; 0: not known yet
}

const (
	maxRecent    = 64               // more than come in recentFor
	recentFor    = 10 * time.Second // a rate is of so long, so that it follows a load that slows down and doesn't jump
	leastElapsed = time.Second      // before, a repetition has shown nothing that it could be judged by
	mostLeft     = 1000 * 3600.0    // seconds; what takes longer says only that the rate is next to nothing
)

// begin is for each repetition, at the time when it begins.
func (e *estimate) begin(s scenarios.Step, at time.Time) {
	if s.Number == 1 || e.first.IsZero() || e.step.Kind != s.Kind || e.step.Scenario != s.Scenario {
		*e = estimate{first: at}
	} else {
		e.each = at.Sub(e.first) / time.Duration(s.Number-1)
	}
	e.step, e.ended = s, false
	e.live, e.recent[0], e.known = scenarios.Live{}, scenarios.Live{}, 1
}

// progress is for how the repetition stands.
func (e *estimate) progress(v scenarios.Live) {
	e.live = v
	drop := 0
	for drop+1 < e.known && (v.Elapsed-e.recent[drop+1].Elapsed >= recentFor || e.known-drop == maxRecent) {
		drop++
	}
	e.known = copy(e.recent[:], e.recent[drop:e.known])
	e.recent[e.known] = v
	e.known++
}

// end is for how it ended.
func (e *estimate) end(v scenarios.Live) { e.live, e.ended = v, true }

// rates are of the last seconds, or of the whole repetition once it has ended: those
// operations that succeeded, and all that came to an end. false: there is nothing to
// say yet.
func (e *estimate) rates() (done, finished float64, ok bool) {
	from, to := scenarios.Live{}, e.live
	if !e.ended {
		if e.live.Elapsed < leastElapsed {
			return 0, 0, false
		}
		from, to = e.recent[0], e.recent[e.known-1]
	}
	seconds := (to.Elapsed - from.Elapsed).Seconds()
	if seconds <= 0 {
		return 0, 0, false
	}
	done = float64(to.Done-from.Done) / seconds
	return done, done + float64(to.Failed-from.Failed)/seconds, true
}

// left is how many seconds this repetition, and those of its kind that come after it,
// will take. false: there is nothing to say yet.
func (e *estimate) left() (seconds float64, ok bool) {
	here, ok := e.leftHere()
	after := e.step.Of - e.step.Number
	switch {
	case e.ended && (after <= 0 || share(e.step, e.live) < 1): // one that was broken off is the last
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

// leftHere is how long this repetition will take: until its time is over, or until its
// operations have ended as fast as the last ones did, whichever is later; or as long
// as the ones before it did.
func (e *estimate) leftHere() (seconds float64, ok bool) {
	if e.ended {
		return 0, true
	}
	if e.step.Duration > 0 {
		seconds, ok = max(0, (e.step.Duration-e.live.Elapsed).Seconds()), true
	}
	_, finished, known := e.rates()
	switch {
	case e.step.Planned == 0:
	case known && finished > 0:
		operations := max(0, e.step.Planned-e.live.Done-e.live.Failed)
		seconds, ok = max(seconds, float64(operations)/finished), true
	case !ok && e.each > 0:
		seconds, ok = max(0, (e.each-e.live.Elapsed).Seconds()), true
	}
	return seconds, ok
}

// text is how the repetition stands, as far as there is something to say:
//
//	312,000 of 1,000,000  14,210/s  48s left  3 failed  2 retries
func (e *estimate) text() string { return e.with(e.count()) }

// ending is that once the repetition has ended:
//
//	1,000,000 of 1,000,000 operations in 71.4s  14,006/s
func (e *estimate) ending() string {
	return e.with(fmt.Sprintf("%s operations in %.1fs", e.count(), e.live.Elapsed.Seconds()))
}

func (e *estimate) count() string {
	if e.step.Planned == 0 {
		return grouped(e.live.Done)
	}
	return grouped(e.live.Done) + " of " + grouped(e.step.Planned)
}

func (e *estimate) with(count string) string {
	parts := []string{count}
	if e.step.Rate > 0 {
		parts = append([]string{"trying " + rateText(e.step.Rate)}, parts...)
	}
	if done, _, ok := e.rates(); ok {
		rate := rateText(done)
		if e.live.PlannedRate > 0 && !e.ended {
			rate += " of " + rateText(e.live.PlannedRate)
		}
		parts = append(parts, rate)
	}
	if e.live.P99 > 0 {
		parts = append(parts, "p50 "+timeText(e.live.P50)+" p99 "+timeText(e.live.P99))
	}
	if seconds, ok := e.left(); ok && seconds < mostLeft {
		parts = append(parts, leftText(seconds))
	}
	return strings.Join(append(parts, troubles(e.live)...), "  ")
}

// troubles are what not every repetition has.
func troubles(v scenarios.Live) (parts []string) {
	if v.Failed > 0 {
		parts = append(parts, grouped(v.Failed)+" failed"+classesText(v.Classes))
	}
	if v.Retries > 0 {
		parts = append(parts, grouped(v.Retries)+" retries")
	}
	return parts
}

// classesText says which failures there were, most frequent first: " (timeout 12, refused 3)".
func classesText(classes map[string]int) string {
	if len(classes) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = name + " " + grouped(int64(classes[name]))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// timeText has two figures that count: what is live is no more exact.
func timeText(d time.Duration) string {
	digits := 1
	for limit := time.Duration(100); d >= limit; limit *= 10 {
		digits *= 10
	}
	return d.Round(time.Duration(digits)).String()
}

// rateText has a decimal where there would be one figure alone.
func rateText(perSecond float64) string {
	if perSecond < 9.95 {
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return grouped(int64(math.Round(perSecond))) + "/s"
}

// leftText rounds up: what is left for 0 s has ended.
func leftText(seconds float64) string {
	s := int64(math.Ceil(seconds))
	switch {
	case s >= 3600:
		return fmt.Sprintf("%dh%02dm left", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%dm%02ds left", s/60, s%60)
	}
	return fmt.Sprintf("%ds left", s)
}

// grouped writes a count, which isn't negative, with a comma every three digits.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}
