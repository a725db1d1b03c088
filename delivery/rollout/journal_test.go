package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

func journalPath(t testing.TB) string { return filepath.Join(t.TempDir(), "rollout.journal") }

// journaled runs a rollout of some devices with a journal.
func journaled(t testing.TB, f *fakeClient, path string, devices int, cfg Options) (Report, error) {
	t.Helper()
	cfg.Journal.Path = path
	return newTestRollout(t, f, cfg).Run(t.Context(), tills(devices))
}

func TestRolloutResumesFromItsJournal(t *testing.T) {
	path := journalPath(t)
	odd := func(d delivery.Device) delivery.Class {
		if strings.HasSuffix(d.ID, "7") {
			return delivery.ClassTimeout
		}
		return delivery.ClassUnknown
	}
	f := &fakeClient{fails: odd}
	report, err := journaled(t, f, path, 100, Options{})
	require.NoError(t, err)
	wave := WaveReport{Devices: 100, Updated: 90, Failed: delivery.ClassCounts{delivery.ClassTimeout: 10}}
	require.Equal(t, Report{Wave: 1, CurrentWave: wave, Updated: 90, Failed: wave.Failed, Pushes: 100, Verifies: 100,
		Counted: true}, report)

	// Devices that failed are asked, and tried again. The others aren't even asked.
	f.begun, f.fails = nil, nil
	var first Event
	report, err = journaled(t, f, path, 120, Options{OnEvent: func(e Event) {
		if first.Kind == "" {
			first = e
		}
	}})
	require.NoError(t, err)
	require.Equal(t, JournalState{Done: 90, Failed: 10}, report.Journal)
	require.Equal(t, Resumed, first.Kind)
	require.Equal(t, report.Journal, first.Progress.Journal)
	require.True(t, report.Resumed)
	require.Equal(t, 90, report.DoneBefore)
	require.Equal(t, 30, report.Updated, "ten that failed, twenty that are new")
	require.Len(t, f.begun, 30)
	require.Len(t, f.checks, 30)

	f.begun = nil
	report, err = journaled(t, f, path, 120, Options{})
	require.NoError(t, err)
	require.Equal(t, JournalState{Done: 120}, report.Journal)
	require.Equal(t, 120, report.Skipped())
	require.Empty(t, f.begun)
}

// TestRolloutTrustsDevicesMoreThanTheJournal checks that a device that has the update doesn't get
// it again, whatever was lost of the journal.
func TestRolloutTrustsDevicesMoreThanTheJournal(t *testing.T) {
	path := journalPath(t)
	f := &fakeClient{}
	_, err := journaled(t, f, path, 50, Options{Workers: 3})
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	header := bytes.IndexByte(whole, '\n') + 1
	for cut := header; cut <= len(whole); cut += 37 {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		f.begun = nil
		report, err := journaled(t, f, path, 50, Options{Workers: 3})
		require.NoError(t, err, "cut after %d bytes", cut)
		require.Empty(t, f.begun)
		require.Equal(t, 50, report.HadIt+report.DoneBefore)
		require.Equal(t, cut-1-bytes.LastIndexByte(whole[:cut], '\n'), report.Journal.TornBytes)
	}
}

func TestRolloutResumesAfterItsContextEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := journalPath(t)
		f := &fakeClient{takes: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		cfg := Options{Workers: 5, Journal: Journal{Path: path}}
		report, err := newTestRollout(t, f, cfg).Run(ctx, tills(40))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []int{15, 5, 20}, []int{report.Updated, report.Interrupted, len(f.begun)})
		report, err = newTestRollout(t, f, cfg).Run(t.Context(), tills(40))
		require.NoError(t, err)
		require.Equal(t, JournalState{Done: 15, UnderWay: 5}, report.Journal)
		require.Equal(t, []int{15, 25}, []int{report.DoneBefore, report.Updated})
	})
}

func TestRolloutDoesNotSoakTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := journalPath(t)
		f := &fakeClient{fails: func(d delivery.Device) delivery.Class {
			if d.ID == "till-0" {
				return delivery.ClassTimeout
			}
			return delivery.ClassUnknown
		}}
		_, place := endpoint.Fingerprint("till-0", "")
		require.Less(t, place, 0.5, "it is in the first wave")
		var waves []string
		cfg := Options{
			Waves: []Wave{{Share: 0.5, Soak: time.Hour}, {Share: 0.9, Soak: time.Hour}, {Share: 1}},
			OnEvent: func(e Event) {
				switch e.Kind {
				case WaveBegun, WaveSoaking, WavePassed:
					waves = append(waves, fmt.Sprint(e.Kind, " ", e.Wave))
				}
			},
			Approve: func(_ context.Context, w Wave, _ Report) error {
				if w.Share == 0.9 {
					return errors.New("not today")
				}
				return nil
			},
		}
		_, err := journaled(t, f, path, 100, cfg)
		require.ErrorContains(t, err, "wave 90% was not approved: not today")
		f.fails, cfg.Approve, waves = nil, nil, nil
		report, err := journaled(t, f, path, 100, cfg)
		require.NoError(t, err)
		require.Equal(t, []string{"wave 90%", "soak 90%", "passed 90%", "wave 100%"}, waves)
		require.Equal(t, 100, report.Updated+report.DoneBefore)
		require.True(t, f.runs["till-0"], "what a passed wave left comes with the next")
	})
}

func TestJournalOfAnotherUpdateIsRefused(t *testing.T) {
	ours := newUpdate(t, "2.0.0", []byte("x"))
	headerFor := func(u *delivery.Update) string {
		line, err := headerOf(u).encode()
		require.NoError(t, err)
		return string(line)
	}
	format2 := headerOf(ours)
	format2.Format = 2
	newer, err := format2.encode()
	require.NoError(t, err)
	done, err := turn{device: delivery.Device{ID: "a"}}.record(eventDone).encode()
	require.NoError(t, err)
	for want, content := range map[string]string{
		`:1: not the journal of this update: it belongs to version "1.9.0" (SHA-256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881), this is "2.0.0"`: headerFor(newUpdate(t, "1.9.0", []byte("x"))),
		`it belongs to version "2.0.0" (SHA-256 a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa)`:                                                      headerFor(newUpdate(t, "2.0.0", []byte("y"))),
		`:1: not the journal of this update: it is of format 2, want 1`:                                                                                                 string(newer),
		`:1: not the journal of this update: it doesn't begin as a journal does`:                                                                                        string(done),
		`it doesn't begin as a journal does: too short`:                                                                                                                 "hello\n",
		`it doesn't begin as a journal does: its checksum`:                                                                                                              "a letter to somebody, which isn't done",
		`it doesn't begin as a journal does: its checksum is wrong`:                                                                                                     strings.Repeat("no line has an end ", 1000),
		`not the journal of this update: it doesn't begin as a journal does: its c`:                                                                                     strings.Replace(headerFor(ours), "2.0.0", "2.0.1", 1),
	} {
		path := journalPath(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := journaled(t, &fakeClient{}, path, 3, Options{})
		require.ErrorIs(t, err, ErrJournalForeign)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, string(after), "it was not touched")
	}
}

