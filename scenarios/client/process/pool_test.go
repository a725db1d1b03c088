package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

func at(address string) delivery.Device { return delivery.Device{Address: address} }

func TestPool_operations(t *testing.T) {
	for behavior, delivers := range map[string]bool{"": true, "push-and-verify": false} {
		u, cfg := update(t, behavior)
		cfg.GoodReads = 3
		p := open(t, cfg)
		require.NoError(t, p.Push(t.Context(), at("http://device"), u))
		require.NoError(t, p.Verify(t.Context(), at("http://device"), u))
		report, err := p.Deliver(t.Context(), at("http://device"), u)
		require.NoError(t, err)
		verifies := map[bool]int{true: 1, false: 3}[delivers] // a process that delivers by itself says how many
		require.Equal(t, []int{1, verifies}, []int{report.Pushes, report.Verifies})
		require.EqualError(t, p.Push(t.Context(), at("operation"), u), "push")
		require.EqualError(t, p.Verify(t.Context(), at("operation"), u), "verify")
		report, err = p.Deliver(t.Context(), at("operation"), u)
		if delivers {
			require.EqualError(t, err, "deliver")
			require.Equal(t, 1, report.Verifies)
			require.Equal(t, "7", p.Hello().Version)
		} else {
			require.EqualError(t, err, "push")
			require.Equal(t, delivery.Report{Pushes: 1}, report)
		}
	}
}

func TestPool_failure(t *testing.T) {
	u, cfg := update(t, "")
	p := open(t, cfg)
	report, err := p.Deliver(t.Context(), at("fail"), u)
	require.EqualError(t, err, "no *** left", "the value of a header field is never shown")
	require.Equal(t, delivery.Report{Pushes: 3, Verifies: 2}, report)
	var classified client.Classifier
	require.ErrorAs(t, err, &classified)
	require.Equal(t, "quota", classified.Class())
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 429, e.StatusCode())
	require.False(t, e.Uncounted(), "it said what it sent")
	require.Zero(t, p.Troubles().Operations())
}

// TestPool_troubles checks what becomes of operations whose process misbehaves, that another process
// takes over, and that nothing that is said contains a secret.
func TestPool_troubles(t *testing.T) {
	for address, row := range map[string]struct {
		class, message string
		troubles       Troubles
	}{
		"die": {"client-died", "%s ended (exit status 9); its last line on standard error: out of *** memory",
			Troubles{Died: 1}},
		"nonsense": {"client-protocol", "%s wrote a line that isn't JSON: whatever isn't an answer belongs on standard error; " +
			`it is "pushing with ***"`, Troubles{Nonsense: 1}},
		"other": {"client-protocol", "%s wrote a line that answers operation 4711, which isn't under way; it is " +
			`"{\"id\":4711,\"ok\":true}"`, Troubles{Nonsense: 1}},
		"long": {"client-protocol", "%s wrote a line of over 65536 bytes", Troubles{Nonsense: 1}},
		"hang": {"client-hung", "%s did not answer in time, and was killed", Troubles{Hung: 1}},
	} {
		t.Run(address, func(t *testing.T) {
			u, cfg := update(t, "")
			if address == "hang" {
				cfg.Deadline, cfg.Grace = 50*time.Millisecond, 50*time.Millisecond
			}
			p := open(t, cfg)
			err := p.Push(t.Context(), at(address), u)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, row.class, e.Class())
			require.Contains(t, e.Error(), fmt.Sprintf(row.message, p.program))
			require.NotContains(t, e.Error(), "s3cret")
			require.True(t, e.Uncounted(), "nobody knows what it sent")
			for err := error(e); err != nil; { // another process takes over; on a busy machine, it may be late, too
				err = p.Push(t.Context(), at("http://device"), u)
				require.True(t, err == nil || address == "hang", "%v", err)
			}
			got := p.Troubles()
			require.NotContains(t, got.Last, "s3cret")
			if address == "hang" {
				require.Positive(t, got.Hung)
				return
			}
			row.troubles.Program, row.troubles.Restarts, row.troubles.Last = p.program, 1, got.Last
			require.Equal(t, row.troubles, got)
		})
	}
}

// TestPool_flood checks that a process may write as much on standard error as it likes.
func TestPool_flood(t *testing.T) {
	u, cfg := update(t, "")
	require.NoError(t, open(t, cfg).Push(t.Context(), at("flood"), u))
}

// TestPool_twice checks that a second answer to an operation ends the process, after the first has
// ended the operation.
func TestPool_twice(t *testing.T) {
	u, cfg := update(t, "")
	p := open(t, cfg)
	require.NoError(t, p.Push(t.Context(), at("twice"), u))
	for p.Troubles().Restarts == 0 { // the next operation either fails with the process, or finds another
		_ = p.Push(t.Context(), at("http://device"), u)
	}
	require.Contains(t, p.Troubles().Last, "which isn't under way")
	require.NoError(t, p.Push(t.Context(), at("http://device"), u))
}

