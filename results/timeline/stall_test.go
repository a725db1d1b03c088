package timeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// linesOf returns intervals as lines of timeline.jsonl.
func linesOf(intervals ...Interval) (file []byte) {
	for i := range intervals {
		file = intervals[i].AppendLine(file)
	}
	return file
}

// seconds returns intervals of a second each, in which so many operations ended and waited.
func seconds(endedAndWaiting ...[2]int64) (list []Interval) {
	for i, n := range endedAndWaiting {
		list = append(list, Interval{
			Repetition: 1, StartNS: int64(i) * 1e9, EndNS: int64(i+1) * 1e9, Succeeded: n[0] / 2, Failed: n[0] - n[0]/2,
			InFlight: n[1] / 2, NotSent: n[1] - n[1]/2,
		})
	}
	return list
}

func TestStalls(t *testing.T) {
	for name, c := range map[string]struct {
		intervals []Interval
		want      []Stall
	}{
		"none":               {nil, nil},
		"steady":             {seconds([2]int64{50, 2}, [2]int64{50, 2}, [2]int64{50, 2}), nil},
		"nothing ever ended": {seconds([2]int64{0, 50}, [2]int64{0, 90}), nil},
		"a pause":            {seconds([2]int64{50, 2}, [2]int64{0, 0}, [2]int64{50, 2}), nil},
		"too slow a load":    {seconds([2]int64{4, 2}, [2]int64{0, 2}, [2]int64{4, 2}), nil},
		"the last of a rollout": {
			append(seconds([2]int64{50, 30}, [2]int64{50, 30}, [2]int64{50, 30}, [2]int64{50, 30}),
				seconds([2]int64{50, 5}, [2]int64{0, 5}, [2]int64{5, 0})...), nil},
		"a rollout of one at a time": {seconds([2]int64{50, 1}, [2]int64{50, 1}, [2]int64{0, 1}, [2]int64{1, 0}),
			[]Stall{{Start: 2 * time.Second, End: 3 * time.Second, Waiting: 1, After: 1}}},
		"a stall and its burst": {
			seconds([2]int64{50, 2}, [2]int64{0, 51}, [2]int64{0, 101}, [2]int64{120, 31}, [2]int64{81, 0}, [2]int64{50, 0}),
			[]Stall{{Start: time.Second, End: 3 * time.Second, Waiting: 101, After: 120}}},
		"at both ends": {
			seconds([2]int64{0, 50}, [2]int64{100, 0}, [2]int64{0, 9}),
			[]Stall{{End: time.Second, Waiting: 50, After: 100}, {Start: 2 * time.Second, End: 3 * time.Second, Waiting: 9}}},
		"broken off in its burst": {
			append(seconds([2]int64{50, 2}, [2]int64{0, 51}, [2]int64{60, 20}),
				Interval{Repetition: 1, StartNS: 3e9, EndNS: 3.001e9, Succeeded: 2}),
			[]Stall{{Start: time.Second, End: 2 * time.Second, Waiting: 51, After: 60}}},
		"broken off at its end": {
			append(seconds([2]int64{50, 2}, [2]int64{0, 51}), Interval{Repetition: 1, StartNS: 2e9, EndNS: 2.001e9,
				Succeeded: 2}),
			[]Stall{{Start: time.Second, End: 2 * time.Second, Waiting: 51}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Stalls(c.intervals)) })
	}
}

func TestMerge(t *testing.T) {
	times := func(p50, top int64) Times {
		return Times{P50NS: p50, P90NS: p50, P99NS: top, MaxNS: top}
	}
	service := times(1, 2)
	list := []Interval{
		{Repetition: 1, StartNS: 0, EndNS: 10, Planned: 1, Sent: 2, Succeeded: 3, Failed: 4, BrokenOff: 5, Retries: 6,
			NotSent:  9,
			InFlight: 1, Wave: 1, Classes: map[string]int64{"a": 4}, Bytes: &Bytes{Written: 1, Read: 2},
			Operations: []Operation{{Op: "push", Count: 3, Response: times(5, 50), Service: &service}}},
		{Repetition: 1, StartNS: 10, EndNS: 20, Planned: 10, Sent: 20, Succeeded: 30, Failed: 40, NotSent: 1, InFlight: 7,
			Wave:    2,
			Classes: map[string]int64{"a": 1, "b": 2}, Bytes: &Bytes{Written: 10, Read: 20},
			Operations: []Operation{{Op: "verify", Count: 1, Response: times(1, 1)},
				{Op: "push", Count: 30, Response: times(9, 40)}}},
		{Repetition: 1, StartNS: 20, EndNS: 25, Succeeded: 8},
	}
	require.Equal(t, list, Merge(list, 1))
	before := string(linesOf(list...))
	merged := Merge(list, 2)
	require.Equal(t, before, string(linesOf(list...)), "the intervals aren't changed")
	require.Equal(t, []Interval{
		{Repetition: 1, StartNS: 0, EndNS: 20, Planned: 11, Sent: 22, Succeeded: 33, Failed: 44, BrokenOff: 5, Retries: 6,
			NotSent:  9,
			InFlight: 7, Wave: 2, Classes: map[string]int64{"a": 5, "b": 2}, Bytes: &Bytes{Written: 11, Read: 22},
			Operations: []Operation{{Op: "push", Count: 33, Response: times(9, 50), Service: &service},
				{Op: "verify", Count: 1, Response: times(1, 1)}}},
		{Repetition: 1, StartNS: 20, EndNS: 25, Succeeded: 8},
	}, merged)
}

func TestJoinEnd(t *testing.T) {
	list := []Interval{
		{Repetition: 1, EndNS: 10, Succeeded: 1}, {Repetition: 1, StartNS: 10, EndNS: 20, Succeeded: 2, InFlight: 3},
		{Repetition: 1, StartNS: 20, EndNS: 24, Succeeded: 4, BrokenOff: 3},
	}
	before := string(linesOf(list...))
	require.Equal(t, []Interval{list[0], {Repetition: 1, StartNS: 10, EndNS: 24, Succeeded: 6, BrokenOff: 3,
		InFlight: 3}}, JoinEnd(list))
	require.Equal(t, before, string(linesOf(list...)), "the intervals aren't changed")
	for _, whole := range [][]Interval{nil, list[:1], list[:2]} {
		require.Equal(t, whole, JoinEnd(whole))
	}
	list[2].EndNS = 25
	require.Equal(t, list, JoinEnd(list), "half of the one before")
}

func TestFormatTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 120 * time.Millisecond: "120ms", 7500 * time.Millisecond: "7.5s", 7503 * time.Millisecond: "7.5s",
		12345 * time.Millisecond: "12.3s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m", 750*time.Second + 1: "12m30s",
		2 * time.Hour: "2h", 2*time.Hour + time.Second: "2h0m1s", 2*time.Hour + 30*time.Minute: "2h30m",
	} {
		require.Equal(t, want, FormatTime(d))
	}
}
