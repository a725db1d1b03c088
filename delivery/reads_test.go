package delivery

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

const (
	busyVersion = `{"version":"1","state":"rebooting"}`
	otherDigest = `{"version":"2","state":"idle","digest":"00"}`
	otherDevice = `{"device_id":"till-18","version":"2","state":"idle"}`
)

// TestWhatCountsAsDelivered has the answers of a device to its push (p) and its verifications, in
// order. The last one is repeated forever; "gone" is a connection without an answer.
func TestWhatCountsAsDelivered(t *testing.T) {
	busy, old, right := deliverytest.JSONAnswer("200 OK", busyVersion), deliverytest.JSONAnswer("200 OK",
		deliverytest.OldVersion), deliverytest.JSONAnswer("200 OK", deliverytest.GoodVersion)
	ok, accepted, conflict := deliverytest.JSONAnswer("200 OK",
		deliverytest.GoodPush), deliverytest.JSONAnswer("202 Accepted", "{}"), deliverytest.JSONAnswer("409 Conflict", "{}")
	broken, throttled := deliverytest.JSONAnswer("500 Broken", "{}"), deliverytest.JSONAnswer("503 Busy", "{}")
	for name, row := range map[string]struct {
		push      string
		verify    []string
		goodReads int
		want      Class
		is        error
		pushes    int
		verifies  int
	}{
		"right at once":               {ok, []string{right}, 0, ClassUnknown, nil, 1, 1},
		"three wanted":                {ok, []string{right}, 3, ClassUnknown, nil, 1, 3},
		"rolled back":                 {ok, []string{right, old}, 2, ClassIntegrity, ErrRolledBack, 1, 2},
		"rolled back, seen to reboot": {ok, []string{busy, right, old}, 0, ClassIntegrity, ErrRolledBack, 1, 3},
		"rolled back, accepted":       {accepted, []string{right, old}, 0, ClassIntegrity, ErrRolledBack, 1, 2},
		"rolled back, gone between":   {ok, []string{"gone", right, "gone", old}, 0, ClassIntegrity, ErrRolledBack, 1, 4},
		"in a row":                    {ok, []string{busy, right, busy, right}, 0, ClassUnknown, nil, 1, 5},
		"gone after the push": {ok, []string{"gone", "gone", "gone", "gone", "gone", "gone", "gone", right}, 0,
			ClassUnknown, nil, 1, 9},
		"flapping": {ok, []string{"gone", right, "gone", right}, 0, ClassUnknown, nil, 1, 5},
		"in a row, gone between": {ok, []string{right, "gone", right, right, "gone", right}, 3, ClassUnknown, nil, 1,
			8},
		"in a row, 500 between": {ok, []string{right, broken, right}, 2, ClassUnknown, nil, 1, 4},
		"in a row, 503 between": {ok, []string{right, throttled, right, throttled, right}, 2, ClassUnknown, nil, 1,
			6},
		"in a row, no HTTP between": {ok, []string{right, "what?\r\n\r\n", right}, 2, ClassUnknown, nil, 1, 4},
		"never in a row": {ok, []string{right, broken, right, broken, right, broken, right, broken, right},
			2, ClassAmbiguous, errStatus, 1, 8},
		"rolled back, 500 between":    {ok, []string{right, broken, old}, 2, ClassIntegrity, ErrRolledBack, 1, 3},
		"accepted, gone for good":     {accepted, []string{"gone"}, 0, ClassPending, errNotBack, 1, 0},
		"applied, gone for good":      {ok, []string{"gone"}, 0, ClassPending, errNotBack, 1, 0},
		"push lost, gone for good":    {"gone", []string{"gone"}, 0, ClassAmbiguous, nil, 1, 4},
		"push lost, gone, then right": {"gone", []string{"gone", right}, 0, ClassUnknown, nil, 1, 3},
		"ok but not applied":          {ok, []string{old}, 0, ClassIntegrity, ErrLacksUpdate, 1, 1},
		"wrong digest": {ok, []string{deliverytest.JSONAnswer("200 OK", otherDigest)}, 0, ClassIntegrity,
			ErrWrongDigest, 1, 1},
		"wrong digest after lost": {"gone", []string{deliverytest.JSONAnswer("200 OK", otherDigest)}, 0,
			ClassIntegrity, ErrWrongDigest, 1, 1},
		"wrong device": {ok, []string{deliverytest.JSONAnswer("200 OK", otherDevice)}, 0, ClassIntegrity,
			ErrWrongDevice, 1, 1},
		"took other bytes": {deliverytest.JSONAnswer("200 OK", `{"success":true,"digest":"00"}`), nil, 0,
			ClassIntegrity, errWrongTaken, 1, 0},
		"refused other bytes": {deliverytest.JSONAnswer("400 Bad Request",
			`{"success":false,"size":1,"digest":"00"}`), nil, 0, ClassIntegrity, errWrongTaken, 1, 0},
		"refused these bytes": {deliverytest.JSONAnswer("400 Bad Request",
			`{"success":false,"size":1,"digest":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}`), nil, 0,
			ClassPermanent, errStatus, 1, 0},
		"refused before the end": {deliverytest.JSONAnswer("400 Bad Request",
			`{"success":false,"size":0,"digest":"00"}`), nil, 0, ClassPermanent, errStatus, 1, 0},
		"conflict, then has it":       {conflict, []string{right}, 0, ClassUnknown, nil, 1, 1},
		"conflict, busy, then has it": {conflict, []string{busy, right}, 0, ClassUnknown, nil, 1, 3},
		"413": {deliverytest.JSONAnswer("413 Too Large", "{}"), nil, 0, ClassPermanent, errStatus,
			1, 0},
		"413 for now": {"HTTP/1.1 413 Too Large\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", nil, 0,
			ClassThrottled, errStatus, 4, 0},
		"417, and nothing was expected": {deliverytest.JSONAnswer("417 Expectation Failed", "{}"), nil, 0, ClassPermanent,
			errStatus, 1, 0},
		"truncated, then right": {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", []string{right}, 0, ClassUnknown, nil,
			1, 1},
		"compressed, then right": {strings.Replace(ok, "Content-Type", "Content-Encoding: gzip\r\nContent-Type", 1),
			[]string{right}, 0, ClassUnknown, nil, 1, 1},
		"compressed for good": {strings.Replace(ok, "Content-Type", "content-encoding: br\r\nContent-Type", 1),
			[]string{strings.Replace(right, "Content-Type", "Content-Encoding: gzip\r\nContent-Type", 1)}, 0, ClassProtocol,
			errEncoded, 1, 4},
		"identity is no coding": {strings.Replace(ok, "Content-Type", "Content-Encoding: Identity\r\nContent-Type", 1),
			[]string{right}, 0, ClassUnknown, nil, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				var mu sync.Mutex
				pushes, verifies := 0, 0
				dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
					mu.Lock()
					defer mu.Unlock()
					text := row.push
					if r.Method == http.MethodPost {
						pushes++
					} else {
						text = row.verify[min(verifies, len(row.verify)-1)]
						verifies++
					}
					if text == "gone" {
						return ""
					}
					// Otherwise the end of a kept-alive connection could be taken for a sign that
					// the device is gone.
					return strings.Replace(text, "\r\n", "\r\nConnection: close\r\n", 1)
				})
				if row.is == ErrWrongDevice {
					dev.ID = "till-17"
				}
				cfg.Retry.GoodReads = row.goodReads
				if row.want == ClassPending {
					cfg.Retry.PollFor = 5 * time.Millisecond
				}
				report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				if row.is != nil {
					require.ErrorIs(t, err, row.is)
				}
				require.Equal(t, row.want == ClassIntegrity, errors.Is(err, ErrQuarantined))
				require.Equal(t, row.pushes, report.Pushes)
				if row.verifies > 0 {
					require.Equal(t, row.verifies, report.Verifies)
				}
			})
		})
	}
}
