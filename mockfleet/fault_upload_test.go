package mockfleet

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

const uploadSize = 3 << 20

// chunked returns a push with a chunked body, which announces no length.
func chunked(fields string, artifact []byte) []byte {
	head := "POST /update HTTP/1.1\r\nHost: a\r\nX-Update-Version: 2.0.0\r\nTransfer-Encoding: chunked\r\n" + fields +
		"\r\n"
	return fmt.Appendf([]byte(head), "%x\r\n%s\r\n0\r\n\r\n", len(artifact), artifact)
}

func TestUploadsThatBreakOff(t *testing.T) {
	const after = 100_000
	for injected, ends := range map[string]string{"reset-mid-upload": "reset", "close-mid-upload": "closed"} {
		for form, request := range map[string][]byte{
			"length": pushRequest("/update", make([]byte, uploadSize)), "chunked": chunked("", make([]byte, uploadSize)),
		} {
			t.Run(injected+"/"+form, func(t *testing.T) {
				f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
				require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: injected, First: 2, AfterBytes: exactly(t, after)})))
				for range 2 {
					c := mustDialDevice(t, f, 0)
					c.send(request)
					all, end := c.rest()
					require.Empty(t, all)
					require.Equal(t, ends, end)
					require.NoError(t, c.Close())
				}
				e := settled(t, f, 0)
				require.Equal(t, []uint32{2, 2, 0}, []uint32{e.Pushes, e.Incomplete, e.Applied})
				require.EqualValues(t, 2*after, e.BytesReceived)
				require.Equal(t, map[string]uint32{injected: 2}, e.Faults)
				require.Contains(t, exchange(t, f, string(request)), `"message":"applied"`)
			})
		}
	}
}

// TestAFaultActsAtTheEndOfAShorterUpload checks that a fault acts at the end of a body
// that is shorter than its after_bytes, and that the update is not applied.
func TestAFaultActsAtTheEndOfAShorterUpload(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "close-mid-upload", AfterBytes: exactly(t, 1000)})})
	require.Empty(t, exchange(t, f, string(pushRequest("/update", []byte("short")))))
	require.Empty(t, exchange(t, f, string(chunked("", []byte("short")))))
	e := settled(t, f, 0)
	require.Equal(t, []uint32{2, 2}, []uint32{e.Pushes, e.Incomplete})
	require.EqualValues(t, 10, e.BytesReceived)
}

// written returns how many bytes of a body a client can write until its writes block, once stopped
// reports that the device no longer reads.
func written(t *testing.T, c bareClient, head string, stopped func() bool) (n int64) {
	t.Helper()
	require.NoError(t, c.SetWriteBuffer(32<<10))
	c.send([]byte(head))
	var failed error
	var writing sync.WaitGroup
	writing.Go(func() {
		for piece := make([]byte, 4<<10); failed == nil; {
			var wrote int
			wrote, failed = c.Write(piece)
			n += int64(wrote)
		}
	})
	require.Eventually(t, stopped, testDeadline, time.Millisecond)
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond))) // until the buffers are full
	writing.Wait()
	var timeout net.Error
	require.ErrorAs(t, failed, &timeout)
	require.True(t, timeout.Timeout())
	return n
}

// TestWritesBlockWhenTheDeviceStopsReading checks that a client's writes block soon after the
// device stops reading, although the kernel's buffers could take megabytes.
func TestWritesBlockWhenTheDeviceStopsReading(t *testing.T) {
	const after = 256 << 10
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "stall-mid-upload", First: 1, AfterBytes: exactly(t, after)},
	)})
	c := mustDialDevice(t, f, 0)
	n := written(t, c, fmt.Sprintf("POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 100<<20),
		func() bool { return f.Status().Incomplete == 1 })
	require.GreaterOrEqual(t, n, int64(after))
	require.Less(t, n, int64(after+(512<<10)))
	e := entryOf(t, f, 0)
	require.Equal(t, []uint32{1, 1}, []uint32{e.Pushes, e.Incomplete}, "the device has given it up")
	require.EqualValues(t, after, e.BytesReceived)
	require.EqualValues(t, 1, f.Status().Connections)
	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("x")))), "200 OK", "and takes the next")
	require.NoError(t, c.SetLinger(0))
	require.NoError(t, c.Close())
	settled(t, f, 0)
}

func TestAStalledUploadEndsAfterItsDelay(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "stall-mid-upload", Delay: delayOf(t, 50*time.Millisecond)},
	)})
	c := mustDialDevice(t, f, 0)
	c.send(pushRequest("/update", make([]byte, 100_000)))
	all, end := c.rest()
	require.Equal(t, []string{"", "reset"}, []string{all, end})
}

