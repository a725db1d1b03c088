package profiletest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
)

// Handmade returns a profile with one column. stacks holds the value of each stack, whose frames
// are separated by spaces, leaf first. In a frame "a+b", a is inlined into b; a frame "?" has no
// name.
func Handmade(column, unit string, stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: column, Unit: unit}},
		Mapping:    []*profile.Mapping{{ID: 1, File: "/bin/handmade", HasFunctions: true}},
	}
	functions := make(map[string]*profile.Function)
	function := func(name string) *profile.Function {
		f := functions[name]
		if f == nil {
			f = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name}
			functions[name] = f
			p.Function = append(p.Function, f)
		}
		return f
	}
	for stack, value := range stacks {
		s := &profile.Sample{Value: []int64{value}}
		for frame := range strings.SplitSeq(stack, " ") {
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Mapping: p.Mapping[0]}
			if frame != "?" {
				for name := range strings.SplitSeq(frame, "+") {
					l.Line = append(l.Line, profile.Line{Function: function(name), Line: 1})
				}
			}
			p.Location = append(p.Location, l)
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// Encode returns the encoded profile.
func Encode(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, p.Write(&buf))
	return buf.Bytes()
}

// Write writes a file, and makes missing directories. It returns the file's path.
func Write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// RequireProblem fails the test unless err is one line about the file at path with the given
// problem.
func RequireProblem(t testing.TB, err error, path string, want profiles.FileProblem) {
	t.Helper()
	var file *profiles.FileError
	require.ErrorAs(t, err, &file)
	require.Equal(t, want, file.Problem, "%v", err)
	require.Equal(t, path, file.Path)
	require.Equal(t, 1, strings.Count(err.Error(), path), "the path, once: %v", err)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "nil")
}
