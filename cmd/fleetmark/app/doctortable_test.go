package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/scenarios/doctor"
)

func TestDoctorTable(t *testing.T) {
	checks := []doctor.Check{
		{Name: "cores", State: doctor.OK, Found: "8 cores, GOMAXPROCS 8", Why: "they are shared"},
		{
			Name: "accept queue", State: doctor.Warning, Found: "128 connections", Why: "connections beyond it are dropped",
			Change: "sudo sysctl -w net.core.somaxconn=4096",
		},
		{
			Name: "noise", State: doctor.Problem, Why: "a change smaller than it can't be told", Change: "end what else runs",
			Found: "B/A 1.005, spread 29.0%: 10 blocks each can tell 44.1%, 100 can 13.6%",
		},
	}
	var out bytes.Buffer
	require.NoError(t, writeDoctorTable(&out, checks, texttable.Style{Width: 60}))
	require.Equal(t, `check         state    found
──────────────────────────────────────────────────────
cores         ok       8 cores, GOMAXPROCS 8
accept queue  warning  128 connections
noise         problem  B/A 1.005, spread 29.0%: 10
                       blocks each can tell 44.1%, 100
                       can 13.6%

accept queue: warning
  why: connections beyond it are dropped
  change: sudo sysctl -w net.core.somaxconn=4096

noise: problem
  why: a change smaller than it can't be told
  change: end what else runs

times can't be judged here: 1 ok, 1 warning, 1 problem, 0 unknown
`, out.String())

	out.Reset()
	require.NoError(t, writeDoctorTable(&out, checks[:1], texttable.Style{Color: true}))
	require.Contains(t, out.String(), "\x1b[32mok\x1b[0m")
	require.True(t, strings.HasSuffix(out.String(), "\nfit to measure on: 1 ok, 0 warnings, 0 problems, 0 unknown\n"))
}

// TestDoctorTable_fits uses a machine of which little is known, because its checks have the longest
// texts.
func TestDoctorTable_fits(t *testing.T) {
	f := doctor.Facts{
		Cores: 2, GOMAXPROCS: 2, Turbo: new(true), SMT: new(true),
		Noise:    doctor.Noise{A: []float64{1000, 1000, 1000}, B: []float64{1050, 952, 1050}},
		Loopback: doctor.Loopback{Addressing: "ip", Refused: strings.Repeat("a reason ", 30)},
	}
	for _, width := range []int{60, 80, 120} {
		var out bytes.Buffer
		require.NoError(t, writeDoctorTable(&out, doctor.Examine(f, doctorAdvice()), texttable.Style{Width: width}))
		for line := range strings.Lines(out.String()) {
			if !strings.Contains(line, "/sys/devices") { // a path is one word, to be copied whole
				require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), width, line)
			}
		}
	}
}

// TestDoctorAdvice checks that advice names the flags of this program, against texts typed by hand.
func TestDoctorAdvice(t *testing.T) {
	f := doctor.Facts{
		Cores: 2, GOMAXPROCS: 2, Noise: doctor.Noise{A: []float64{1000, 1000, 1000}, B: []float64{1300, 700, 1200}},
		Loopback: doctor.Loopback{Addressing: "ip", Refused: "not permitted"},
	}
	changes := map[string]string{}
	for _, c := range doctor.Examine(f, doctorAdvice()) {
		changes[c.Name] = c.Change
	}
	require.Equal(t, "measure on a machine with 4 cores or more; use fewer --workers here", changes["cores"])
	require.Equal(t, "end what else runs, and see the warnings above; "+
		"else let runs be longer (--duration, --repeat) and changes larger", changes["noise"])
	require.Equal(t, "fleetmark run --addressing path", changes["loopback"])
	f.Loopback = doctor.Loopback{}
	checks := doctor.Examine(f, doctorAdvice())
	require.Equal(t, "see whether a fleet comes up: fleetmark fleet --devices 2", checks[len(checks)-1].Change)
}
