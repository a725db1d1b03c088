package abtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/fleetmark/fleetmark/internal/checkout"
)

// mergeModules writes a go.mod for go build -modfile in which the modules that the base's packages
// use are the base's, and the rest are today's. It returns the name of the file. It
// returns an error if a tree has a vendor directory or a workspace, which can't be merged.
func (b *overlaid) mergeModules(ctx context.Context) (string, error) {
	for _, t := range []*checkout.Tree{b.BaseTree, b.NowTree} {
		if _, err := os.Stat(filepath.Join(t.Dir, "vendor")); err == nil {
			return "", &checkout.Error{Problem: t.String() + " has a vendor directory", Want: "build it with that"}
		}
		workspace, err := t.Go(ctx, "env", "GOWORK")
		if err != nil {
			return "", err
		}
		if workspace != "" && workspace != "off" {
			return "", &checkout.Error{Problem: t.String() + " has a workspace", Want: "build it with that"}
		}
	}
	base, err := readModules(b.BaseTree)
	if err != nil {
		return "", err
	}
	now, err := readModules(b.NowTree)
	if err != nil {
		return "", err
	}
	var errs []error
	ofBase := func(r modfile.Replace) bool { _, ok := b.baseMods.Modules[r.Old.Path]; return ok }
	var replaced []modfile.Replace
	for _, r := range now.Replace {
		replaced = append(replaced, *r) // a copy, since dropping the directive clears it
	}
	for _, r := range replaced {
		errs = append(errs, now.DropReplace(r.Old.Path, r.Old.Version))
		now.Cleanup()
		if !ofBase(r) { // relative directories don't work from the temporary file
			path := b.NowTree.Absolute(r.New.Path)
			errs = append(errs, now.AddReplace(r.Old.Path, r.Old.Version, path, r.New.Version))
		}
	}
	for _, m := range b.baseMods.Modules {
		errs = append(errs, now.AddRequire(m.Path, m.Version))
	}
	for _, r := range base.Replace {
		if ofBase(*r) {
			path := b.BaseTree.Absolute(r.New.Path)
			errs = append(errs, now.AddReplace(r.Old.Path, r.Old.Version, path, r.New.Version))
		}
	}
	if base.Go != nil {
		errs = append(errs, now.AddGoStmt(base.Go.Version))
	}
	now.DropToolchainStmt()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	now.Cleanup()
	text, err := now.Format()
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.work, "merged.mod")
	sums, err := b.mergeSums()
	if err != nil {
		return "", err
	}
	sumFile := strings.TrimSuffix(file, ".mod") + ".sum"
	return file, errors.Join(os.WriteFile(file, text, 0o600), os.WriteFile(sumFile, sums, 0o600))
}

// readModules reads the go.mod file of a tree.
func readModules(t *checkout.Tree) (*modfile.File, error) {
	path := filepath.Join(t.Dir, "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse(path, text, nil)
	if err != nil {
		problem := fmt.Sprintf("%s: go.mod can't be read (%v)", t, err)
		return nil, &checkout.Error{Problem: problem, Want: "make `go build` work there", Err: err}
	}
	return f, nil
}

// mergeSums returns the lines of both go.sum files.
func (b *overlaid) mergeSums() ([]byte, error) {
	var lines []string
	for _, t := range []*checkout.Tree{b.BaseTree, b.NowTree} {
		text, err := os.ReadFile(filepath.Join(t.Dir, "go.sum"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for line := range bytes.Lines(text) {
			lines = append(lines, strings.TrimSpace(string(line)))
		}
	}
	slices.Sort(lines)
	return []byte(strings.TrimSpace(strings.Join(slices.Compact(lines), "\n")) + "\n"), nil
}

// checkModules returns an error if a module of the base's packages isn't selected at the
// base's version: the rest of today's modules may require a later one.
func (b *overlaid) checkModules(ctx context.Context, t *checkout.Tree, file string) error {
	for _, m := range b.baseMods.Modules {
		got, err := t.Go(ctx, "list", "-m", "-modfile", file, "-f", "{{.Version}}", m.Path)
		if err != nil {
			return err
		}
		if got != m.Version {
			problem := fmt.Sprintf("today's harness requires %s %s, not %s", m.Path, got, m.Version)
			return &checkout.Error{Problem: problem, Want: "build it with the base's modules"}
		}
	}
	return nil
}