func TestJournalThatCannotBeOpened(t *testing.T) {
	_, err := journaled(t, &fakeClient{}, t.TempDir(), 3, Options{})
	require.ErrorIs(t, err, syscall.EISDIR)
	_, err = journaled(t, &fakeClient{}, filepath.Join(t.TempDir(), "missing", "x"), 3, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	bad, ok := errors.AsType[*JournalError](err)
	require.True(t, ok)
	require.Equal(t, 1, strings.Count(err.Error(), bad.Path), "the path is named once")
}

// TestJournalTornAnywhere checks that a journal that was cut after any byte can be read, and that
// its complete lines count.
func TestJournalTornAnywhere(t *testing.T) {
	u := newUpdate(t, "2.0.0", []byte("x"))
	header, err := headerOf(u).encode()
	require.NoError(t, err)
	text := journalText(t, header)
	for cut := range len(text) + 1 {
		marks := map[endpoint.Key]deviceState{}
		found, err := readJournal(bytes.NewReader(text[:cut]), header, marks)
		require.NoError(t, err, "cut after %d bytes", cut)
		require.Equal(t, cut >= len(header), found.resumed)
		require.EqualValues(t, cut, found.validBytes+int64(found.truncated))
		// The fifth line says that device 0 is done. Device 1 has only begun.
		require.Equal(t, bytes.Count(text[:cut], []byte("\n")) >= 5, marks[endpoint.Key{}] == stateDone)
	}
}

// TestJournalWithATailOfNULs has the journal that many file systems leave after a power failure: it
// has its new length, with NULs where data was never written. The NULs are dropped like half a
// line, but never a line that follows them.
func TestJournalWithATailOfNULs(t *testing.T) {
	header, err := headerOf(newUpdate(t, "2.0.0", []byte("x"))).encode()
	require.NoError(t, err)
	text := string(journalText(t, header))
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	last := lines[len(lines)-1] + "\n"
	nuls := func(n int) string { return strings.Repeat("\x00", n) }
	for name, row := range map[string]struct {
		whole, tail string
		want        error
	}{
		"one NUL":                             {text, nuls(1), nil},
		"a block":                             {text, nuls(4096), nil},
		"many blocks":                         {text, nuls(1 << 20), nil},
		"half a line, then NULs":              {text, last[:40] + nuls(100), nil},
		"half a line, NULs, and its end":      {text, last[:40] + nuls(4096) + last[40:], nil},
		"NULs with newlines among them":       {text, nuls(10) + "\n" + nuls(10) + "\n", nil},
		"NULs, and half a line":               {text, nuls(512) + last[:40], nil},
		"NULs, and what is no line":           {text, nuls(512) + strings.Repeat("x", 10_000) + "\n", nil},
		"after the header":                    {string(header), nuls(4096), nil},
		"half a header, then NULs":            {"", string(header[:20]) + nuls(len(header)-20), nil},
		"nothing of a header but NULs":        {"", nuls(len(header)), nil},
		"NULs, and a line at once":            {text, nuls(4096) + last, ErrJournalDamaged},
		"NULs, and the end of one and a line": {text, nuls(4096) + last[40:] + last, ErrJournalDamaged},
		"a lost block far before the end": {text,
			last[:40] + nuls(1<<16) + last[60:] + strings.Repeat("x", 10_000) + "\n" + last, ErrJournalDamaged},
		"a file of NULs that is no journal": {"", nuls(1 << 16), ErrJournalForeign},
		"another file, then NULs":           {"", "a letter" + nuls(20), ErrJournalForeign},
	} {
		t.Run(name, func(t *testing.T) {
			marks := map[endpoint.Key]deviceState{}
			found, err := readJournal(strings.NewReader(row.whole+row.tail), header, marks)
			if row.want != nil {
				require.ErrorIs(t, err, row.want)
				require.Equal(t, strings.Count(row.whole, "\n")+1, found.badLine)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, len(row.whole), found.validBytes)
			require.Equal(t, len(row.tail), found.truncated)
			require.Equal(t, row.whole == text, marks[endpoint.Key{}] == stateDone)
		})
	}
	_, err = readJournal(io.MultiReader(strings.NewReader(text+nuls(10)), &failingReader{}), header,
		map[endpoint.Key]deviceState{})
	require.ErrorContains(t, err, "line gone")
}

// TestRolloutGoesOnAfterAPowerFailure resumes from a journal with such a tail, and checks that the
// journal is valid afterwards.
func TestRolloutGoesOnAfterAPowerFailure(t *testing.T) {
	path := journalPath(t)
	f := &fakeClient{}
	_, err := journaled(t, f, path, 50, Options{})
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(whole[:len(whole)-100:len(whole)-100], make([]byte, 4096)...), 0o600))
	for n, torn := range []int{4096, 0} {
		f.begun = nil
		report, err := journaled(t, f, path, 50, Options{})
		require.NoError(t, err)
		require.Empty(t, f.begun, "no device gets the update again")
		require.Equal(t, 50, report.HadIt+report.DoneBefore)
		require.GreaterOrEqual(t, report.Journal.TornBytes, torn, "run %d", n)
		require.Equal(t, torn == 0, report.Journal.TornBytes == 0, "run %d", n)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(after), "\x00")
}

