package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal gives a terminal's two ends: what is shown is read from screen.
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

// TestTerminal runs the command as a person does, on a terminal.
func TestTerminal(t *testing.T) {
	const bar, color = "===]", "\x1b[31m"
	for name, c := range map[string]struct {
		env         []string
		bars, color bool
	}{
		"bars and colour": {[]string{"TERM=xterm"}, true, true},
		"no colour":       {[]string{"TERM=xterm", "NO_COLOR=1"}, true, false},
		"plain lines":     {[]string{"TERM=dumb"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			screen, tty := openTerminal(t)
			cmd, dir := command(t, "run", "late.yaml")
			// A rate that one worker can't keep makes the run invalid, which is red.
			require.NoError(t, os.WriteFile(dir+"/late.yaml", []byte(
				"name: late\nfleet: {devices: 20, behavior: {latency: 5ms}}\nload: {model: constant, rate: 5000/s, workers: 1}\nrepetitions: 2\nprofiled: 0\n"), 0o600))
			cmd.Env = append(os.Environ(), c.env...)
			cmd.Stdout, cmd.Stderr = tty, tty
			require.NoError(t, cmd.Start())
			require.NoError(t, tty.Close()) // so that the screen ends with the command
			shown, err := io.ReadAll(screen)
			if !errors.Is(err, syscall.EIO) { // Linux's word for that end
				require.NoError(t, err)
			}
			require.Error(t, cmd.Wait())
			require.Equal(t, exitInvalid, cmd.ProcessState.ExitCode(), "%s", shown)
			text := string(shown)
			require.Equal(t, c.bars, strings.Contains(text, bar), "%s", text)
			require.Equal(t, !c.bars, strings.Contains(text, "late timed 2/2: 20 of 20 operations"), "%s", text)
			require.Equal(t, c.color, strings.Contains(text, color), "%s", text)
		})
	}
}
