package mockfleet

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// With many devices and seeds, the test takes minutes:
//
//	go test -run TestTheSeedDeterminesTheOutcome -timeout 1h ./mockfleet -determinism.devices 10000 -determinism.seeds 20
var (
	determinismDevices = flag.Int("determinism.devices", 300, "devices of TestTheSeedDeterminesTheOutcome")
	determinismSeeds   = flag.Int("determinism.seeds", 2, "its seeds, from 1 on")
)

// everyFault returns groups: one for each kind of fault that devices in ip addressing can have, one
// for each setting of life and network, and some with several at once. A delay is either short or
// longer than the test, because which of two events comes first doesn't depend on the seed.
func everyFault(t testing.TB) (groups []behavior.Group) {
	const short = 2 * time.Millisecond
	long := delayOf(t, random.MaxDuration)
	uneven, err := random.Uniform(0, short)
	require.NoError(t, err)
	bytesIn, err := random.ParseInt("uniform(1, 1000)")
	require.NoError(t, err)
	add := func(name string, b behavior.Behavior) {
		groups = append(groups, behavior.Group{Name: strings.ReplaceAll(name, ".", "-"), Behavior: b})
	}
	for _, k := range fault.Table() {
		if k.NeedsPort {
			continue
		}
		f := fault.Fault{Kind: k.Name}
		if k.Params&fault.ParamFirst != 0 {
			f.First = 2
		}
		if k.Params&fault.ParamDelay != 0 {
			f.Delay = uneven
		}
		switch k.Name {
		case "status-202", "reboot", "failed-install":
			f.Delay = long
		case "rollback":
			f.Delay = random.Duration{}
		case "drip-answer":
			f.Delay, f.First = delayOf(t, 1), 1 // some hundred waits an answer
		}
		if k.Params&fault.ParamAfterBytes != 0 {
			f.AfterBytes = bytesIn
		}
		if k.NeedsRate {
			f.Rate = exactly(t, 1_000_000)
		}
		if k.Params&fault.ParamStatus != 0 && k.Name == "status" {
			f.Status = 418
		}
		add(k.Name, behavior.Behavior{Latency: uneven, Faults: []fault.Fault{f}})
	}
	half := func(kind string, first int) fault.Fault { return fault.Fault{Kind: kind, Share: 0.5, First: first} }
	add("several", behavior.Behavior{FailFirst: 1, Faults: []fault.Fault{
		half("close-on-accept", 2), half("idle-close", 3), half("corrupt", 2), half("status-503", 3),
		half("wrong-version", 2), half("duplicate", 0),
	}})
	add("life", behavior.Behavior{Life: behavior.InstallTimes{Install: long}})
	add("network", behavior.Behavior{Network: behavior.Network{RTT: uneven, Bandwidth: exactly(t, 1_000_000),
		MaxRequests: 3, HTTP10: false}})
	for i := range groups {
		groups[i].Share = random.Share(0.99 / float64(len(groups)))
	}
	return groups
}

// outcomes runs a client against every device of a shard of a fleet. What each client does depends
// on the answers of its device alone. It returns what the clients saw and what the ledger has, a
// line for each device, in order of index.
func outcomes(t *testing.T, seed uint64, devices, workers int, shard address.Shard) []byte {
	f := startFleet(t, Config{Devices: devices, Shard: shard, Addressing: address.IP, Seed: seed, Groups: everyFault(t)})
	devices = f.Devices()
	saw := make([]string, devices)
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= devices {
					return
				}
				saw[i] = converse(f, i, shard.Number(i))
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return f.Status().Connections == 0 }, testDeadline, time.Millisecond)
	var out bytes.Buffer
	entries, err := f.Find(ledger.Query{All: true})
	require.NoError(t, err)
	for e := range entries {
		balanced(t, e)
		e.UpdatedAt, e.ContactedNS, e.UpdatedNS = "", 0, 0
		said := saw[e.Device]
		e.Device = shard.Number(e.Device)
		line, err := json.Marshal(e)
		require.NoError(t, err)
		fmt.Fprintf(&out, "%s %s\n", line, said)
	}
	return out.Bytes()
}

