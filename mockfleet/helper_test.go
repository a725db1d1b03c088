package mockfleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// helper is what this test binary does instead of testing when it is started again with that name as
// its first argument: tests that need a second process, or one in another network, start their own.
func helper(name string) func(arguments []string, in io.Reader, out io.Writer) error {
	switch name {
	case "fleet":
		return serveFleet
	case "bare":
		return serveBare
	case "knock":
		return knock
	}
	return nil
}

// help does what the arguments of this process say if they name a helper, and then doesn't return.
func help() {
	if len(os.Args) < 2 {
		return
	}
	run := helper(os.Args[1])
	if run == nil {
		return
	}
	if err := run(os.Args[2:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// process is this test binary as a helper that goes on until its input ends.
type process struct {
	input  io.Writer
	output *bufio.Reader
	ready  Ready
}

// startHelper starts one that ends with the test, and reads from its first line where it is.
func startHelper(t testing.TB, arguments ...string) *process {
	t.Helper()
	own, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(own, arguments...)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, input.Close())
		hung := time.AfterFunc(testDeadline, func() { _ = command.Process.Kill() }) // Wait tells of it
		defer hung.Stop()
		require.NoError(t, command.Wait())
	})
	p := &process{input: input, output: bufio.NewReader(output)}
	p.answer(t, &p.ready)
	return p
}

// answer reads a line of JSON.
func (p *process) answer(t testing.TB, into any) {
	t.Helper()
	line, err := p.output.ReadBytes('\n')
	require.NoError(t, err, "%q", line)
	require.NoError(t, json.Unmarshal(line, into), "%q", line)
}

// usage is what a helper has taken: time of the processors, and, after its garbage is collected,
// bytes of memory, as in runtime.MemStats.
type usage struct {
	CPUSeconds                                          float64
	HeapAlloc, HeapInuse, HeapReleased, StackInuse, Sys uint64
}

// usage asks for it.
func (p *process) usage(t testing.TB) (u usage) {
	t.Helper()
	_, err := io.WriteString(p.input, "\n")
	require.NoError(t, err)
	p.answer(t, &u)
	return u
}

// tell answers each line of in with the usage until that.
func tell(in io.Reader, answers *json.Encoder) error {
	for orders := bufio.NewScanner(in); orders.Scan(); {
		cpu, _ := server.CPUTime()
		runtime.GC()
		runtime.GC() // what the first took out of the pools, the second frees
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := answers.Encode(usage{cpu, m.HeapAlloc, m.HeapInuse, m.HeapReleased, m.StackInuse, m.Sys}); err != nil {
			return err
		}
	}
	return nil
}

// serveFleet is a fleet of so many devices in such an addressing.
func serveFleet(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 2 {
		return errors.New("usage: fleet DEVICES ADDRESSING")
	}
	devices, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	f, err := Start(context.Background(), Config{Devices: devices, Addressing: address.Mode(arguments[1])})
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	if err = answers.Encode(f.Ready()); err == nil {
		err = tell(in, answers)
	}
	return errors.Join(err, f.Close())
}

// serveBare is a fasthttp server that answers as a device does, and knows nothing else of one.
func serveBare(_ []string, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := bareServer(false)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	answers := json.NewEncoder(out)
	if err = answers.Encode(Ready{Address: "http://" + l.Addr().String()}); err == nil {
		err = tell(in, answers)
	}
	return errors.Join(err, server.Shutdown(), <-served)
}

// What knocking at an address comes to, when it isn't another error.
const (
	knockOpened  = "opened"
	knockRefused = "refused"
	knockDropped = "dropped"
)

// knockLimit is when a connection that nobody answers counts as dropped; Linux tries again after 1 s.
const knockLimit = 3 * time.Second

// knock tries a connection to each address, and prints what came of it, a line each.
func knock(addresses []string, _ io.Reader, out io.Writer) error {
	for _, address := range addresses {
		nc, err := net.DialTimeout("tcp", address, knockLimit)
		result := knockOpened
		switch {
		case err == nil:
			_ = nc.Close() // nothing was said on it
		case errors.Is(err, syscall.ECONNREFUSED):
			result = knockRefused
		case errors.Is(err, os.ErrDeadlineExceeded):
			result = knockDropped
		default:
			result = err.Error()
		}
		if _, err := fmt.Fprintln(out, result); err != nil {
			return err
		}
	}
	return nil
}
