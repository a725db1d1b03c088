package baselinepage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results/baseline"
)

// measuredPackage is the package whose digest a page keeps: the code that operations go through.
const measuredPackage = "delivery"

// digestSource adds the digest of the measured package to the page, if the page is of the source
// that the command is run in.
func (b *Builder) digestSource() error {
	page := b.content.page
	root, ok := ownSource(b.content.project)
	if !ok || page.Revision != b.options.Revision {
		return nil
	}
	digest, err := sourceDigest(root, measuredPackage)
	if err == nil {
		page.Sources = map[string]string{measuredPackage: digest}
	}
	return err
}

// ChangedSince returns the name of the package that has changed since the page measured it, or ""
// if it hasn't or that can't be told. It makes no page stale: later code is what a page is for.
func ChangedSince(page *baseline.Page, p project.Project) string {
	was, kept := page.Sources[measuredPackage]
	root, ok := ownSource(p)
	if !kept || !ok {
		return ""
	}
	if now, err := sourceDigest(root, measuredPackage); err != nil || now == was {
		return ""
	}
	return measuredPackage
}

// ownSource returns the root of the project. It reports whether the project is the source of the
// running program.
func ownSource(p project.Project) (root string, ok bool) {
	info, ok := debug.ReadBuildInfo()
	return p.Root, ok && p.Module != "" && p.Module == info.Main.Path
}

// sourceDigest returns the digest of the files of a package that are built.
func sourceDigest(root, dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, file := range files { // sorted
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(file), len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
