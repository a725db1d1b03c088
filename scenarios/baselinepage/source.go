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

// digestSource adds the digest of the measured package to the page, if the page is of the source that
// the command is run in.
func (b *Builder) digestSource() error {
	root, ok := checkoutRoot()
	if !ok || b.content.page.Revision != b.options.Revision {
		return nil
	}
	digest, err := sourceDigest(root, measuredPackage)
	if err != nil {
		return err
	}
	b.content.page.Sources = map[string]string{measuredPackage: digest}
	return nil
}

// ChangedSince returns the name of the package that has changed since the page measured it, or "" if it
// hasn't or that can't be told. It makes no page stale: later code is what a page is for.
func ChangedSince(page *baseline.Page) string {
	was, kept := page.Sources[measuredPackage]
	root, ok := checkoutRoot()
	if !kept || !ok {
		return ""
	}
	if now, err := sourceDigest(root, measuredPackage); err != nil || now == was {
		return ""
	}
	return measuredPackage
}

// checkoutRoot returns the root of the checkout that the command is run in. It reports whether that is a
// checkout of the running program's module.
func checkoutRoot() (string, bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	root, module, err := project.Module(dir)
	return root, err == nil && module != "" && module == info.Main.Path
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
