package progress

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vbauerster/mpb/v8"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

func TestFleetText(t *testing.T) {
	before := mockfleet.Status{
		Devices: 1000, Totals: ledger.Totals{Injections: 5}, Traffic: mockfleet.Traffic{Requests: 100},
		Process: mockfleet.Process{Uptime: time.Second},
	}
	now := mockfleet.Status{
		Devices: 1000, Totals: ledger.Totals{Updated: 40}, Traffic: mockfleet.Traffic{Connections: 64, Requests: 12_100},
		Process: mockfleet.Process{Uptime: 3 * time.Second},
		Health:  mockfleet.Health{CPUFraction: 0.234},
	}
	require.Equal(t, "1,000 devices, 40 updated | 64 connections, 6,000/s requests | CPU 23%", fleetText(before, now, nil))
	now.Injections = 8
	require.Equal(t, "1,000 devices, 40 updated, 2 installing, 3 offline | 64 connections, 6,000/s requests, 1.5/s faults | CPU 23%",
		fleetText(before, now, map[ledger.Stage]int{ledger.StageOffline: 3, ledger.StageInstalling: 2,
			ledger.StageRunning: 38, ledger.StageIdle: 957}))
	now.Injections, now.Requests = 1, 50 // the fleet was reset
	require.Contains(t, fleetText(before, now, nil), "0.0/s requests, 0.0/s faults")
	require.Contains(t, fleetText(now, now, nil), "0.0/s requests")
	now.Health.Saturated, now.Health.Problems = true, []mockfleet.Problem{{Text: "it is slow"}, {Text: "it is full"}}
	require.Contains(t, fleetText(before, now, nil), " | CPU 23% | the bottleneck: it is slow; it is full")
}

// TestLogLines checks that a log gets a line every five seconds, if something happened since the
// last line.
func TestLogLines(t *testing.T) {
	var log bytes.Buffer
	view := newStatusView(&log, false, statusLogInterval)
	for second, changed := range []bool{false, true, false, false, false, false, false, false, false, false, false,
		false, false, false, true} {
		view.show(string(rune('a'+second)), changed)
	}
	view.close()
	require.Equal(t, "e\no\n", log.String())
	log.Reset()
	off := newStatusView(&log, true, statusLogInterval)
	off.show("x", true)
	off.close()
	require.Empty(t, log.String())
}

// TestStatusLine checks that a terminal has one line, with the text that was shown last.
func TestStatusLine(t *testing.T) {
	var screen bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		l := newStatusLine(&screen, mpb.WithAutoRefresh(), mpb.WithWidth(100))
		for _, text := range []string{"one", "two", "three"} {
			l.show(text, true)
			time.Sleep(statusInterval) // of the fake clock
		}
		l.show("never drawn", true)
		l.show("the last", true)
		time.Sleep(statusInterval)
		l.close()
	})
	lines := strings.Split(screen.String(), "\x1b[J")
	last := lines[len(lines)-1]
	require.Contains(t, last, "the last")
	require.NotContains(t, screen.String(), "never drawn")
	for _, text := range []string{"one", "two", "three"} {
		require.Contains(t, screen.String(), text)
		require.NotContains(t, last, text)
	}
}

// TestWatchFleet checks that WatchFleet returns when its context ends, and has shown what happened
// before.
func TestWatchFleet(t *testing.T) {
	f, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 3, Addressing: address.Path})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	view := &onceShown{then: cancel}
	watchFleet(ctx, f, view)
	require.True(t, view.closed)
	require.Contains(t, view.text, "3 devices, 0 updated | 0 connections, 0.0/s requests | CPU ")
}

type onceShown struct {
	text   string
	then   func()
	closed bool
}

func (o *onceShown) show(text string, _ bool) { o.text = text; o.then() }
func (o *onceShown) close()                   { o.closed = true }
