package doctor

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// to returns a pointer to v.
func to[T any](v T) *T { return &v }

// steady returns noise so small that ten pairs can detect a change of about 1.5%.
func steady() Noise {
	var n Noise
	for i := range 20 {
		n.A, n.B = append(n.A, 1000), append(n.B, []float64{1010, 1000 / 1.01}[i%2])
	}
	return n
}

// healthy returns the facts of a machine on which every check is OK.
func healthy() Facts {
	return Facts{
		OS: "linux", Cores: 8, GOMAXPROCS: 8, Quota: to(0.0),
		MemoryAvailable: to[uint64](16 << 30), DescriptorLimit: to[uint64](1 << 20),
		Needs:       []Need{{"rollout", 128, 608}, {"million", 896, 896}},
		Ports:       &results.LocalPorts{First: 32768, Last: 60999, TimeWait: 12},
		AcceptQueue: to(4096), ReuseTimeWait: to(2),
		ClockSource: "tsc", ClockSources: "tsc hpet acpi_pm", ClockCost: 40 * time.Nanosecond,
		Timer:     Timer{P50: 60 * time.Microsecond, P99: 200 * time.Microsecond, Turns: 500},
		Governors: []string{"performance"}, Turbo: to(false), SMT: to(false),
		Interference: &results.Interference{OthersFraction: 0.01}, Noise: steady(), Loopback: Loopback{Addressing: "ip"},
	}
}

func TestExamine_healthy(t *testing.T) {
	for _, c := range Examine(healthy(), testAdvice()) {
		require.Equal(t, OK, c.State, "%+v", c)
		require.NotEmpty(t, c.Found, c.Name)
		require.NotEmpty(t, c.Why, c.Name)
		require.Empty(t, c.Change, c.Name)
	}
	require.True(t, Fit(Examine(healthy(), testAdvice())))
}

// TestExamineSettings checks that it judges all that can be found out without measuring, as Examine
// does.
func TestExamineSettings(t *testing.T) {
	f := healthy()
	f.ClockCost, f.Timer, f.Interference, f.Noise = 0, Timer{}, nil, Noise{} // not measured
	f.Turbo = to(true)
	var names, unfit []string
	for _, c := range ExamineSettings(f, testAdvice()) {
		names = append(names, c.Name)
		if c.State != OK {
			unfit = append(unfit, c.String())
		}
	}
	require.Equal(t, []string{
		"cores", "quota", "memory", "descriptors", "ports", "accept queue", "governor", "turbo", "smt", "loopback",
	}, names)
	require.Equal(t, []string{
		"turbo: on: echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, " +
			"or elsewhere: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
	}, unfit)
	require.Equal(t, "cores: 8 cores, GOMAXPROCS 8", ExamineSettings(f, testAdvice())[0].String())
}

// TestExamine_unknown checks that a fact which can't be read is never OK.
func TestExamine_unknown(t *testing.T) {
	for _, c := range Examine(Facts{Cores: 8, GOMAXPROCS: 8}, testAdvice()) {
		if c.Name == "cores" {
			continue
		}
		require.Equal(t, Unknown, c.State, "%+v", c)
		require.NotEmpty(t, c.Change, c.Name)
	}
	require.True(t, Fit(Examine(Facts{Cores: 8, GOMAXPROCS: 8}, testAdvice())), "an unknown fact is no problem")
}