// TestPool_givesUp checks that a program that dies again and again isn't started for ever.
func TestPool_givesUp(t *testing.T) {
	u, cfg := update(t, "")
	cfg.MaxRestarts, cfg.Processes = 3, 2
	p := open(t, cfg)
	var report delivery.Report
	var err error
	for err == nil || !strings.Contains(err.Error(), "isn't started any more") {
		report, err = p.Deliver(t.Context(), at("die"), u)
		require.Error(t, err)
	}
	require.EqualError(t, err, p.program+" isn't started any more: 3 processes had to be replaced within a minute")
	require.Zero(t, report, "nothing was sent")
	require.True(t, p.Troubles().GaveUp)
	require.Equal(t, 3, p.Troubles().Restarts)
	require.GreaterOrEqual(t, p.Troubles().Died, int64(4), "of two processes, and of those that replaced them")
}

// TestPool_canceled checks that an operation ends with its context, whether a process has it or not,
// and that its slot is used again once the process has answered.
func TestPool_canceled(t *testing.T) {
	u, cfg := update(t, "")
	cfg.CloseTimeout = time.Millisecond
	p := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	errs := make([]error, 2)
	reports := make([]delivery.Report, 2)
	for i := range errs {
		waiting.Go(func() { reports[i], errs[i] = p.Deliver(ctx, at("hang"), u) })
	}
	for len(p.free) > 0 { // until one of them has the slot
		time.Sleep(time.Millisecond)
	}
	cancel()
	waiting.Wait()
	if reports[0].Pushes == 0 {
		errs[0], errs[1], reports[0], reports[1] = errs[1], errs[0], reports[1], reports[0]
	}
	require.ErrorIs(t, errs[0], context.Canceled)
	require.Equal(t, 1, reports[0].Pushes)
	var uncounted interface{ Uncounted() bool }
	require.ErrorAs(t, errs[0], &uncounted)
	require.True(t, uncounted.Uncounted())
	require.ErrorIs(t, errs[1], errNotSent)
	require.Zero(t, reports[1])
	var network net.Error
	require.NotErrorAs(t, errs[1], &network, "no device failed to answer")
}

// TestPool_settles checks that operations that were given up have ended when Settle returns, whether
// their process answered or was killed, and that Settle needn't wait for them.
func TestPool_settles(t *testing.T) {
	for _, address := range []string{"slow", "hang"} {
		u, cfg := update(t, "")
		cfg.Processes, cfg.CloseTimeout = 2, time.Millisecond
		if address == "hang" {
			cfg.Deadline, cfg.Grace = 50*time.Millisecond, 50*time.Millisecond
		}
		p := open(t, cfg)
		p.Settle(t.Context()) // nothing was given up
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var all sync.WaitGroup
		for range cfg.Processes {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				_ = p.Push(ctx, at(address), u)
			})
		}
		all.Wait()
		p.Settle(ended)
		p.Settle(t.Context())
		for _, s := range p.seats {
			s.mu.Lock()
			require.False(t, s.slots[0].busy)
			s.mu.Unlock()
		}
		require.Zero(t, p.abandoned)
	}
}

// TestPool_concurrent checks that each of many operations at once gets its own answer.
func TestPool_concurrent(t *testing.T) {
	u, cfg := update(t, "")
	cfg.Processes, cfg.Concurrency = 3, 5
	p := open(t, cfg)
	var all sync.WaitGroup
	var wrong atomic.Int64
	for range 40 {
		all.Go(func() {
			for range 50 {
				if err := p.Push(t.Context(), at("operation"), u); err == nil || err.Error() != "push" {
					wrong.Add(1)
				}
				if err := p.Verify(t.Context(), at("http://device"), u); err != nil {
					wrong.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, wrong.Load())
	require.Len(t, p.free, 15)
	use := p.Usage()
	require.Len(t, use.Processes, 3)
}

// TestStart_refused checks what is said of a program that can't be the client.
func TestStart_refused(t *testing.T) {
	script := t.TempDir() + "/push.sh"
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600))
	for name, row := range map[string]struct {
		command []string
		dir     string
		want    string
	}{
		"not installed":  {[]string{"no-such-program"}, "", "no-such-program is not installed, or not in PATH: want a program, or ./no-such-program for one in the scenario's directory"},
		"not there":      {[]string{"./no-such-program"}, "", "./no-such-program does not exist, or the interpreter that its first line names: want a program"},
		"not executable": {[]string{script}, "", script + " is not executable: want a program; for a script, chmod +x or its interpreter before it"},
		"no directory": {clientCommand(""), "/nowhere",
			"PROGRAM can't be started: /nowhere is no directory: want the one in which it is to run"},
		"exits": {clientCommand("exits"), "",
			"PROGRAM ended before it said hello (exit status 3); its last line on standard error: no module named push"},
		"silent": {clientCommand("silent"), "",
			`PROGRAM said no hello within 300ms: want a first line such as {"protocol":1} on standard output`},
		"words": {clientCommand("words"), "",
			`PROGRAM wrote a first line that isn't a hello: want a first line such as {"protocol":1} on standard output; ` +
				`it is "Starting with ***…"`},
		"protocol": {clientCommand("protocol-2"), "",
			`PROGRAM wrote a first line that is of protocol 2: want 1; it is "{\"protocol\":2}"`},
		"endless": {clientCommand("endless"), "",
			`PROGRAM wrote over 65536 bytes without the end of a line: ` +
				`want a first line such as {"protocol":1} on standard output`},
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg := update(t, "")
			cfg.Command, cfg.Directory, cfg.Processes, cfg.CloseTimeout = row.command, row.dir, 2, time.Millisecond
			if name == "silent" {
				cfg.StartTimeout = 300 * time.Millisecond
			}
			_, err := Start(t.Context(), cfg)
			require.EqualError(t, err, strings.ReplaceAll(row.want, "PROGRAM", Name(row.command)))
		})
	}
}

