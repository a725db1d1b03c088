package versus

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/scenarios"
)

// How the base's driver was built.
const (
	HarnessOfToday  = "today's harness"
	HarnessOfTheDay = "its own harness" // today's does not compile with that delivery package
)

// Sides are two drivers.
type Sides struct {
	Base, Now string // programs
	Revision  string // of the base
	Harness   string // of the base: HarnessOfToday or HarnessOfTheDay
}

// replaced are the packages that the base has in the state of its revision, tried in turn: the
// names that delivery shares with devices are its own only where it doesn't compile with today's.
func replaced() [][]string { return [][]string{{"delivery"}, {"delivery", "internal/wire"}} }

// Build makes both drivers, in the directory work, from the source tree that holds the current
// directory. Now is the tree as it stands, uncommitted changes and all. What is missing for that is a
// *scenarios.UsageError.
func Build(ctx context.Context, ref, work string) (*Sides, error) {
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, &scenarios.UsageError{What: "--base: no git repository here: run it in the source tree of fleetmark", Err: err}
	}
	for _, dir := range []string{"delivery", "cmd/fleetmark"} {
		if info, err := os.Stat(filepath.Join(root, dir)); err != nil || !info.IsDir() {
			return nil, &scenarios.UsageError{What: "--base: " + dir + " isn't in the repository: run it in the source tree of fleetmark"}
		}
	}
	if strings.HasPrefix(ref, "-") {
		return nil, &scenarios.UsageError{What: fmt.Sprintf("--base %q: want a revision such as main or HEAD~1", ref)}
	}
	commit, err := output(ctx, root, "git", "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, &scenarios.UsageError{What: fmt.Sprintf("--base %q: no such revision here: want a commit, branch or tag; a shallow clone lacks most (git fetch --unshallow)", ref)}
	}
	s := &Sides{Base: filepath.Join(work, "base"), Now: filepath.Join(work, "now"), Revision: commit}
	if err := compile(ctx, root, s.Now); err != nil {
		return nil, fmt.Errorf("the tree as it stands does not compile: %w", err)
	}
	var why error
	for i, dirs := range replaced() {
		old := filepath.Join(work, fmt.Sprintf("old%d", i))
		if err := extract(ctx, root, commit, old, dirs...); err != nil {
			return nil, fmt.Errorf("--base %s: %w", ref, err)
		}
		overlay := filepath.Join(work, fmt.Sprintf("overlay%d.json", i))
		if err := writeOverlay(overlay, root, old, dirs); err != nil {
			return nil, err
		}
		if why = compile(ctx, root, s.Base, "-overlay", overlay); why == nil {
			s.Harness = HarnessOfToday
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	whole := filepath.Join(work, "whole")
	if err := extract(ctx, root, commit, whole); err != nil {
		return nil, fmt.Errorf("--base %s: %w", ref, err)
	}
	if err := compile(ctx, whole, s.Base); err != nil {
		return nil, fmt.Errorf("--base %s: its delivery package compiles neither with today's harness (%w) nor with its own (%w)", ref, why, err)
	}
	s.Harness = HarnessOfTheDay
	return s, nil
}

// compile builds the command of the tree at root. Both sides are built alike, without paths.
func compile(ctx context.Context, root, to string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", to}, flags...)
	_, err := output(ctx, root, "go", append(args, "./cmd/fleetmark")...)
	return err
}

// output runs a program and gives what it prints, trimmed. Its error holds what it said.
func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var stdout bytes.Buffer
	var words lastWords
	cmd.Stdout, cmd.Stderr = &stdout, &words
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %s", program, args[0], words.or(err))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// extract writes directories of a commit below to; all of it where none is named.
func extract(ctx context.Context, root, commit, to string, dirs ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"archive", "--format=tar", commit, "--"}, dirs...)...)
	cmd.Dir = root
	var words lastWords
	cmd.Stderr = &words
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	unpacked := unpack(stdout, to)
	_, _ = io.Copy(io.Discard, stdout) // Wait must come after the last read
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("git archive: %s", words.or(err))
	}
	return unpacked
}

func unpack(from io.Reader, to string) error {
	archive := tar.NewReader(from)
	for {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("git archive: %w", err)
		case h.Typeflag != tar.TypeReg:
			continue // directories come with their files; a build follows no link out of the tree
		case !filepath.IsLocal(h.Name):
			return fmt.Errorf("git archive: the path %q leads out of the tree", h.Name)
		}
		path := filepath.Join(to, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, archive)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// writeOverlay says which Go files of the tree are others: those of old instead, those that old
// lacks left out.
func writeOverlay(path, root, old string, dirs []string) error {
	replace := map[string]string{}
	for _, dir := range dirs {
		for _, tree := range []struct {
			root string
			with func(name string) string
		}{
			{root, func(string) string { return "" }},
			{old, func(name string) string { return filepath.Join(old, name) }},
		} {
			err := filepath.WalkDir(filepath.Join(tree.root, dir), func(file string, e fs.DirEntry, err error) error {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // a directory that one of the two lacks
				}
				if err != nil || e.IsDir() || !builds(e.Name()) {
					return err
				}
				name, err := filepath.Rel(tree.root, file)
				replace[filepath.Join(root, name)] = tree.with(name)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// builds reports whether a file is one that goes into a program.
func builds(name string) bool {
	return !strings.HasSuffix(name, "_test.go") && (strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".s") || strings.HasSuffix(name, ".h"))
}
