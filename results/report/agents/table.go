package agents

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
)

// unknown stands for a value that nobody knows.
const unknown = "–"

// A column is a [Column] and what it shows of an agent.
type column struct {
	Column
	measure results.AgentMeasure // empty if no rule compares the column
	cell    func(a *results.Agent) (text string, bad bool)
}

// columnsOf returns the columns of the table, without those that say nothing of any agent.
func columnsOf(list []results.Agent) []column {
	number := func(name string, rank int, m results.AgentMeasure, text func(a *results.Agent) string) column {
		return column{Column{name, true, rank}, m, func(a *results.Agent) (string, bool) { return text(a), false }}
	}
	ns := func(of func(a *results.Agent) float64) func(a *results.Agent) string {
		return func(a *results.Agent) string {
			if v := of(a); v > 0 {
				return results.Duration.Format(v)
			}
			return unknown
		}
	}
	bytes := func(of func(a *results.Agent) float64) func(a *results.Agent) string {
		return func(a *results.Agent) string {
			if v := of(a); v > 0 {
				return results.BytesPerSecond.Format(v / 1e6) // its unit is a million bytes
			}
			return unknown
		}
	}
	columns := []column{
		{Column{"agent", false, 0}, "", func(a *results.Agent) (string, bool) { return plaintext.Line(a.Name), false }},
		{Column{"role", false, 6}, "", func(a *results.Agent) (string, bool) { return plaintext.Line(string(a.Role)), false }},
		number("devices", 5, "", func(a *results.Agent) string { return plaintext.Thousands(a.Devices) }),
		number("rate", 0, results.MeasureRate, func(a *results.Agent) string {
			if !a.Role.Drives() {
				return unknown
			}
			return plaintext.PerSecond(a.Rate)
		}),
		number("p50", 4, "", ns(func(a *results.Agent) float64 { return float64(a.P50NS) })),
		number("p99", 0, results.MeasureP99, ns(func(a *results.Agent) float64 { return float64(a.P99NS) })),
		number("lateness p99", 3, results.MeasureLateness, ns(func(a *results.Agent) float64 { return float64(a.LatenessP99NS) })),
		number("CPU/op", 2, results.MeasureCPU, ns(func(a *results.Agent) float64 { return a.CPUNSPerOp })),
		number("sent", 7, "", bytes(func(a *results.Agent) float64 { return a.SentPerSecond })),
		number("received", 8, "", bytes(func(a *results.Agent) float64 { return a.ReceivedPerSecond })),
		number("began late", 9, "", func(a *results.Agent) string { return duration(a.StartLateNS) }),
		{Column{"status", false, 1}, "", status},
	}
	return slices.DeleteFunc(columns, func(c column) bool {
		switch c.Name {
		case "role":
			return !slices.ContainsFunc(list, func(a results.Agent) bool { return a.Role != list[0].Role })
		case "lateness p99", "CPU/op", "sent", "received":
			return !slices.ContainsFunc(list, func(a results.Agent) bool { text, _ := c.cell(&a); return text != unknown })
		}
		return false
	})
}

// status returns how an agent ended, and whether that is bad.
func status(a *results.Agent) (text string, bad bool) {
	text = plaintext.Line(string(a.Status))
	if l := a.Lost; l != nil {
		text += " in " + plaintext.Line(l.Phase)
		if l.Repetition > 0 {
			text += " " + strconv.Itoa(l.Repetition)
		}
		text += ", " + silence(l) + " silent"
	}
	return cmp.Or(text, unknown), a.Status == results.AgentLost || a.Status == results.AgentFailed
}

// selected returns the indices of at most most agents, in the order of the list; 0 means all. If
// there are more, it returns those that were lost or failed, those that are off, and the extremes
// of each figure, as far as there is room.
func selected(list []results.Agent, off map[string]map[results.AgentMeasure]float64, most int) []int {
	if most <= 0 || len(list) <= most {
		all := make([]int, len(list))
		for i := range all {
			all[i] = i
		}
		return all
	}
	var chosen []int
	taken := map[int]bool{}
	take := func(i int) {
		if len(chosen) < most && !taken[i] {
			taken[i] = true
			chosen = append(chosen, i)
		}
	}
	takeIf := func(ok func(a *results.Agent) bool) {
		for i := range list {
			if ok(&list[i]) {
				take(i)
			}
		}
	}
	takeIf(func(a *results.Agent) bool { return a.Status == results.AgentLost || a.Status == results.AgentFailed })
	takeIf(func(a *results.Agent) bool { return off[a.Name] != nil })
	for _, of := range []func(a *results.Agent) float64{
		func(a *results.Agent) float64 { return float64(a.P99NS) },
		func(a *results.Agent) float64 { return a.Rate },
		func(a *results.Agent) float64 { return float64(a.LatenessP99NS) },
		func(a *results.Agent) float64 { return a.CPUNSPerOp },
		func(a *results.Agent) float64 { return a.SentPerSecond },
		func(a *results.Agent) float64 { return float64(a.StartLateNS) },
	} {
		lowest, highest := -1, -1
		for i := range list {
			if !list[i].Role.Drives() {
				continue
			}
			if lowest < 0 || of(&list[i]) < of(&list[lowest]) {
				lowest = i
			}
			if highest < 0 || of(&list[i]) > of(&list[highest]) {
				highest = i
			}
		}
		if highest >= 0 {
			take(highest)
			take(lowest)
		}
	}
	slices.Sort(chosen)
	return chosen
}
