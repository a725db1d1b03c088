package mockfleet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// TestSpoiledAnswersToAnUpdate checks what a device answers to an update under each fault, and
// whether it applied the update.
func TestSpoiledAnswersToAnUpdate(t *testing.T) {
	const whole = `,"message":"applied","size":8,"digest":"`
	for _, test := range []struct {
		fault   fault.Fault
		has     []string // that the answer contains
		hasNot  []string
		applied uint32
	}{
		{fault.Fault{Kind: "status-503"}, []string{"HTTP/1.1 503 Service Unavailable\r\n", `"success":false`},
			[]string{"Retry-After"}, 0},
		{fault.Fault{Kind: "status-429", RetryAfter: fault.RetryAfter{After: 1500 * time.Millisecond}},
			[]string{"HTTP/1.1 429 Too Many Requests\r\n", "\r\nRetry-After: 2\r\n"}, nil, 0},
		{fault.Fault{Kind: "status", Status: 418}, []string{"HTTP/1.1 418 I'm a teapot\r\n"}, nil, 0},
		{fault.Fault{Kind: "status-408"}, []string{"HTTP/1.1 408 Request Timeout\r\n"}, nil, 0},
		{fault.Fault{Kind: "truncated-json"}, []string{"HTTP/1.1 200 OK\r\n", `{"success":true`}, []string{`"}`}, 1},
		{fault.Fault{Kind: "wrong-content-type"}, []string{"Content-Type: text/html", "<!DOCTYPE html>"}, []string{"json"},
			1},
		{fault.Fault{Kind: "http-1.0"}, []string{"HTTP/1.0 200 OK\r\n", whole}, []string{"HTTP/1.1", "keep-alive"}, 1},
		{fault.Fault{Kind: "applied-but-lost"}, nil, []string{"H"}, 1},
		{fault.Fault{Kind: "ok-but-not-applied"},
			[]string{"HTTP/1.1 200 OK\r\n", `"success":true` + whole + sha([]byte("artifact"))}, nil, 0},
		{fault.Fault{Kind: "redirect-302"}, []string{"HTTP/1.1 302 Found\r\n", "\r\nLocation: /version?redirected\r\n"},
			nil, 0},
		{fault.Fault{Kind: "redirect-307"}, []string{"HTTP/1.1 307 Temporary Redirect\r\n",
			"\r\nLocation: /update?redirected\r\n"}, nil, 0},
		{fault.Fault{Kind: "redirect-loop"}, []string{"HTTP/1.1 307 Temporary Redirect\r\n", "\r\nLocation: /update\r\n"},
			nil, 0},
		{fault.Fault{Kind: "garbage"}, nil, []string{"HTTP"}, 1},
		{fault.Fault{Kind: "slow-answer", Delay: delayOf(t, time.Millisecond)}, []string{"HTTP/1.1 200 OK\r\n", whole}, nil,
			1},
		{fault.Fault{Kind: "drip-answer", Delay: delayOf(t, time.Microsecond)}, []string{"HTTP/1.1 200 OK\r\n", whole}, nil,
			1},
	} {
		t.Run(test.fault.Kind, func(t *testing.T) {
			test.fault.First = 1
			f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
			require.NoError(t, f.SetFaults(0, withFaults(test.fault)))
			c := mustDialDevice(t, f, 0)
			request := bytes.Replace(pushRequest("/update", []byte("artifact")), []byte("Host:"),
				[]byte("Connection: close\r\nHost:"), 1)
			c.send(request)
			all, end := c.rest()
			require.Equal(t, "closed", end)
			for _, text := range test.has {
				require.Contains(t, all, text)
			}
			for _, text := range test.hasNot {
				require.NotContains(t, all, text)
			}
			require.NoError(t, c.Close())
			e := settled(t, f, 0)
			require.Equal(t, []uint32{1, test.applied}, []uint32{e.Pushes, e.Applied})
			require.Equal(t, map[string]uint32{test.fault.Kind: 1}, e.Faults)

			answer := exchange(t, f, string(pushRequest("/update", []byte("artifact")))) // the fault acted only once
			require.Contains(t, answer, `"success":true`)
			require.EqualValues(t, 1, settled(t, f, 0).Applied)
		})
	}
}

// TestStatuses checks that each kind of fault with a status in its name answers with that status,
// and with the Retry-After that it is given.
func TestStatuses(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	for _, k := range fault.Table() {
		if k.Point != fault.PointResponse || k.Params&fault.ParamRetryAfter == 0 || k.Defaults.Status == 0 {
			continue
		}
		require.NoError(t, f.SetFaults(0, withFaults(fault.Fault{Kind: k.Name,
			RetryAfter: fault.RetryAfter{After: time.Hour, Date: true}})))
		c := mustDialDevice(t, f, 0)
		c.send(pushRequest("/update", []byte("artifact")))
		response, _ := c.response(bufio.NewReader(c))
		require.Equal(t, k.Name, fmt.Sprintf("status-%d", response.StatusCode))
		date, err := http.ParseTime(response.Header.Get("Date"))
		require.NoError(t, err)
		after, err := http.ParseTime(response.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Equal(t, time.Hour, after.Sub(date))
		require.False(t, response.Close)
	}
	require.Zero(t, entryOf(t, f, 0).Applied)
}

func TestAnAnswerThatIsCutShort(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
		Behavior: withFaults(fault.Fault{Kind: "truncated-body"}, fault.Fault{Kind: "truncated-body", On: "version"})})
	for _, request := range []string{string(pushRequest("/update", []byte("x"))),
		"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"} {
		c := mustDialDevice(t, f, 0)
		c.send([]byte(request))
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NotEmpty(t, body)
		require.Less(t, int64(len(body)), response.ContentLength)
		require.NoError(t, c.Close())
	}
	e := settled(t, f, 0)
	require.Equal(t, []uint32{1, 1}, []uint32{e.Applied, e.Verifies})
	require.Equal(t, map[string]uint32{"truncated-body": 2}, e.Faults)
}

