package mockfleet

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// BenchmarkIdleConnections measures what a kept connection costs a fleet in a process of its own.
// Each connection has carried a push of 1 KiB and a version request to a device of its own, and is
// parked. The figures are how much the fleet grew after its first connection, both times after two
// garbage collections: resident memory, and the parts of it that Go counts as heap in use, live
// heap and stacks.
func BenchmarkIdleConnections(b *testing.B) {
	const connections, atOnce = 9000, 8
	if limit, known := server.DescriptorLimit(); known && limit < connections+2*descriptorReserve {
		b.Skipf("the process may open %d files", limit)
	}
	artifact := bytes.Repeat([]byte("x"), 1024)
	grown := map[string][]float64{}
	for b.Loop() {
		fleet := startHelper(b, "fleet", strconv.Itoa(connections+1), string(address.Path))
		control := openControlAt(b, fleet.ready)
		state := func(open int) (Status, usage) {
			parked := func() bool {
				s, err := control.Status(b.Context())
				return err == nil && s.Goroutines < 50
			}
			require.Eventually(b, parked, testDeadline, 10*time.Millisecond)
			u := fleet.usage(b)
			s, err := control.Status(b.Context())
			require.NoError(b, err)
			require.Equal(b, []uint64{uint64(open), uint64(open), uint64(open)}, []uint64{s.Connections, s.Applied, s.Verifies})
			return s, u
		}
		idle := make([]net.Conn, connections+1)
		errs := make([]error, connections+1)
		use := func(i int) { idle[i], errs[i] = useOnce(fleet.ready.Address, i, artifact) }
		use(connections)
		status, taken := state(1)
		var next atomic.Int64
		var running sync.WaitGroup
		for range atOnce {
			running.Go(func() {
				for i := next.Add(1) - 1; i < connections; i = next.Add(1) - 1 {
					use(int(i))
				}
			})
		}
		running.Wait()
		require.NoError(b, errors.Join(errs...))
		statusNow, takenNow := state(connections + 1)
		for name, of := range map[string][2]uint64{
			"B/conn":       {status.ResidentBytes, statusNow.ResidentBytes},
			"heap-B/conn":  {taken.HeapInuse, takenNow.HeapInuse},
			"live-B/conn":  {taken.HeapAlloc, takenNow.HeapAlloc},
			"stack-B/conn": {taken.StackInuse, takenNow.StackInuse},
		} {
			grown[name] = append(grown[name], (float64(of[1])-float64(of[0]))/connections)
		}
		for _, nc := range idle {
			require.NoError(b, nc.Close())
		}
	}
	for name, figures := range grown {
		b.ReportMetric(median(figures), name)
	}
}

// useOnce pushes to device i, in path addressing, and asks for its version over the same
// connection, which it returns open.
func useOnce(at string, i int, artifact []byte) (net.Conn, error) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		return nil, err
	}
	device := address.PathPrefix + strconv.Itoa(i)
	answer := make([]byte, 1024)
	for _, request := range [][]byte{
		pushRequest(device+wire.PathUpdate, artifact),
		fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", device+wire.PathVersion),
	} {
		err := nc.SetDeadline(time.Now().Add(testDeadline))
		if err == nil {
			_, err = nc.Write(request)
		}
		n := 0
		for err == nil && !bytes.HasSuffix(answer[:n], []byte(`"}`)) {
			var more int
			more, err = nc.Read(answer[n:])
			n += more
		}
		if err == nil && !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200 OK\r\n")) {
			err = fmt.Errorf("device %d: %q", i, answer[:n])
		}
		if err != nil {
			_ = nc.Close()
			return nil, err
		}
	}
	return nc, nil
}
