package delivery

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// BenchmarkReferenceNetHTTP is the reference of BenchmarkPushNetHTTP: the least that a plain
// net/http client and server do for the same push. Both read the body; neither checks anything.
func BenchmarkReferenceNetHTTP(b *testing.B) {
	body, err := ArtifactFromBytes(make([]byte, benchSize))
	require.NoError(b, err)
	plainHTTP(b, benchSize, func() io.Reader { return body.Reader() })
}

// BenchmarkReferenceNetHTTP10MiB is the reference of BenchmarkPush10MiBNetHTTP: 10 MiB from a file.
func BenchmarkReferenceNetHTTP10MiB(b *testing.B) {
	path := filepath.Join(b.TempDir(), "firmware.bin")
	require.NoError(b, os.WriteFile(path, make([]byte, fileSize), 0o600))
	f, err := os.Open(path)
	require.NoError(b, err)
	defer f.Close()
	b.SetBytes(fileSize)
	plainHTTP(b, fileSize, func() io.Reader { return io.NewSectionReader(f, 0, fileSize) })
}

func plainHTTP(b *testing.B, size int64, body func() io.Reader) {
	answer, err := json.Marshal(wire.UpdateAnswer{Success: true, Message: "applied", Size: size})
	require.NoError(b, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(answer); err != nil {
			return
		}
	}))
	defer s.Close()
	c := s.Client()
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/update", body())
		if err != nil {
			b.Fatal(err)
		}
		req.ContentLength = size
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("X-Update-Version", "2.0.0")
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// pushBytes is what a push of so many bytes puts on the wire, each way.
func pushBytes(b *testing.B, size int) (out, in int) {
	c, u, d := benchClient(b, Lean, size)
	require.NoError(b, c.Push(b.Context(), d, u))
	s := c.Stats()
	return int(s.BytesWritten), int(s.BytesRead)
}

// bareSockets is a server that takes out bytes and sends in, with no HTTP at all,
// over any number of connections.
func bareSockets(b *testing.B, out, in int) (dial func() net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var wg sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		taken, answer := make([]byte, 64<<10), make([]byte, in)
		for {
			for rest := out; rest > 0; {
				n, err := c.Read(taken[:min(rest, len(taken))])
				if err != nil {
					return
				}
				rest -= n
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	var mu sync.Mutex
	var conns []net.Conn
	b.Cleanup(func() {
		l.Close()
		for _, c := range conns {
			c.Close()
		}
		wg.Wait()
	})
	return func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Error(err)
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, c)
		return c
	}
}

func exchangeBytes(c net.Conn, out, in []byte) error {
	if _, err := c.Write(out); err != nil {
		return err
	}
	_, err := io.ReadFull(c, in)
	return err
}

// bare passes the bytes of a push and its answer over a connection, without HTTP.
func bare(b *testing.B, size int) {
	out, in := pushBytes(b, size)
	c, request, answer := bareSockets(b, out, in)(), make([]byte, out), make([]byte, in)
	b.ReportAllocs()
	for b.Loop() {
		if err := exchangeBytes(c, request, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReferenceBareSockets is the reference of BenchmarkPush.
func BenchmarkReferenceBareSockets(b *testing.B) { bare(b, benchSize) }

// BenchmarkReferenceBareSockets10MiB is the reference of BenchmarkPush10MiB. It sends the bytes
// from memory, not from a file.
func BenchmarkReferenceBareSockets10MiB(b *testing.B) {
	b.SetBytes(fileSize)
	bare(b, fileSize)
}

// BenchmarkReferenceBareSockets64 is the reference of BenchmarkPush64.
func BenchmarkReferenceBareSockets64(b *testing.B) {
	out, in := pushBytes(b, benchSize)
	dial := bareSockets(b, out, in)
	b.ReportAllocs()
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		c, request, answer := dial(), make([]byte, out), make([]byte, in)
		for c != nil && pb.Next() {
			if err := exchangeBytes(c, request, answer); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
