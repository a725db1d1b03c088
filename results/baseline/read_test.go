package baseline

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

func TestRead_carriageReturns(t *testing.T) {
	text := pageText(t, testPage())
	want, err := readText(t, text)
	require.NoError(t, err)
	got, err := readText(t, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = readText(t, strings.TrimRight(text, "\n"))
	require.NoError(t, err, "without the last line break")
	require.Equal(t, want, got)
}

// TestRead_earlierSchemas reads pages that earlier versions wrote.
func TestRead_earlierSchemas(t *testing.T) {
	want := testPage()
	want.History = strings.Trim(want.History, "\n")
	want.Scenarios = append(want.Scenarios, throughputScenario())
	got, err := Read("testdata/schema1.md")
	require.NoError(t, err)
	require.Equal(t, &want, got)

	want.Sections, want.Sources = testSections(), map[string]string{"delivery": "abc"}
	got, err = Read("testdata/schema2.md")
	require.NoError(t, err)
	require.Equal(t, &want, got)

	_, err = Read("../../" + FileName)
	require.NoError(t, err, "the page of this repository")
}

// TestParse_cutAtEveryLine checks that no page is accepted that lacks its end, or a line in the
// middle.
func TestParse_cutAtEveryLine(t *testing.T) {
	whole := testPage()
	whole.Sections, whole.Benchmarks = testSections(), testGoBenchmarks(t)
	lines := strings.SplitAfter(strings.TrimSuffix(pageText(t, whole), "\n"), "\n")
	require.Greater(t, len(lines), 60)
	for n := range lines {
		_, err := Parse([]byte(strings.Join(lines[:n], "")), "page")
		switch {
		case n == 0:
			requireInput(t, err, 1, "is empty")
		default:
			var input *results.InputError
			require.ErrorAs(t, err, &input, "%d lines", n)
			require.Contains(t, err.Error(), "cut short", "%d lines", n)
		}
	}
	// Without a line in the middle, but with the end mark.
	for n := 1; n < len(lines)-1; n++ {
		text := strings.Join(lines[:n], "") + strings.Join(lines[n+1:], "")
		b, err := Parse([]byte(text), "page")
		if err == nil {
			require.NotEqual(t, testPage().History, b.History+"\n",
				"line %d isn't part of the history, so its loss must be noticed: %q", n+1, lines[n])
			continue
		}
		var input *results.InputError
		require.ErrorAs(t, err, &input)
	}
}

// TestParse_editedAnywhere checks that a character that is added to any line is noticed, except in
// the optimization history.
func TestParse_editedAnywhere(t *testing.T) {
	whole := testPage()
	whole.Sections, whole.Benchmarks = testSections(), testGoBenchmarks(t)
	text := pageText(t, whole)
	inHistory, edited := false, 0
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		inHistory = inHistory && line != markHistoryEnd
		changed := append([]string{}, lines...)
		changed[i] = line + " "
		_, err := Parse([]byte(strings.Join(changed, "\n")+"\n"), "page")
		if inHistory {
			require.NoError(t, err, "line %d: %q", i+1, line)
		} else {
			require.Error(t, err, "line %d: %q", i+1, line)
			if errors.Is(err, ErrEdited) {
				edited++
			}
		}
		inHistory = inHistory || line == markHistoryBegin
	}
	require.Greater(t, edited, 40, "most edits are reported as edits by hand")
}

