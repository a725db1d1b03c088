package health

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// maxProcessFailures is the largest share of operations that may fail because of the client's
// processes. Each is a failed operation of the run already; more of them say something of the
// program, and nothing of how long an update takes.
const maxProcessFailures = 0.01

// ClientProcesses is what was wrong with the processes of a client in one repetition.
type ClientProcesses struct {
	Program              string // its name
	Operations           int64  // that ended
	Died, Hung, Nonsense int64  // operations that failed because their process did that
	Restarts             int    // processes that took the place of others
	GaveUp               bool   // so many that no more were started
	Last                 string // what was wrong the last time
}

// CheckClientProcesses returns a finding if the processes of a client failed too often, or else a
// note if one failed at all. It returns "" and nil if none did.
func CheckClientProcesses(p ClientProcesses) (note string, findings []Finding) {
	failed := p.Died + p.Hung + p.Nonsense
	if failed == 0 && p.Restarts == 0 && !p.GaveUp {
		return "", nil
	}
	var how []string
	for _, of := range []struct {
		n    int64
		what string
	}{{p.Died, "its process died"}, {p.Hung, "it did not answer in time"}, {p.Nonsense, "its answer was nonsense"}} {
		if of.n > 0 {
			how = append(how, fmt.Sprintf("%s because %s", plaintext.Thousands(of.n), of.what))
		}
	}
	text := fmt.Sprintf("%s failed %s of %s", p.Program, plaintext.Thousands(failed),
		plaintext.Count(int(p.Operations), "operation"))
	if len(how) > 0 {
		text += ": " + strings.Join(how, ", ")
	}
	text += fmt.Sprintf("; %s had to be replaced", strings.Replace(plaintext.Count(p.Restarts, "process"), "processs", "processes", 1))
	if p.GaveUp {
		text += ", and no more were started"
	}
	if p.Last != "" {
		text += "; the last time: " + p.Last
	}
	if p.GaveUp || float64(failed) > maxProcessFailures*float64(max(1, p.Operations)) {
		return "", []Finding{{ClientProcess, text}}
	}
	return text, nil
}
