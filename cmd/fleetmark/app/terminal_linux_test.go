package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/progress"
)

// openTerminal returns the two ends of a pseudo-terminal. What it shows can be read from screen.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}))
	t.Cleanup(func() { _ = screen.Close() })
	return screen, tty
}

// TestTableIsAsWideAsTheTerminal checks that a table fits the terminal, or COLUMNS if that is set.
func TestTableIsAsWideAsTheTerminal(t *testing.T) {
	// The widest cells and heads are began 5, scenario 8, revision 8, unreadable 10, verdict 7,
	// reps 4, size 4 and the run 51; with seven gaps of 2 that is 111. Without reps, size and began
	// it is 92, without the revision 82.
	folder := t.TempDir()
	run := folder + "/20260102T030405Z-a-scenario-with-a-long-name-1a2b3c"
	require.NoError(t, os.Mkdir(run, 0o700)) // a run that can't be read is a row as well
	for name, c := range map[string]struct {
		columns    string
		cols       uint16
		head, note string
	}{
		"a wide terminal": {"", 200, "began scenario revision status verdict reps size run", ""},
		"a narrow one": {"", 92, "scenario revision status verdict run",
			"left out: began, reps, size; COLUMNS=111 shows all"},
		"COLUMNS on a wide terminal": {"82", 200, "scenario status verdict run",
			"left out: began, revision, reps, size; COLUMNS=111 shows all"},
		"COLUMNS on a narrow terminal": {"200", 60, "began scenario revision status verdict reps size run", ""},
	} {
		t.Run(name, func(t *testing.T) {
			screen, tty := openTerminal(t)
			require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: c.cols}))
			cmd, _ := command(t, "runs", folder)
			cmd.Env = append(os.Environ(), "COLUMNS="+c.columns)
			cmd.Stdout = tty
			require.NoError(t, cmd.Start())
			require.NoError(t, tty.Close())
			shown, err := io.ReadAll(screen)
			if !errors.Is(err, syscall.EIO) {
				require.NoError(t, err)
			}
			require.NoError(t, cmd.Wait())
			lines := strings.Split(strings.ReplaceAll(string(shown), "\r", ""), "\n")
			require.Equal(t, c.head, strings.Join(strings.Fields(lines[0]), " "))
			note := ""
			if strings.HasPrefix(lines[3], "left out") {
				note = lines[3]
			}
			require.Equal(t, c.note, note)
		})
	}
}

// TestTerminal runs the command as a person does, on a terminal.
func TestTerminal(t *testing.T) {
	const bar, color = "===]", "\x1b[31m"
	for name, c := range map[string]struct {
		env         []string
		bars, color bool
	}{
		"bars and color": {[]string{"TERM=xterm"}, true, true},
		"no color":       {[]string{"TERM=xterm", "NO_COLOR=1"}, true, false},
		"plain lines":    {[]string{"TERM=dumb"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			screen, tty := openTerminal(t)
			cmd, dir := command(t, "run", "late.yaml")
			// A rate that one worker can't keep makes the run invalid, which is red.
			require.NoError(t, os.WriteFile(dir+"/late.yaml", []byte(
				"name: late\nfleet: {devices: 20, behavior: {latency: 5ms}}\nload: {model: constant, rate: 5000/s, workers: 1, drain: 1m}\nrepetitions: 2\nprofiled: 0\n"), 0o600))
			cmd.Env = append(os.Environ(), c.env...)
			cmd.Stdout, cmd.Stderr = tty, tty
			require.NoError(t, cmd.Start())
			require.NoError(t, tty.Close()) // so that reading the screen ends when the command does
			shown, err := io.ReadAll(screen)
			if !errors.Is(err, syscall.EIO) { // which Linux returns at the end of a terminal's output
				require.NoError(t, err)
			}
			require.Error(t, cmd.Wait())
			require.Equal(t, cli.ExitInvalid, cmd.ProcessState.ExitCode(), "%s", shown)
			text := string(shown)
			require.Equal(t, c.bars, strings.Contains(text, bar), "%s", text)
			require.Equal(t, !c.bars, strings.Contains(text, "late timed 2/2: 20 of 20 operations"), "%s", text)
			require.Equal(t, c.color, strings.Contains(text, color), "%s", text)
		})
	}
}

// TestLineOfTerminal checks that a line of progress is overwritten only where the terminal can do
// that.
func TestLineOfTerminal(t *testing.T) {
	for kind, want := range map[string]string{
		"xterm": "\r\x1b[Kfirst\r\x1b[Ksecond\r\n",
		"dumb":  "first\r\nsecond\r\n",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("TERM", kind)
			screen, tty := openTerminal(t)
			line := progress.NewLine(tty, false)
			line.Update("first", time.Hour)
			line.Update("second", 2*time.Hour)
			line.Close()
			require.NoError(t, tty.Close())
			shown, err := io.ReadAll(screen)
			require.ErrorIs(t, err, syscall.EIO) // which Linux returns at the end of a terminal's output
			require.Equal(t, want, string(shown))
		})
	}
}
