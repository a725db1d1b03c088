package mockfleet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// testDeadline ends a test that would otherwise hang; no test waits for it to pass.
const testDeadline = 20 * time.Second

// dialFleet opens a bare connection to device 0 of f, in port addressing.
func dialFleet(t testing.TB, f *Fleet) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(f.DeviceAddress(0), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(testDeadline)))
	return nc.(*net.TCPConn)
}

// exchange sends input, half-closes the connection, and returns everything that the device sends
// until it closes.
func exchange(t testing.TB, f *Fleet, input string) string {
	t.Helper()
	nc := dialFleet(t, f)
	_, err := io.WriteString(nc, input)
	require.NoError(t, err)
	require.NoError(t, nc.CloseWrite())
	output, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(output)
}

func TestDevicesFollowRFC9112(t *testing.T) {
	const host = "Host: a\r\n"
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\n" + host + "\r\n" }
	post := func(fields, body string) string { return "POST /update HTTP/1.1\r\n" + host + fields + "\r\n" + body }
	long := strings.Repeat("x", 9<<10)
	tests := []struct {
		name    string
		input   string
		answers []string // the start of each status line, in order
		body    string   // that the output contains
	}{
		{"a request", get("/health"), []string{"200 OK"}, "\r\n\r\nOK"},
		{"its query is passed over", get("/version?x=/update"), []string{"200"}, `"version":"1.0.0"`},
		{"absolute form", get("http://a/version"), []string{"200"}, `"version":"1.0.0"`},
		{"pipelined", get("/health") + post("Content-Length: 3\r\n", "abc") + get("/version"),
			[]string{"200", "200", "200"}, `"version":"sha256-ba7816bf8f01"`},
		{"empty lines before a request", "\r\n\r\n" + get("/health"), []string{"200"}, "OK"},
		{"HEAD has no body", "HEAD /health HTTP/1.1\r\n" + host + "\r\n" + get("/nothing"), []string{"200", "404"},
			"Content-Length: 2\r\n\r\nHTTP/1.1 404"},
		{"close as asked", "GET /health HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n" + get("/health"),
			[]string{"200"}, "Connection: close\r\n"},
		{"HTTP/1.0 closes", "GET /health HTTP/1.0\r\n\r\n" + get("/health"), []string{"200"}, "Connection: close\r\n"},
		{"HTTP/1.0 kept alive", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/health"),
			[]string{"200", "200"}, "Connection: keep-alive\r\n"},
		{"chunked", post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n") + get("/health"),
			[]string{"200", "200"}, `"size":3`},
		{"chunked with a trailer", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n") +
			get("/health"), []string{"200", "200"}, `"size":3`},
		{"chunked, empty", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n") + get("/health"), []string{"400", "200"},
			"the artifact is empty"},
		{"chunked, malformed", post("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n"), []string{"400"}, "framed"},
		{"chunked in HTTP/1.0", "POST /update HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{"400"},
			"Connection: close"},
		{"another transfer coding", post("Transfer-Encoding: gzip\r\n", "abc"), []string{"400"}, ""},
		{"chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n") +
			get("/health"), []string{"200"}, "Connection: close"},
		{"two lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), []string{"400"}, ""},
		{"a negative length", post("Content-Length: -3\r\n", "abc"), []string{"400"}, ""},
		{"a length beyond all bounds", post("Content-Length: 99999999999999999999999\r\n", "abc"), []string{"400"}, ""},
		{"no length is no body", post("", ""), []string{"400"}, "the artifact is empty"},
		{"length 0", post("Content-Length: 0\r\n", "") + get("/health"), []string{"400", "200"}, "the artifact is empty"},
		{"no host", "GET /health HTTP/1.1\r\n\r\n", []string{"400"}, ""},
		{"two hosts", "GET /health HTTP/1.1\r\n" + host + host + "\r\n", []string{"400"}, ""},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\n\r\n", []string{"400"}, `{"error":"not an HTTP/1 request`},
		{"HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{"400"}, ""},
		{"a space before the colon", "GET /health HTTP/1.1\r\nHost : a\r\n\r\n", []string{"400"}, ""},
		{"a NUL in a field", "GET /health HTTP/1.1\r\n" + host + "A: \x00\r\n\r\n", []string{"400"}, ""},
		{"a head of 9 KiB", "GET /health HTTP/1.1\r\n" + host + "A: " + long + "\r\n\r\n", []string{"431"}, "8 KiB"},
		{"a target of 9 KiB", get("/" + long), []string{"431"}, "8 KiB"},
		{"an unknown path", get("/updates") + get("/health"), []string{"404", "200"}, `{"error":`},
		{"a wrong method", "PUT /update HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx" + get("/health"),
			[]string{"405", "200"}, "Allow: POST\r\n"},
		{"another wrong method", "DELETE /version HTTP/1.1\r\n" + host + "\r\n", []string{"405"}, "Allow: GET, HEAD\r\n"},
		{"a GET with a body", "GET /health HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc" + get("/health"),
			[]string{"200", "200"}, "OK"},
		{"a GET with a large body", "GET /health HTTP/1.1\r\n" + host + "Content-Length: 70000\r\n\r\n" +
			strings.Repeat("a", 70000), []string{"413"}, "Connection: close"},
		{"expect", post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc") + get("/health"), []string{"200", "200"},
			`"size":3`},
		{"expect something else", post("Expect: the-unexpected\r\nContent-Length: 3\r\n", "abc"), []string{"417"}, ""},
		{"expect in HTTP/1.0", "POST /update HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
			[]string{"200"}, `"size":3`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
			output := exchange(t, f, test.input)
			var answers []string
			for i, piece := range strings.Split(output, "HTTP/1.1 ")[1:] {
				require.Less(t, i, len(test.answers), output)
				require.True(t, strings.HasPrefix(piece, test.answers[i]), output)
				require.Contains(t, piece, "\r\nDate: ")
				answers = append(answers, piece)
			}
			require.Len(t, answers, len(test.answers), output)
			require.Contains(t, output, test.body)
		})
	}
}

// TestAnswersParseAsHTTP checks that net/http, an independent parser, reads what devices answer.
func TestAnswersParseAsHTTP(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	nc := dialFleet(t, f)
	reader := bufio.NewReader(nc)
	for _, path := range []string{"/health", "/version", "/nothing", "/version"} {
		_, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		require.NoError(t, err)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.EqualValues(t, response.ContentLength, len(body))
		at, err := http.ParseTime(response.Header.Get("Date"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
	}
	require.Zero(t, reader.Buffered())
}

func TestA100ComesBeforeTheBodyIsSent(t *testing.T) {
	for _, size := range []int{100, 100_000} { // what fits into the read buffer, and what doesn't
		f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
		nc := dialFleet(t, f)
		_, err := fmt.Fprintf(nc, "POST /update HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
			size)
		require.NoError(t, err)
		const continued = "HTTP/1.1 100 Continue\r\n\r\n"
		interim := make([]byte, len(continued))
		_, err = io.ReadFull(nc, interim)
		require.NoError(t, err)
		require.Equal(t, continued, string(interim))
		_, err = nc.Write(bytes.Repeat([]byte("x"), size))
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(nc), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, response.Body.Close())
	}
}

// TestAnEarlyRefusalReachesAClientThatIsStillSending checks that a client in the middle of a large
// body can read the refusal, because the device goes on reading for a while instead of resetting
// the connection.
func TestAnEarlyRefusalReachesAClientThatIsStillSending(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	nc := dialFleet(t, f)
	const size = 4 << 20
	_, err := fmt.Fprintf(nc, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	require.NoError(t, err)
	_, err = nc.Write(make([]byte, size))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.True(t, response.Close)
	require.NoError(t, response.Body.Close())
}

func TestARequestInPiecesOfOneByte(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port})
	nc := dialFleet(t, f)
	for _, b := range pushRequest("/update", []byte("abc")) {
		_, err := nc.Write([]byte{b})
		require.NoError(t, err)
	}
	response, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, response.Body.Close())
}