// converse pushes to device i four times and asks for its version after each push. It keeps one
// connection, and opens another only after a request that got no answer. The artifact derives from
// number.
func converse(f *Fleet, i, number int) string {
	var said []string
	artifact := bytes.Repeat([]byte{byte(number)}, 1500)
	for range 4 {
		v := &visitor{address: net.JoinHostPort(address.DeviceIP(address.Loopback(), i).String(), fmt.Sprint(portOf(f)))}
		said = append(said, v.ask(string(pushRequest("/update", artifact))))
		for range 2 {
			answer := v.ask(askVersion)
			if said = append(said, answer); answer != noAnswer {
				break
			}
		}
		v.leave()
	}
	return strings.Join(said, " ")
}

// visitor is a client of one device: a socket, and the reader of answers of net/http.
type visitor struct {
	address string
	nc      net.Conn
	reader  *bufio.Reader
}

// noAnswer stands for an answer that did not arrive whole. How the connection ended is left out:
// whether the client sees an end or a reset first depends on the kernel.
const noAnswer = "-"

func (v *visitor) ask(request string) string {
	if v.nc == nil {
		nc, err := net.DialTimeout("tcp", v.address, testDeadline)
		if err != nil {
			return noAnswer
		}
		_ = nc.SetDeadline(time.Now().Add(testDeadline)) // if this fails, so does what follows
		v.nc, v.reader = nc, bufio.NewReader(io.LimitReader(nc, 2<<20))
	}
	_, _ = io.WriteString(v.nc, request) // a device may answer, and end, before it has all
	response, err := http.ReadResponse(v.reader, nil)
	if err != nil {
		v.leave()
		return noAnswer
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if response.Close || err != nil {
		v.leave()
	}
	if err != nil {
		return noAnswer
	}
	if len(body) > 4<<10 { // how much of a flood was read depends on chance
		v.leave()
		return fmt.Sprint(response.StatusCode, ":flood")
	}
	sum := sha256.Sum256(withoutDates(body))
	return fmt.Sprintf("%d:%x", response.StatusCode, sum[:4])
}

func (v *visitor) leave() {
	if v.nc != nil {
		_ = v.nc.Close()
		v.nc = nil
	}
}

// withoutDates returns a device's answer without the time of its update.
func withoutDates(body []byte) []byte {
	before, _, found := bytes.Cut(body, []byte(`,"updated_at"`))
	if !found {
		return body
	}
	return before
}

// TestTheSeedDeterminesTheOutcome checks that the same seed gives each device the same outcome,
// however many workers there are, and that another seed gives another one.
func TestTheSeedDeterminesTheOutcome(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // ip addressing exists on Linux only
	}
	require.LessOrEqual(t, len(everyFault(t)), behavior.MaxGroups)
	var before []byte
	seeds := *determinismSeeds
	if testenv.Raced {
		seeds = 1 // the detector sees no more with another
	}
	for seed := range uint64(seeds) {
		var first []byte
		for _, workers := range []int{1, 16, 256} {
			t.Run(fmt.Sprintf("seed=%d/workers=%d", seed+1, workers), func(t *testing.T) {
				got := outcomes(t, seed+1, *determinismDevices, workers, address.Shard{})
				if first == nil {
					first = got
				}
				requireSameLines(t, first, got)
			})
		}
		require.NotEqual(t, before, first, "seeds %d and %d", seed, seed+1)
		before = first
	}
}

func requireSameLines(t *testing.T, want, got []byte) {
	t.Helper()
	if bytes.Equal(want, got) {
		return
	}
	a, b := slices.Collect(bytes.Lines(want)), slices.Collect(bytes.Lines(got))
	require.Equal(t, len(a), len(b))
	for i := range a {
		require.Equal(t, string(a[i]), string(b[i]))
	}
}