func TestRead_refuses(t *testing.T) {
	text := pageText(t, testPage())
	lineOf := func(prefix string) int {
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, prefix) {
				return i + 1
			}
		}
		t.Fatalf("no line begins with %q", prefix)
		return 0
	}
	last := strings.Count(text, "\n")
	sampleLine := lineOf("BenchmarkScenario")
	for _, c := range []struct {
		name, text string
		line       int
		want       string
		edited     bool
	}{
		{"empty", "", 1, "is empty", false},
		{"blank", "\n\n", 1, "is empty", false},
		{"another page", "# README\n", 1, "isn't a baseline page", false},
		{"samples", samplesText(t, rolloutRecords(1, 1, 1)...), 1, "isn't a baseline page", false},
		{"binary", "\x00\x01\x02", 1, "isn't a baseline page", false},
		{"the mark alone", markPage + "\n", 1, "cut short", false},
		{"the marks alone", markPage + "\n<!-- fleetmark:end samples=0 -->\n", 2, "has no block of samples", false},
		{"half", text[:len(text)/2], strings.Count(text[:len(text)/2], "\n") + 1, "cut short", false},
		{"a damaged sample", strings.Replace(text, "-2 5000 ", "-2 5O00 ", 1), sampleLine, "damaged sample line", false},
		{"a sample that is gone", strings.Replace(text, strings.Split(text, "\n")[sampleLine-1]+"\n", "", 1), last - 1,
			"19 samples, and the end mark says 20", false},
		{"a better sample", strings.Replace(text, "-2 5000 ", "-2 6000 ", 1), 0, "edited by hand", true},
		{"a better machine", strings.Replace(text, `"cores":2`, `"cores":4`, 1), 0, "edited by hand", true},
		{"a forged digest", strings.Replace(text, `"generated_sha256": "`, `"generated_sha256": "0`, 1), lineOf("```json"),
			"the facts have no digest", false},
		{"facts that are no JSON", strings.Replace(text, `"schema": 3,`, `"schema": !`, 1), lineOf("```json") + 2,
			"damaged facts", false},
		{"a later schema", strings.Replace(text, `"schema": 3,`, `"schema": 4,`, 1), lineOf("```json"), "schema version 4",
			false},
		{"no schema", strings.Replace(text, `"schema": 3,`, ``, 1), lineOf("```json"), "no schema version", false},
		{"no facts", strings.Replace(text, fenceFacts, "```", 1), last, "has no block of facts", false},
		{"no history", strings.Replace(text, markHistoryBegin, "", 1), lineOf(markHistoryEnd), "that nothing began", false},
		{"no end of the history", strings.Replace(text, markHistoryEnd, "", 1), last, "lacks the marks", false},
		{"two histories", strings.Replace(text, markHistoryBegin, markHistoryBegin+"\n"+markHistoryBegin, 1),
			lineOf(markHistoryBegin) + 1, "second beginning", false},
		{"results in the history", strings.Replace(text, markHistoryBegin, markHistoryBegin+"\n\nBenchmarkPush-2 1 1 ns/op",
			1), lineOf(markHistoryBegin) + 2, "indent it", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readText(t, c.text)
			requireInput(t, err, c.line, c.want)
			require.Equal(t, c.edited, errors.Is(err, ErrEdited))
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "none"))
	requireInput(t, err, 0, "can't be opened")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read(t.TempDir())
	requireInput(t, err, 0, "can't be read")
	huge := filepath.Join(t.TempDir(), "huge")
	require.NoError(t, os.WriteFile(huge, []byte(markPage), 0o644))
	require.NoError(t, os.Truncate(huge, maxPageBytes+1))
	_, err = Read(huge)
	requireInput(t, err, 0, "is larger than 16 MiB")
}

// signAgain replaces the digest of an edited page by the right one, so that fuzzing reaches the
// checks behind the digest.
func signAgain(data []byte) []byte {
	text := strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") + "\n"
	facts, _, err := (&parser{lines: strings.Split(text, "\n")}).facts()
	if err != nil {
		return data
	}
	return []byte(strings.ReplaceAll(text, facts.GeneratedSHA256, contentDigest(text, facts.GeneratedSHA256)))
}

// FuzzParse checks that a page that Parse accepts is the same after Write and another Parse.
func FuzzParse(f *testing.F) {
	text := pageText(f, testPage())
	_, err := Parse(signAgain([]byte(strings.Replace(text, `"cores":2`, `"cores":4`, 1))), "signed again")
	require.NoError(f, err)
	f.Add([]byte(text))
	f.Add([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	f.Add([]byte(pageText(f, hostilePage())))
	f.Add([]byte(text[:len(text)/3]))
	sectioned := testPage()
	sectioned.Sections = testSections()
	f.Add([]byte(pageText(f, sectioned)))
	sectioned.Benchmarks = testGoBenchmarks(f)
	f.Add([]byte(pageText(f, sectioned)))
	f.Add([]byte(markPage + "\n```text\n```\n```json\n{\"schema\":1,\"generated_sha256\":\"" + digestPlaceholder() +
		"\"}\n```\n" + markHistoryBegin + "\n" + markHistoryEnd + "\n<!-- fleetmark:end samples=0 -->"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data, "fuzz")
		if errors.Is(err, ErrEdited) {
			data = signAgain(data)
			b, err = Parse(data, "fuzz")
		}
		if err != nil {
			var input *results.InputError
			require.ErrorAs(t, err, &input)
			return
		}
		var again bytes.Buffer
		if err := Write(&again, *b); err != nil {
			// Write refuses the page's machine, though the digest is right.
			require.Contains(t, err.Error(), "want")
			return
		}
		back, err := Parse(again.Bytes(), "again")
		require.NoError(t, err)
		require.Equal(t, b, back)
	})
}
