package rollout

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// socketFleet serves devices behind one listener, at /d/0 and so on, on bare sockets.
type socketFleet struct {
	devices []delivery.Device

	mu     sync.Mutex
	pushes map[int]int
}

// newSocketFleet starts n devices. fails returns the status line of device i's answer to its push
// if the device is to refuse it; pushed is how many devices were pushed to. has reports whether
// device i runs the update before any push. Both are called by one goroutine at a time.
func newSocketFleet(t *testing.T, n int, fails func(i, pushed int) string, has func(i int) bool) *socketFleet {
	f := &socketFleet{pushes: map[int]int{}}
	base := scriptedDevice(t, func(_, _ int, r *http.Request) string {
		i, err := strconv.Atoi(strings.Split(r.URL.Path, "/")[2])
		if err != nil {
			return ""
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Method == http.MethodPost {
			f.pushes[i]++
			if status := fails(i, len(f.pushes)); status != "" {
				return deliverytest.JSONAnswer(status, "{}")
			}
			return deliverytest.Good(r)
		}
		if has != nil && has(i) || f.pushes[i] > 0 {
			return deliverytest.Good(r)
		}
		return deliverytest.JSONAnswer("200 OK", deliverytest.OldVersion)
	})
	for i := range n {
		f.devices = append(f.devices, delivery.Device{Address: fmt.Sprintf("%s/d/%d", base.Address, i)})
	}
	return f
}

// begun returns how many devices were pushed to.
func (f *socketFleet) begun() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pushes)
}

// TestASmallCanaryStopsTheRollout has a wave of 18 devices of which 9 refuse the update. The 22
// devices after it must not be contacted.
func TestASmallCanaryStopsTheRollout(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg delivery.Config) {
		f := newSocketFleet(t, 40, func(_, pushed int) string {
			if pushed%2 == 0 {
				return "404 Not Found"
			}
			return ""
		}, nil)
		report, err := Run(t.Context(), newClient(t, cfg), slices.Values(f.devices), newUpdate(t, "2", []byte("x")),
			Options{Waves: []Wave{{Share: 0.45}, {Share: 1}}, AbortShare: 0.05})
		require.ErrorContains(t, err, "rollout stopped in wave 1 (45%): 9 of 18 devices failed (9 permanent), 50%: want less than 5%")
		require.Equal(t, []int{18, 22}, []int{f.begun(), report.NotReached})
	})
}

// TestABadUpdateReachesNoMoreThanItTakesToFindOut has 64 workers, 50 devices that all refuse the
// update, and the default AbortLeast.
func TestABadUpdateReachesNoMoreThanItTakesToFindOut(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg delivery.Config) {
		f := newSocketFleet(t, 50, func(int, int) string { return "404 Not Found" }, nil)
		report, err := Run(t.Context(), newClient(t, cfg), slices.Values(f.devices), newUpdate(t, "2", []byte("x")),
			Options{Workers: 64, AbortShare: 0.05})
		require.ErrorContains(t, err, "20 of 20 devices failed")
		require.Equal(t, []int{20, 30}, []int{f.begun(), 50 - report.Failed.Total()})
	})
}

// TestSkippedDevicesDoNotDiluteFailures has 900 devices that were done before or have the
// update, and 100 new ones that all refuse it.
func TestSkippedDevicesDoNotDiluteFailures(t *testing.T) {
	for name, journaled := range map[string]bool{"done by the journal": true, "found to have it": false} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg delivery.Config) {
				f := newSocketFleet(t, 1000, func(int, int) string { return "404 Not Found" }, func(i int) bool { return i < 900 })
				u := newUpdate(t, "2", []byte("x"))
				rc := Options{AbortShare: 0.2, SkipUpdated: true}
				if journaled {
					var done []journalRecord
					for _, d := range f.devices[:900] {
						done = append(done, recordOf(d, eventDone))
					}
					rc.Journal.Path = journalOf(t, u, done...)
				}
				report, err := Run(t.Context(), newClient(t, cfg), slices.Values(f.devices), u, rc)
				require.ErrorContains(t, err, "20 of 20 devices failed (20 permanent)")
				require.Equal(t, 20, f.begun())
				require.Equal(t, 900, report.Skipped())
			})
		})
	}
}