func TestAnswersWithoutEnd(t *testing.T) {
	for injected, pattern := range map[string]string{"header-flood": "\r\nX-Flood: 000",
		"endless-body": "\r\n4000\r\n    "} {
		t.Run(injected, func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: address.Port,
				Behavior: withFaults(fault.Fault{Kind: injected, On: "version"})})
			c := mustDialDevice(t, f, 0)
			c.send([]byte("GET /version HTTP/1.1\r\nHost: a\r\n\r\n"))
			begin := make([]byte, 4<<10)
			_, err := io.ReadFull(c, begin)
			require.NoError(t, err)
			require.Contains(t, string(begin), pattern)
			require.Equal(t, injected == "endless-body", bytes.Contains(begin, []byte("\r\n\r\n")))
			_, err = io.CopyN(io.Discard, c, 20<<20)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			settled(t, f, 0)
		})
	}
}

func TestAGzipBombIsSmallOnTheWire(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(fault.Fault{Kind: "gzip-bomb"})})
	c := mustDialDevice(t, f, 0)
	c.send(pushRequest("/update", []byte("x")))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	require.Less(t, response.ContentLength, int64(2<<20))
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	// The body is the same gzip member over and over; decompressing one is enough.
	rest := bytes.NewReader(body)
	opened, err := gzip.NewReader(rest)
	require.NoError(t, err)
	opened.Multistream(false)
	n, err := io.Copy(io.Discard, opened)
	require.NoError(t, err)
	member := body[:len(body)-rest.Len()]
	require.True(t, bytes.Equal(body, bytes.Repeat(member, len(body)/len(member))))
	require.EqualValues(t, 1<<30, n*int64(len(body)/len(member)))
}

func TestSlowAnswersTakeTheirTime(t *testing.T) {
	b := withFaults(fault.Fault{Kind: "slow-answer", Delay: delayOf(t, time.Minute)},
		fault.Fault{Kind: "drip-answer", On: "version", Delay: delayOf(t, time.Second)})
	inBubble(t, Config{Devices: 1, Addressing: address.Port, Behavior: b}, func(t *testing.T, _ *Fleet, client net.Conn) {
		answers := bufio.NewReaderSize(client, 16)
		begun := time.Now()
		_, err := client.Write(pushRequest("/update", []byte("x")))
		require.NoError(t, err)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begun))
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)

		begun = time.Now()
		_, err = io.WriteString(client, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		n := 0
		for piece := make([]byte, 100); n < 200; n++ {
			got, err := client.Read(piece)
			require.NoError(t, err)
			require.Equal(t, 1, got)
			require.Equal(t, time.Duration(n)*time.Second, time.Since(begun))
		}
	})
}

func TestRedirectsLeadWhereTheySay(t *testing.T) {
	for _, a := range addressings() {
		t.Run(string(a), func(t *testing.T) {
			f := startFleet(t, Config{Devices: 2, Addressing: a})
			ask := func(fault fault.Fault) string {
				require.NoError(t, f.SetFaults(0, withFaults(fault)))
				c := mustDialDevice(t, f, 0)
				c.send(pushRequest(path(f, 0, "/update"), []byte("x")))
				response, _ := c.response(bufio.NewReader(c))
				require.Contains(t, fault.Kind, fmt.Sprint(response.StatusCode))
				return response.Header.Get("Location")
			}
			for _, code := range []int{301, 302, 303} {
				location := ask(fault.Fault{Kind: fmt.Sprintf("redirect-%d", code)})
				require.Contains(t, exchangeWith(t, f, 0, "GET "+location+" HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK")
			}
			for _, code := range []int{307, 308} {
				location := ask(fault.Fault{Kind: fmt.Sprintf("redirect-%d", code), Origin: "same"})
				answer := exchangeWith(t, f, 0, string(pushRequest(location, []byte("x"))))
				require.Contains(t, answer, `"success":true`)
				location = ask(fault.Fault{Kind: fmt.Sprintf("redirect-%d", code), Origin: "other"})
				if a == address.Path {
					require.Regexp(t, `^http://localhost:\d+/d/0/update\?redirected$`, location)
				} else {
					require.Equal(t, f.DeviceAddress(1)+"/update?redirected", location)
				}
			}
			d, err := f.Device(0)
			require.NoError(t, err)
			balanced(t, d.Entry)
			require.EqualValues(t, 7, d.Rejected)
		})
	}
}
