package testenv

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// spy is a testing.TB that records how the test ended. Skip and Fatal panic, since in a real test
// they end the goroutine.
type spy struct {
	testing.TB
	end string
}

func (s *spy) Helper() {}

func (s *spy) Skip(args ...any)  { s.end = "skipped: " + fmt.Sprint(args...); panic(s) }
func (s *spy) Fatal(args ...any) { s.end = "failed: " + fmt.Sprint(args...); panic(s) }

// ends calls f with a spy, and returns how the test ended.
func ends(f func(testing.TB)) (end string) {
	s := &spy{}
	defer func() {
		_ = recover()
		end = s.end
	}()
	f(s)
	return ""
}

func TestByDefault(t *testing.T) {
	t.Setenv(Variable, "")
	require.Equal(t, "skipped: slow; it runs with FLEETMARK_TEST_EVERYTHING=1", ends(Slow))
	require.Equal(t, "skipped: nosuch is not installed; with FLEETMARK_TEST_EVERYTHING=1 this fails",
		ends(func(t testing.TB) { Program(t, "nosuch") }))
	require.Empty(t, ends(func(t testing.TB) { Program(t, "nosuch", "go") }))
}

func TestEverything(t *testing.T) {
	t.Setenv(Variable, "1")
	require.Empty(t, ends(Slow))
	require.Equal(t, "failed: nosuch is not installed, and FLEETMARK_TEST_EVERYTHING is set",
		ends(func(t testing.TB) { Program(t, "nosuch") }))
	want := ""
	if os.Geteuid() != 0 {
		want = "failed: it needs root, and FLEETMARK_TEST_EVERYTHING is set"
	}
	require.Equal(t, want, ends(Root))
}
