package load

import "math"

// A Search looks for the highest rate that holds, between From and To operations per second.
// [Search.Next] returns the rate to try, and [Search.Report] takes the outcome of that trial.
//
// It doubles the rate until one fails. Then it tries the geometric mean of the highest rate that
// held and the lowest that failed, until the two differ by no more than Tolerance. On a shared
// machine a rate may fail by chance, so a rate that exceeded the limit is tried once more before it
// counts as failed. If a trial was unclear, the rate is tried for twice as long, because the waits
// of operations that pile up grow with time, while other delays don't.
type Search struct {
	From, To  float64
	Tolerance float64 // how exactly the limit is found, relative to it

	Held      float64 // the highest rate that held; 0: none
	Failed    float64 // the lowest rate that failed; 0: none
	Uncertain bool    // Failed may hold after all, since even the longest trial was unclear

	last     float64 // the rate that Next returned
	times    int     // how many times as long as usual last is tried
	retrying bool    // last must be tried again
	exceeded bool    // a trial of last exceeded the limit
}

// maxTimes limits how many times as long as usual a rate is tried. The time doubles, and one trial
// may be repeated, so that all trials of a rate take less than 3*maxTimes times the usual time.
const maxTimes = 8

// A TrialOutcome says whether a rate that was tried holds.
type TrialOutcome int

// The outcomes of a trial.
const (
	Unclear  TrialOutcome = iota // the trial was too short or too disturbed to tell
	Held                         // the rate holds
	Exceeded                     // the rate is above the limit
)

// Next returns the rate to try, and how many times the usual time to try it for. It reports false
// if the search is over.
func (s *Search) Next() (rate float64, times int, ok bool) {
	if s.retrying {
		return s.last, s.times, true
	}
	s.times, s.exceeded = 1, false
	switch {
	case s.Held == 0 && s.Failed == 0:
		s.last = s.From
	case s.Held == 0: // even the lowest rate fails
		return 0, 0, false
	case s.Failed == 0 && s.Held >= s.To: // the limit is above the highest rate
		return 0, 0, false
	case s.Failed == 0:
		s.last = min(2*s.Held, s.To)
	case s.Failed/s.Held-1 <= s.Tolerance:
		return 0, 0, false
	default:
		s.last = math.Sqrt(s.Held * s.Failed)
	}
	return s.last, s.times, true
}

// Report takes the outcome of the trial of the rate that Next returned.
func (s *Search) Report(o TrialOutcome) {
	s.retrying = false
	switch {
	case o == Held:
		s.Held = s.last
	case o == Exceeded && !s.exceeded:
		s.exceeded, s.retrying = true, true
	case o == Unclear && s.times < maxTimes:
		s.times, s.retrying = 2*s.times, true
	default:
		s.Failed, s.Uncertain = s.last, o == Unclear
	}
}
