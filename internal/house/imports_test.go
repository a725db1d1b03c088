package house

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/fleetmark/fleetmark"

// rooms says which of our own packages each room's may import, besides those of
// the room itself. Tests of a room may import what they like.
func rooms() map[string][]string {
	return map[string][]string{
		"cmd":             {"delivery", "mockfleet", "scenarios", "profiles", "results", "results/report", "internal/wire", "internal/census", "internal/checkout", "internal/scratch", "internal/project", "internal/shell"},
		"scenarios":       {"delivery", "mockfleet", "profiles", "results", "internal/childproc", "internal/checkout", "internal/scratch", "internal/shell"},
		"results":         {},
		"results/report":  {"results", "profiles"},
		"profiles":        {},
		"delivery":        {"internal/wire"},
		"mockfleet":       {"internal/wire"},
		"internal/wire":   {},
		"internal/census": {"internal/childproc"},

		"internal/childproc": {},
		"internal/checkout":  {"internal/childproc"},
		"internal/scratch":   {},
		"internal/project":   {},
		"internal/shell":     {},
		"internal/house":     {},
	}
}

// production is what delivery may import from elsewhere: a service that takes it
// in takes in these.
func production() []string { return []string{"github.com/valyala/fasthttp"} }

// roomOf is the longest room name that a package lies in.
func roomOf(pkg string) string {
	best := ""
	for room := range rooms() {
		if (pkg == room || strings.HasPrefix(pkg, room+"/")) && len(room) > len(best) {
			best = room
		}
	}
	return best
}

func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", `{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}`, module+"/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		from, to, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			continue
		}
		from = strings.TrimPrefix(from, module+"/")
		room := roomOf(from)
		require.NotEmpty(t, room, "%s lies in no room of the design", from)
		seen[room] = true
		target, ours := strings.CutPrefix(to, module+"/")
		if !ours {
			if room == "delivery" && strings.Contains(strings.Split(to, "/")[0], ".") {
				require.Contains(t, production(), to, "%s imports %s: delivery takes the standard library and the codec", from, to)
			}
			continue
		}
		toRoom := roomOf(target)
		if toRoom == room {
			continue
		}
		require.Truef(t, slices.Contains(rooms()[room], toRoom), "%s imports %s: the design doesn't let %s know %s", from, target, room, toRoom)
	}
	for _, room := range []string{"cmd", "scenarios", "results", "results/report", "profiles", "delivery", "mockfleet"} {
		require.True(t, seen[room], "no package of %s was seen: this test looks at nothing", room)
	}
}

// TestRoomsSayWhatTheyAre: every package has a comment that a newcomer can begin with.
func TestRoomsSayWhatTheyAre(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{.Doc}}", module+"/...").Output()
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		pkg, doc, _ := strings.Cut(line, "|")
		require.Greater(t, len(doc), 30, "%s has no package comment", pkg)
	}
}
