package runner

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// rolloutOptions returns the options of the client's rollout.
func rolloutOptions(l scenarios.LoadSpec, onEvent func(rollout.Event)) rollout.Options {
	s := l.Rollout
	opts := rollout.Options{
		Workers: l.Workers, PerSecond: float64(l.Rate), AbortShare: float64(s.AbortShare), AbortLeast: s.AbortMinimum,
		Requeue: rollout.Requeue{Turns: s.Requeue.Turns, After: s.Requeue.After.Std()}, OnEvent: onEvent,
	}
	for _, w := range s.Waves {
		opts.Waves = append(opts.Waves, rollout.Wave{Share: float64(w.Share), Soak: w.Soak.Std()})
	}
	return opts
}

// defaultAbortLeast is how many devices of a wave must have finished before a rollout judges the
// wave while it runs, if the scenario doesn't say. It is the default of rollout.Options.AbortLeast.
const defaultAbortLeast = 20

// waves tracks a rollout by its events, with a row for each wave. rows is safe for concurrent use.
type waves struct {
	spec  scenarios.RolloutSpec
	sizes []int // sizes of the waves, in devices

	mu      sync.Mutex
	start   time.Time // of the load
	list    []results.Wave
	soaking time.Time // when the soak of the last wave began; zero if it isn't soaking
}

// abortLeast returns how many devices of a wave must have finished before the wave is judged while
// it runs.
func abortLeast(s scenarios.RolloutSpec) int { return cmp.Or(s.AbortMinimum, defaultAbortLeast) }

// begin sets when the load starts. It is called before the first event. It does nothing if w is nil,
// as for loads other than rollouts.
func (w *waves) begin(start time.Time) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start = start
}

// event updates the last wave, or begins a new one, from an event of the rollout.
func (w *waves) event(e rollout.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Kind == rollout.WaveBegun {
		wave := results.Wave{Number: e.Progress.Wave, Share: e.Wave.Share, BeganNS: int64(time.Since(w.start))}
		if n := len(w.list); n < len(w.sizes) {
			wave.Size = w.sizes[n]
		}
		w.list = append(w.list, wave)
	}
	if len(w.list) == 0 {
		return
	}
	// The client counts a device once, however often it is tried.
	now, counts := &w.list[len(w.list)-1], e.Progress.CurrentWave
	now.Reached, now.Updated, now.Failed = counts.Devices, counts.Updated+counts.HadIt, counts.Failed.Total()
	switch e.Kind {
	case rollout.WaveSoaking:
		w.soaking = time.Now()
		now.EndedNS = int64(w.soaking.Sub(w.start))
	case rollout.WavePassed:
		w.pass(now)
	}
}

// pass ends a wave that didn't stop the rollout. The caller holds w.mu.
func (w *waves) pass(now *results.Wave) {
	if !w.soaking.IsZero() {
		now.SoakNS, w.soaking = int64(time.Since(w.soaking)), time.Time{}
	}
	w.setEnded(now)
	finished := now.Updated + now.Failed
	switch share := float64(now.Failed) / float64(max(1, finished)); {
	case w.spec.AbortShare == 0:
		now.Why = "passed: no share of failures stops it (load.rollout.abort_share)"
	case finished == 0:
		now.Why = "passed: it had no device"
	default:
		now.Why = fmt.Sprintf("passed: %s failed, less than %s", percents(share), percents(float64(w.spec.AbortShare)))
	}
}

// setEnded says that a wave has ended: now, unless it soaked. The caller holds w.mu.
func (w *waves) setEnded(now *results.Wave) {
	now.Ended = true
	if now.EndedNS == 0 {
		now.EndedNS = int64(time.Since(w.start))
	}
}

// end ends the last wave when the rollout has ended. abort says why the rollout stopped itself, and
// is nil if it didn't.
func (w *waves) end(abort *rollout.AbortError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == 0 {
		return
	}
	now := &w.list[len(w.list)-1]
	if abort == nil {
		if !now.Ended {
			w.pass(now)
		}
		return
	}
	w.setEnded(now)
	now.Stopped = true
	failed := abort.Failed.Total()
	share := float64(failed) / float64(max(1, abort.Finished))
	now.Why = fmt.Sprintf("stopped: %d of %d finished devices failed (%s), %s: want less than %s",
		failed, abort.Finished, abort.Failed, percents(share), percents(abort.Share))
}

// percents returns a share of devices as text, such as "1.5%".
func percents(share float64) string { return results.Share.Format(share) }

// rows returns the waves that have begun. It returns nil if w is nil, as for loads other than
// rollouts.
func (w *waves) rows() []results.Wave {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.list)
}

// soakLeft returns how much longer the rollout waits after its last wave. It reports false if the
// rollout isn't waiting, or w is nil.
func (w *waves) soakLeft() (left time.Duration, soaking bool) {
	if w == nil {
		return 0, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.list)
	if w.soaking.IsZero() || n == 0 || n > len(w.spec.Waves) {
		return 0, false
	}
	return max(0, w.spec.Waves[n-1].Soak.Std()-time.Since(w.soaking)), true
}

// waveSizes returns how many of a fleet's devices each wave has. It divides the fleet as package
// delivery does: each wave differs from its share by less than one device, and has at least one
// device as long as any are left.
func waveSizes(s scenarios.RolloutSpec, devices int) []int {
	if len(s.Waves) == 0 {
		return []int{devices}
	}
	reached := make([]int, min(len(s.Waves), devices))
	before := 0
	for i := range reached {
		share := int(math.Round(float64(s.Waves[i].Share) * float64(devices)))
		reached[i] = min(devices, max(share, before+1))
		before = reached[i]
	}
	for i := len(reached) - 2; i >= 0; i-- { // leave one device at least for each wave that follows
		reached[i] = min(reached[i], reached[i+1]-1)
	}
	sizes := slices.Clone(reached)
	for i := 1; i < len(sizes); i++ {
		sizes[i] -= reached[i-1]
	}
	return sizes
}

// smallWaves returns a sentence for each wave that is too small to be judged while it runs.
func smallWaves(s scenarios.RolloutSpec, devices int) (sentences []string) {
	if s.AbortShare == 0 || len(s.Waves) == 0 {
		return nil
	}
	for i, size := range waveSizes(s, devices) {
		if size >= abortLeast(s) {
			continue
		}
		stops := 1
		for float64(stops)/float64(size) < float64(s.AbortShare) {
			stops++
		}
		stop := "stop"
		if stops == 1 {
			stop = "stops"
		}
		sentences = append(sentences, fmt.Sprintf("wave %d (%s, %s) is smaller than load.rollout.abort_least (%d): "+
			"it is judged only at its end, and %s of it %s the rollout", i+1, percents(float64(s.Waves[i].Share)),
			plaintext.Count(size, "device"), abortLeast(s), plaintext.Count(stops, "failed device"), stop))
	}
	return sentences
}