// TestJournalDamagedAnywhere checks that any flipped bit of a line is noticed, and that the error
// names the line.
func TestJournalDamagedAnywhere(t *testing.T) {
	header, err := headerOf(newUpdate(t, "2.0.0", []byte("x"))).encode()
	require.NoError(t, err)
	text := journalText(t, header)
	for at := range len(text) - 1 {
		damaged := bytes.Clone(text)
		damaged[at] ^= 1 << (at % 8)
		found, err := readJournal(bytes.NewReader(damaged), header, map[endpoint.Key]deviceState{})
		line := 1 + bytes.Count(text[:at], []byte("\n"))
		if line == 1 {
			require.ErrorIs(t, err, ErrJournalForeign)
		} else {
			require.ErrorIs(t, err, ErrJournalDamaged, "byte %d", at)
		}
		require.Equal(t, line, found.badLine)
	}
}

// journalText returns a journal with one line of each kind.
func journalText(t testing.TB, header []byte) []byte {
	text := bytes.Clone(header)
	for i, r := range []journalRecord{
		{Event: eventBegun}, {Event: eventFailed, Class: "timeout"}, {Event: eventBegun}, {Event: eventDone},
		{Event: eventWave, Share: 0.01}, {Event: eventBegun}, {Event: eventBegun, Name: "\x00\"\\ \xff"},
	} {
		if r.Event != eventWave {
			r.Device = fmt.Sprintf("%032x", i/4)
		}
		line, err := r.encode()
		require.NoError(t, err)
		require.True(t, json.Valid(line))
		text = append(text, line...)
	}
	return text
}

// TestJournalOfADoneDevice checks that a device that is done stays done, whatever a later line
// says.
func TestJournalOfADoneDevice(t *testing.T) {
	header, err := headerOf(newUpdate(t, "2.0.0", []byte("x"))).encode()
	require.NoError(t, err)
	text, marks := bytes.Clone(header), map[endpoint.Key]deviceState{}
	for _, event := range []string{eventBegun, eventDone, eventBegun, eventFailed} {
		line, err := journalRecord{Event: event, Device: fmt.Sprintf("%032x", 0)}.encode()
		require.NoError(t, err)
		text = append(text, line...)
	}
	found, err := readJournal(bytes.NewReader(text), header, marks)
	require.NoError(t, err)
	require.Equal(t, map[endpoint.Key]deviceState{{}: stateDone}, marks)
	require.Equal(t, JournalState{Done: 1}, found.summary())
}

func TestJournalLinesThatMakeNoSense(t *testing.T) {
	header, err := headerOf(newUpdate(t, "2.0.0", []byte("x"))).encode()
	require.NoError(t, err)
	for want, r := range map[string]journalRecord{
		`event "undone": want begun, done, failed or wave`: {Event: "undone"},
		`device "abc": want 32 hex digits`:                 {Event: eventDone, Device: "abc"},
		`not_before "soon": want a time as in RFC 3339`: {Event: eventFailed, Device: strings.Repeat("0", 32),
			NotBefore: "soon"},
		`device "ab": want 32 hex digits`:   {Event: eventDone, Device: "ab"},
		`share 2 of 0 devices: want 0 to 1`: {Event: eventWave, Share: 2},
		`longer than 4096 bytes`:            {Event: eventBegun, Name: strings.Repeat("x", 5000)},
	} {
		line, err := r.encode()
		require.NoError(t, err)
		found, err := readJournal(bytes.NewReader(append(bytes.Clone(header), line...)), header,
			map[endpoint.Key]deviceState{})
		require.ErrorIs(t, err, ErrJournalDamaged)
		require.ErrorContains(t, err, want)
		require.Equal(t, 2, found.badLine)
	}
	_, err = readJournal(io.MultiReader(bytes.NewReader(header), &failingReader{}), header, map[endpoint.Key]deviceState{})
	require.ErrorContains(t, err, "line gone")
	require.ErrorContains(t, &JournalError{Path: "p", Line: 7, Err: ErrJournalDamaged},
		"rollout journal p:7: damaged: cut the file before this line")

	path := journalPath(t)
	require.NoError(t, os.WriteFile(path, append(header, "x\n"...), 0o600))
	_, err = journaled(t, &fakeClient{}, path, 3, Options{})
	require.ErrorContains(t, err, path+":2: damaged")
}