func TestASlowReaderReadsAtItsRate(t *testing.T) {
	b := withFaults(fault.Fault{Kind: "slow-read", Rate: exactly(t, 1000)})
	for form, request := range map[string][]byte{
		"length": pushRequest("/update", make([]byte, 60_000)), "chunked": chunked("", make([]byte, 60_000)),
	} {
		t.Run(form, func(t *testing.T) {
			inBubble(t, Config{Devices: 1, Addressing: address.Port, Behavior: b},
				func(t *testing.T, f *Fleet, client net.Conn) {
					begun := time.Now()
					_, err := client.Write(request)
					require.NoError(t, err)
					response, err := http.ReadResponse(bufio.NewReader(client), nil)
					require.NoError(t, err)
					require.Equal(t, 200, response.StatusCode)
					require.InDelta(t, 60, time.Since(begun).Seconds(), 0.5) // the framing of the chunks takes time too
					require.EqualValues(t, 1, entryOf(t, f, 0).Applied)
				})
		})
	}
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: b})
	n := written(t, mustDialDevice(t, f, 0),
		fmt.Sprintf("POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 100<<20),
		func() bool { return f.Status().Injections == 1 })
	require.Less(t, n, int64(512<<10))
}

func TestAnEarlyAnswerComesBeforeTheBodyIsThere(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "early-4xx", First: 1, AfterBytes: exactly(t, 1000)},
		fault.Fault{Kind: "early-4xx", First: 2, Status: 413},
	)})
	for _, status := range []int{403, 413} {
		c := mustDialDevice(t, f, 0)
		request := pushRequest("/update", make([]byte, uploadSize))
		c.send(request[:2000]) // the rest is sent after the answer
		response, body := c.response(bufio.NewReader(c))
		require.Equal(t, status, response.StatusCode)
		require.True(t, response.Close)
		require.Contains(t, body, `"success":false`)
		c.send(request[2000:])
		_, end := c.rest()
		require.Equal(t, "closed", end)
		require.NoError(t, c.Close())
	}
	e := settled(t, f, 0)
	require.Equal(t, []uint32{2, 2, 2}, []uint32{e.Pushes, e.Rejected, e.ForcedRejects})
	require.EqualValues(t, 1000, e.BytesReceived)
}

func TestExpectations(t *testing.T) {
	const expect = "Expect: 100-continue\r\n"
	head := "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n" + expect + "\r\n"
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "status-417", First: 1}, fault.Fault{Kind: "no-continue"},
		fault.Fault{Kind: "no-chunked", First: 2},
	)})
	require.Contains(t, exchange(t, f, head), "HTTP/1.1 417 Expectation Failed\r\n")

	c := mustDialDevice(t, f, 0) // no 100 comes: the first line after the body is the answer's
	c.send([]byte(head))
	require.Eventually(t, func() bool { return f.Status().Requests == 2 }, testDeadline, time.Millisecond)
	c.send([]byte("body"))
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK\r\n", line)
	require.NoError(t, c.Close())

	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("other")))), "200 OK", "it expects nothing")
	e := entryOf(t, f, 0)
	require.Equal(t, map[string]uint32{"status-417": 1, "no-continue": 1}, e.Faults)

	f.Reset()
	require.Contains(t, exchange(t, f, string(chunked("", []byte("body")))), "HTTP/1.1 411 Length Required\r\n")
	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("body")))), "200 OK", "its length is known")
	e = settled(t, f, 0)
	require.Equal(t, map[string]uint32{"no-chunked": 1}, e.Faults)
	require.Equal(t, []uint32{2, 1, 1}, []uint32{e.Pushes, e.Rejected, e.Applied})
}

func TestCorruptAndDuplicate(t *testing.T) {
	turned := make([]byte, 20_000)
	for _, test := range []struct{ after, turned int64 }{{0, 0}, {15_000, 15_000}, {99_999, 19_999}} {
		f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
			fault.Fault{Kind: "corrupt", First: 2, AfterBytes: exactly(t, test.after)},
		)})
		require.Contains(t, exchange(t, f, string(pushRequest("/update", make([]byte, 20_000)))),
			"the artifact does not have the announced digest")
		clear(turned)
		turned[test.turned] = 1
		require.Contains(t, exchange(t, f, "POST /update HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"+
			string(make([]byte, 20_000))), sha(turned))
		require.Equal(t, sha(turned), settled(t, f, 0).Digest)
	}

	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "duplicate", First: 1})})
	require.Contains(t, exchange(t, f, string(pushRequest("/update", []byte("x")))), `"message":"applied"`)
	e := settled(t, f, 0)
	require.Equal(t, []uint32{2, 1, 1, 0}, []uint32{e.Pushes, e.Applied, e.Repeats, e.AppliedTwice})
	require.Equal(t, map[string]uint32{"duplicate": 1}, e.Faults)
}