// TestStart_canceled checks that the wait for a hello ends with the context.
func TestStart_canceled(t *testing.T) {
	_, cfg := update(t, "silent")
	cfg.CloseTimeout = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, cfg)
	require.ErrorIs(t, err, context.Canceled)
}

// TestClose_kills checks that a process that ignores the end of its input is killed, and that none
// is left, not even a zombie.
func TestClose_kills(t *testing.T) {
	_, cfg := update(t, "ignores-end")
	cfg.Processes, cfg.CloseTimeout = 2, time.Millisecond
	p, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	pids := p.Usage().Processes
	require.Len(t, pids, 2)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close(), "a second time")
	for _, pid := range pids {
		process, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.Error(t, process.Signal(syscall.Signal(0)))
	}
	u, _ := update(t, "")
	require.ErrorContains(t, p.Push(t.Context(), at("x"), u), "another artifact")
}

func TestName(t *testing.T) {
	for want, command := range map[string][]string{
		"push.py": {"python3", "-u", "clients/push.py", "--fast"}, "push": {"./bin/push", "--rate=1"},
		"my-client": {"my client"}, "client.jar": {"/usr/bin/java", "-jar", "client.jar"}, "sh": {"sh", "-c", "exec a.py; b"},
	} {
		require.Equal(t, want, Name(command))
	}
}

// TestPoolAllocatesLittle checks that an operation of a process costs the driver no memory that has
// to be collected.
func TestPoolAllocatesLittle(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		u, cfg := update(t, "noop")
		cfg.Concurrency = concurrency
		p := open(t, cfg)
		each := testing.AllocsPerRun(200, func() {
			if _, err := p.Deliver(t.Context(), at("http://127.1.0.0:8080"), u); err != nil {
				t.Error(err)
			}
		})
		require.LessOrEqual(t, each, 1.0, "concurrency %d", concurrency)
	}
}

// TestSecretsAreRemoved checks that the value of a header field doesn't come back in a version.
func TestSecretsAreRemoved(t *testing.T) {
	_, cfg := update(t, "secret")
	p := open(t, cfg)
	require.Equal(t, "for ***", p.Hello().Version)
}

// TestPool_profileAddresses checks that each process is told an address of its own, and only
// processes whose command asks for one.
func TestPool_profileAddresses(t *testing.T) {
	u, cfg := update(t, "")
	cfg.Placeholder = "{pprof}"
	require.Nil(t, open(t, cfg).ProfileAddresses())

	cfg.Command, cfg.Processes = append(cfg.Command, "--pprof={pprof}"), 3
	p := open(t, cfg)
	told := p.ProfileAddresses()
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(told))), 3)
	for range told {
		_, err := p.Deliver(t.Context(), at("arguments"), u)
		argument, ok := strings.CutPrefix(err.Error(), "--pprof=")
		require.True(t, ok, "%v", err)
		require.Contains(t, told, argument)
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", argument)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

// BenchmarkPool measures operations that do nothing, with as many callers as there are slots.
func BenchmarkPool(b *testing.B) {
	for _, of := range []struct{ processes, concurrency int }{{1, 1}, {8, 1}, {8, 8}} {
		b.Run(fmt.Sprintf("processes=%d/concurrency=%d", of.processes, of.concurrency), func(b *testing.B) {
			u, cfg := update(b, "noop")
			cfg.Processes, cfg.Concurrency = of.processes, of.concurrency
			p := open(b, cfg)
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			for range of.processes * of.concurrency {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := p.Deliver(b.Context(), at("http://127.1.0.0:8080"), u); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// TestUsage checks that the processor time of a process stays when it has ended and another has
// taken its place.
func TestUsage(t *testing.T) {
	u, cfg := update(t, "")
	p := open(t, cfg)
	before := p.Usage()
	if !before.Known {
		t.Skip("this system doesn't tell")
	}
	require.Positive(t, before.CPU)
	require.Greater(t, before.PeakResident, uint64(1<<20))
	p.ResetPeak()
	for p.Troubles().Restarts == 0 {
		require.Error(t, p.Push(t.Context(), at("die"), u))
	}
	after := p.Usage()
	require.True(t, after.Known)
	require.GreaterOrEqual(t, after.CPU, before.CPU)
}
