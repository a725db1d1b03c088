package health

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckClientProcesses(t *testing.T) {
	for name, row := range map[string]struct {
		p             ClientProcesses
		note, finding string
	}{
		"well": {p: ClientProcesses{Program: "push.py", Operations: 500}},
		"one in a hundred": {p: ClientProcesses{Program: "push.py", Operations: 100, Died: 1, Restarts: 1, Last: "push.py ended (exit status 1)"},
			note: "push.py failed 1 of 100 operations: 1 because its process died; 1 process had to be replaced; " +
				"the last time: push.py ended (exit status 1)"},
		"more": {p: ClientProcesses{Program: "push.py", Operations: 1000, Died: 9, Hung: 1, Nonsense: 1, Restarts: 3},
			finding: "push.py failed 11 of 1000 operations: 9 because its process died, 1 because it did not answer in time, " +
				"1 because its answer was nonsense; 3 processes had to be replaced"},
		"while idle": {p: ClientProcesses{Program: "push.py", Operations: 1000, Restarts: 2},
			note: "push.py failed 0 of 1000 operations; 2 processes had to be replaced"},
		"given up": {p: ClientProcesses{Program: "push.py", Operations: 100_000, Died: 31, Restarts: 30, GaveUp: true},
			finding: "push.py failed 31 of 100000 operations: 31 because its process died; 30 processes had to be replaced, " +
				"and no more were started"},
		"nothing else": {p: ClientProcesses{Program: "push.py", Operations: 0, Hung: 1},
			finding: "push.py failed 1 of 0 operations: 1 because it did not answer in time; 0 processes had to be replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			note, findings := CheckClientProcesses(row.p)
			require.Equal(t, row.note, note)
			if row.finding == "" {
				require.Empty(t, findings)
				return
			}
			require.Equal(t, []Finding{{ClientProcess, row.finding}}, findings)
			require.Equal(t, "the client's processes failed: "+row.finding, findings[0].String())
		})
	}
}
