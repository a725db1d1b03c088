package codestats

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// Stats describes the files of a checkout.
type Stats struct {
	Languages []Language // sorted by lines, most first
	Packages  []Package  // the Go packages, sorted by path
	Binary    int        // number of files that aren't text; they have no lines
}

// A Language holds the lines of all files in one language.
type Language struct {
	Name string
	Lines
}

// A Package holds the lines of one Go package.
type Package struct {
	Path  string // relative to the module; "." is its root
	Code  Lines  // of the files that are built
	Tests Lines  // of the _test.go files
}

// Count counts the files of the checkout whose root is dir, as they are in the working tree: those that
// git tracks and those that it doesn't ignore.
func Count(ctx context.Context, dir string) (*Stats, error) {
	files, err := trackedFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	return countFiles(dir, files)
}

// trackedFiles returns the files in dir that git doesn't ignore, as slash-separated paths.
func trackedFiles(ctx context.Context, dir string) ([]string, error) {
	out, err := childproc.Output(ctx, "", "git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the checkout's files: %w: want git, and a checkout", err)
	}
	var files []string
	for name := range strings.SplitSeq(out, "\x00") {
		if name != "" {
			files = append(files, name)
		}
	}
	return files, nil
}

// countFiles counts the named files below dir. A file that doesn't exist is skipped.
func countFiles(dir string, files []string) (*Stats, error) {
	stats := &Stats{}
	languages, packages := map[string]Lines{}, map[string]Package{}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, but not yet committed
		}
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			stats.Binary++
			continue
		}
		language, mark := languageOf(name, text)
		if language != goLanguage {
			languages[language] = languages[language].Add(countPlain(text, mark))
			continue
		}
		lines := countGo(text)
		languages[language] = languages[language].Add(lines)
		at := path.Dir(name)
		p := packages[at]
		p.Path = at
		if strings.HasSuffix(name, "_test.go") {
			p.Tests = p.Tests.Add(lines)
		} else {
			p.Code = p.Code.Add(lines)
		}
		packages[at] = p
	}
	for name, lines := range languages {
		stats.Languages = append(stats.Languages, Language{name, lines})
	}
	slices.SortFunc(stats.Languages, func(a, b Language) int {
		return cmp.Or(cmp.Compare(b.All(), a.All()), cmp.Compare(a.Name, b.Name))
	})
	for _, p := range packages {
		stats.Packages = append(stats.Packages, p)
	}
	slices.SortFunc(stats.Packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	return stats, nil
}

const goLanguage = "Go"

// languageOf returns the language of a file and the marker that begins its comment lines. The marker is
// empty if the language has no comments of one line.
func languageOf(name string, text []byte) (language, comment string) {
	if slices.Contains(strings.Split(name, "/"), "testdata") && !strings.HasSuffix(name, ".txtar") {
		return "test data", ""
	}
	switch ext := path.Ext(name); {
	case ext == ".go":
		return goLanguage, ""
	case ext == ".md":
		return "Markdown", ""
	case ext == ".yaml" || ext == ".yml":
		return "YAML", "#"
	case ext == ".txtar":
		return "testscript", "#"
	case ext == ".json":
		return "JSON", ""
	case path.Base(name) == "go.mod":
		return "go.mod", "//"
	case path.Base(name) == "Makefile":
		return "Makefile", "#"
	case ext == ".sh" || bytes.HasPrefix(text, []byte("#!")) && bytes.Contains(text[:min(len(text), 64)], []byte("sh\n")):
		return "shell", "#"
	}
	return "other text", ""
}

// Total returns the sum over all languages.
func (s *Stats) Total() Lines {
	var all Lines
	for _, l := range s.Languages {
		all = all.Add(l.Lines)
	}
	return all
}