// TestExamine changes one fact of a healthy machine at a time.
func TestExamine(t *testing.T) {
	for name, row := range map[string]struct {
		check  string
		change func(*Facts)
		state  State
		found  string
		advice string
	}{
		"one core": {"cores", func(f *Facts) { f.Cores, f.GOMAXPROCS = 1, 1 }, Problem,
			"1 cores, GOMAXPROCS 1", "4 cores or more"},
		"two cores": {"cores", func(f *Facts) { f.Cores, f.GOMAXPROCS = 2, 2 }, Warning, "2 cores",
			"4 cores or more; have fewer workers"},
		"GOMAXPROCS too low": {"cores", func(f *Facts) { f.GOMAXPROCS = 4 }, Warning, "8 cores, GOMAXPROCS 4",
			"unset GOMAXPROCS"},
		"GOMAXPROCS too high": {"cores", func(f *Facts) { f.GOMAXPROCS = 16 }, Warning, "GOMAXPROCS 16",
			"unset GOMAXPROCS"},
		"GOMAXPROCS of a quota": {"cores", func(f *Facts) { f.GOMAXPROCS, f.Quota = 5, to(4.5) }, OK,
			"8 cores, GOMAXPROCS 5", ""},

		"a quota":              {"quota", func(f *Facts) { f.Quota = to(4.5) }, Warning, "4.50 cores", "without --cpus"},
		"a small quota":        {"quota", func(f *Facts) { f.Quota = to(1.5) }, Problem, "1.50 cores", "limits.cpu"},
		"a quota of no matter": {"quota", func(f *Facts) { f.Quota = to(8.0) }, OK, "8.00 cores", ""},

		"little memory": {"memory", func(f *Facts) { f.MemoryAvailable = to[uint64](512 << 20) }, Warning,
			"0.5 GiB available", "1 GiB"},
		"hardly any": {"memory", func(f *Facts) { f.MemoryAvailable = to[uint64](100 << 20) }, Problem,
			"0.1 GiB available", "1 GiB"},
		"a container's limit": {"memory", func(f *Facts) { f.MemoryLeft = to[uint64](512 << 20) }, Warning,
			"0.5 GiB left to the control group", "container"},
		"a limit of no matter": {"memory", func(f *Facts) { f.MemoryLeft = to[uint64](32 << 30) }, OK, "16.0 GiB available",
			""},

		"descriptors for some": {"descriptors", func(f *Facts) { f.DescriptorLimit = to[uint64](700) }, Warning,
			"700 may be open, 896 are wanted (million)", "ulimit -n 1024"},
		"descriptors for none": {"descriptors", func(f *Facts) { f.DescriptorLimit = to[uint64](100) }, Problem,
			"100 may be open", "ulimit -n 1024"},
		"just enough": {"descriptors", func(f *Facts) { f.DescriptorLimit = to[uint64](896) }, OK,
			"896 may be open, 896 are wanted", ""},
		"the pool is cut short": {"descriptors",
			func(f *Facts) { f.DescriptorLimit, f.Needs = to[uint64](500), f.Needs[:1] }, Warning,
			"500 may be open, 608 are wanted (rollout)", "ulimit"},

		"few ports": {"ports", func(f *Facts) { f.Ports.First = 60000 }, Warning,
			"1000 ports, 12 sockets in TIME_WAIT, reused on loopback", "ip_local_port_range"},
		"TIME_WAIT isn't reused": {"ports", func(f *Facts) { f.ReuseTimeWait = to(0) }, Warning,
			"28232 ports, 12 sockets in TIME_WAIT, not reused", "tcp_tw_reuse=2"},
		"reused everywhere": {"ports", func(f *Facts) { f.ReuseTimeWait = to(1) }, OK, "reused", ""},
		"half unknown":      {"ports", func(f *Facts) { f.ReuseTimeWait = nil }, Unknown, "unknown", "see"},

		"a short queue": {"accept queue", func(f *Facts) { f.AcceptQueue = to(128) }, Warning, "128 connections",
			"somaxconn=4096"},

		"hpet": {"clock", func(f *Facts) { f.ClockSource, f.ClockCost = "hpet", 800*time.Nanosecond }, Problem,
			"hpet, 800 ns a reading", "echo tsc | sudo tee"},
		"hpet alone": {"clock", func(f *Facts) { f.ClockSource, f.ClockSources = "hpet", "hpet acpi_pm" }, Problem,
			"hpet", "clocksource=tsc"},
		"a guest's":      {"clock", func(f *Facts) { f.ClockSource = "kvm-clock" }, OK, "kvm-clock, 40 ns a reading", ""},
		"one unheard of": {"clock", func(f *Facts) { f.ClockSource = "sundial" }, Warning, "sundial", "tsc"},
		"dear": {"clock", func(f *Facts) { f.ClockCost = 300 * time.Nanosecond }, Warning,
			"tsc, 300 ns a reading", "tsc"},
		"slow": {"clock", func(f *Facts) { f.ClockCost = 2 * time.Microsecond }, Problem,
			"tsc, 2000 ns a reading", "tsc"},
		"unknown": {"clock", func(f *Facts) { f.ClockSource = "" }, Unknown, "source unknown, 40 ns a reading", ""},
		"unknown, and slow": {"clock", func(f *Facts) { f.ClockSource, f.ClockCost = "", 2*time.Microsecond }, Problem,
			"source unknown, 2000 ns", ""},

		"late timers": {"timer", func(f *Facts) { f.Timer.P99 = 3 * time.Millisecond }, Warning,
			"1 ms wakes 60µs late, 1 in 100 3ms or more", "cores of its own"},
		"very late timers": {"timer", func(f *Facts) { f.Timer.P99 = 40 * time.Millisecond }, Problem, "40ms or more", ""},

		"powersave": {"governor", func(f *Facts) { f.Governors = []string{"powersave"} }, Warning, "powersave",
			"cpupower frequency-set -g performance"},
		"mixed governors": {"governor", func(f *Facts) { f.Governors = []string{"performance", "schedutil"} }, Warning,
			"performance, schedutil", "cpupower"},
		"no governor": {"governor", func(f *Facts) { f.Governors = nil }, Unknown, "unknown", "on the machine below"},
		"turbo":       {"turbo", func(f *Facts) { f.Turbo = to(true) }, Warning, "on", "no_turbo"},
		"SMT":         {"smt", func(f *Facts) { f.SMT = to(true) }, Warning, "two threads a core", "smt/control"},

		"a little else runs": {"neighbours", func(f *Facts) { f.Interference.OthersFraction = 0.05 }, Warning,
			"others 5.0% of all cores, hypervisor 0.0%", "top"},
		"much else runs": {"neighbours", func(f *Facts) { f.Interference.OthersFraction = 0.5 }, Problem, "others 50.0%",
			"top"},
		"stolen": {"neighbours", func(f *Facts) { f.Interference.StolenFraction = 0.2 }, Problem, "hypervisor 20.0%",
			"shared"},

		"noisy": {"noise", func(f *Facts) { f.Noise = scattered(1.05) }, Warning,
			"10 blocks each can tell 7.6%, 100 can 2.", "(more of them)"},
		"very noisy": {"noise", func(f *Facts) { f.Noise = scattered(1.3) }, Problem,
			"B/A 1.000, spread 26.9%: 10 blocks", "(more of them)"},
		"unlike itself": {"noise", func(f *Facts) { f.Noise.B = slices.Repeat([]float64{1020, 1010}, 10) }, Warning,
			"A and B, which are the same, came out different", "end what else runs"},

		"no addresses": {"loopback", func(f *Facts) { f.Loopback.Refused = "not permitted" }, Warning,
			"not 127.0.0.0/8 (not permitted); ::1", "have one address"},
		"no IPv6": {"loopback", func(f *Facts) { f.Loopback.NoIPv6 = "no such address" }, Warning,
			"127.0.0.0/8, no ::1: no such address", "disable_ipv6=0"},
		"no fleet": {"loopback", func(f *Facts) { f.Loopback = Loopback{Addressing: "path", Refused: "refused"} },
			Problem, "no device answers: refused", "127.0.0.1"},
		"a path, elsewhere": {"loopback", func(f *Facts) { f.Loopback.Addressing = "path" }, OK, "a path each, ::1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			row.change(&f)
			checks := Examine(f, testAdvice())
			i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == row.check })
			c := checks[i]
			require.Equal(t, row.state, c.State, "%+v", c)
			require.Contains(t, c.Found, row.found)
			require.Contains(t, c.Change, row.advice)
			require.Equal(t, row.state == OK, c.Change == "")
			require.Equal(t, row.state != Problem, Fit(checks))
			for j, other := range checks {
				if j != i {
					require.NotEqual(t, Problem, other.State, "%+v", other)
				}
			}
		})
	}
}

// testAdvice returns advice as a caller would phrase it.
func testAdvice() Advice {
	return Advice{
		FewerWorkers: "have fewer workers", LongerRuns: "more of them",
		PathAddressing: "have one address", StartFleet: "start one",
	}
}

// scattered returns noise in which B is by turns slower and faster than A by a factor.
func scattered(by float64) Noise {
	var n Noise
	for i := range 20 {
		n.A, n.B = append(n.A, 1000), append(n.B, []float64{1000 * by, 1000 / by}[i%2])
	}
	return n
}