func TestJournalServesOneRollout(t *testing.T) {
	path := journalPath(t)
	cfg := Options{Journal: Journal{Path: path}}
	f, second := &fakeClient{}, &fakeClient{}
	inTheWay := newTestRollout(t, second, cfg)
	var report Report
	var refused error
	f.onPush = func(n int) {
		if n == 1 {
			report, refused = inTheWay.Run(t.Context(), tills(3))
		}
	}
	for range 2 {
		_, err := newTestRollout(t, f, cfg).Run(t.Context(), tills(3))
		require.NoError(t, err, "the lock is gone when the rollout is")
	}
	require.ErrorIs(t, refused, ErrJournalInUse)
	require.ErrorContains(t, refused, path)
	require.Empty(t, second.begun)
	require.Equal(t, Report{}, report)
}

// TestJournalNamesAreForPeople checks that a name that JSON can't hold, or a long one, still
// identifies one device.
func TestJournalNamesAreForPeople(t *testing.T) {
	path := journalPath(t)
	f := &fakeClient{}
	devices := func(yield func(delivery.Device) bool) {
		for _, d := range []delivery.Device{{ID: "\xff"}, {ID: "\xfe"}, {Address: "http://a/" + strings.Repeat("x", 2000)}} {
			if !yield(d) {
				return
			}
		}
	}
	cfg := Options{Journal: Journal{Path: path}}
	for range 2 {
		report, err := newTestRollout(t, f, cfg).Run(t.Context(), devices)
		require.NoError(t, err)
		require.Equal(t, 3, report.Updated+report.DoneBefore)
	}
	require.Len(t, f.begun, 3)
}

// FuzzJournal checks that reading any file returns a result or an error, and that a journal that
// can be read can also be read after any cut.
func FuzzJournal(f *testing.F) {
	u := newUpdate(f, "2.0.0", []byte("x"))
	header, err := headerOf(u).encode()
	if err != nil {
		f.Fatal(err)
	}
	text := journalText(f, header)
	f.Add(text, 100)
	f.Add(text[:len(text)-3], 1)
	f.Add(header[:10], 0)
	f.Add([]byte{}, 0)
	f.Add(append(bytes.Clone(header), make([]byte, 20)...), 7)
	f.Add(append(bytes.Clone(text), make([]byte, 5000)...), len(text)+9)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		// The fuzzer can't guess a checksum, so every other input gets the right ones.
		if cut%2 == 0 {
			text = withChecksums(header, text)
		}
		marks := map[endpoint.Key]deviceState{}
		found, err := readJournal(bytes.NewReader(text), header, marks)
		total := 0
		for _, n := range found.counts {
			if n < 0 {
				t.Fatalf("%+v", found)
			}
			total += n
		}
		if total != len(marks) || int(found.validBytes) > len(text) || found.passed.Share < 0 || found.passed.Share > 1 ||
			found.passed.Devices < 0 {
			t.Fatalf("%+v, %d devices", found, len(marks))
		}
		if err != nil {
			if !errors.Is(err, ErrJournalForeign) && !errors.Is(err, ErrJournalDamaged) {
				t.Fatal(err)
			}
			return
		}
		if found.validBytes+int64(found.truncated) != int64(len(text)) {
			t.Fatalf("%+v of %d bytes", found, len(text))
		}
		cut = max(0, min(cut, len(text)))
		if _, err := readJournal(bytes.NewReader(text[:cut]), header, map[endpoint.Key]deviceState{}); err != nil {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
	})
}

// withChecksums puts a checksum before each line of text.
func withChecksums(header, text []byte) []byte {
	all := bytes.Clone(header)
	for line := range bytes.Lines(text) {
		all = append(all, withChecksum(line)...)
	}
	return all
}
