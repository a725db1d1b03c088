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

// helper returns what this test binary does instead of testing if its first argument is name, or
// nil. Tests start the binary again as a helper if they need a second process, or one in another
// network.
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

// help runs the helper that the arguments of this process name, and then exits. It returns if they
// name none.
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

// process is a helper that runs until its input ends.
type process struct {
	input  io.Writer
	output *bufio.Reader
	ready  Ready
}

// startHelper starts a helper that ends with the test. The first line of its output is its Ready.
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
		hung := time.AfterFunc(testDeadline, func() { _ = command.Process.Kill() }) // Wait then returns an error
		defer hung.Stop()
		require.NoError(t, command.Wait())
	})
	p := &process{input: input, output: bufio.NewReader(output)}
	p.answer(t, &p.ready)
	return p
}

// answer reads a line of JSON from the helper.
func (p *process) answer(t testing.TB, into any) {
	t.Helper()
	line, err := p.output.ReadBytes('\n')
	require.NoError(t, err, "%q", line)
	require.NoError(t, json.Unmarshal(line, into), "%q", line)
}

// usage is what a helper has used: seconds of processor time, and, after a garbage collection,
// bytes of memory as in runtime.MemStats.
type usage struct {
	CPUSeconds                                          float64
	HeapAlloc, HeapInuse, HeapReleased, StackInuse, Sys uint64
}

// usage asks the helper for its usage.
func (p *process) usage(t testing.TB) (u usage) {
	t.Helper()
	_, err := io.WriteString(p.input, "\n")
	require.NoError(t, err)
	p.answer(t, &u)
	return u
}

// tell answers each line of in with the usage so far.
func tell(in io.Reader, answers *json.Encoder) error {
	for orders := bufio.NewScanner(in); orders.Scan(); {
		cpu, _ := server.CPUTime()
		runtime.GC()
		runtime.GC() // the first moves pooled buffers aside, the second frees them
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := answers.Encode(usage{cpu, m.HeapAlloc, m.HeapInuse, m.HeapReleased, m.StackInuse, m.Sys}); err != nil {
			return err
		}
	}
	return nil
}

// serveFleet is the helper "fleet": a fleet with the given number of devices and addressing mode.
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

// serveBare is the helper "bare": a fasthttp server that answers as a device does, but keeps no
// state.
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

// The results of knock, apart from the text of any other error.
const (
	knockOpened  = "opened"
	knockRefused = "refused"
	knockDropped = "dropped"
)

// knockLimit is how long a connection may go unanswered before it counts as dropped. Linux repeats
// the SYN after 1 s.
const knockLimit = 3 * time.Second

// knock is the helper "knock": it tries to connect to each address, and prints the result, a line
// each.
func knock(addresses []string, _ io.Reader, out io.Writer) error {
	for _, address := range addresses {
		nc, err := net.DialTimeout("tcp", address, knockLimit)
		result := knockOpened
		switch {
		case err == nil:
			_ = nc.Close() // nothing was sent on it
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
