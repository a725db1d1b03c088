package runner

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// strained is a target that reports a fault once: in its nth status (refusesAt), or in its nth
// ledger (contradictAt).
type strained struct {
	target.Target
	statuses, ledgers       int
	refusesAt, contradictAt int
}

func (s *strained) Witness() target.Witness { return s }

func (s *strained) Reset(ctx context.Context) error { return s.Target.Witness().Reset(ctx) }

func (s *strained) Status(ctx context.Context) (mockfleet.Status, error) {
	status, err := s.Target.Witness().Status(ctx)
	if s.statuses++; s.statuses == s.refusesAt {
		status.Health.Problems = []mockfleet.Problem{{Text: "it refused connections"}}
	}
	return status, err
}

func (s *strained) Ledger(ctx context.Context) iter.Seq2[ledger.Entry, error] {
	s.ledgers++
	bad := s.ledgers == s.contradictAt
	return func(yield func(ledger.Entry, error) bool) {
		for e, err := range s.Target.Witness().Ledger(ctx) {
			if bad {
				e.AppliedTwice++
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestHealthIsThatOfTimedRepetitions runs one repetition of each phase. A fleet that refuses
// connections makes the run invalid only in the timed one; a ledger that contradicts does so in
// any.
func TestHealthIsThatOfTimedRepetitions(t *testing.T) {
	for name, row := range map[string]struct {
		fleet strained
		says  string
	}{
		"refuses in the warm-up":              {strained{refusesAt: 2}, ""},
		"refuses in a timed repetition":       {strained{refusesAt: 4}, "it refused connections"},
		"refuses in a profiled one":           {strained{refusesAt: 6}, ""},
		"contradicts in the warm-up":          {strained{contradictAt: 1}, "applied the same update twice"},
		"contradicts in a timed repetition":   {strained{contradictAt: 2}, "applied the same update twice"},
		"contradicts in a profiled one":       {strained{contradictAt: 3}, "applied the same update twice"},
		"neither refuses nor contradicts now": {strained{contradictAt: 4, refusesAt: 7}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			s.Repetitions = 1
			r, err := begin(t.Context(), options(t, s))
			require.NoError(t, err)
			fleet := row.fleet
			fleet.Target = r.target
			r.target = &fleet
			require.NoError(t, finish(t.Context(), r, r.runRepetitions(t.Context())))
			require.Equal(t, row.says == "", r.run.Valid, "%v", r.run.Invalid)
			if row.says != "" {
				require.Len(t, r.run.Invalid, 1)
				require.Contains(t, r.run.Invalid[0], row.says)
			}
		})
	}
}
