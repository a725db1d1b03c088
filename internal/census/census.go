package census

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Census is what a checkout is made of.
type Census struct {
	Languages []Language // by lines, the most first
	Packages  []Package  // by path
	Binary    int        // files that are no text, which have no lines
}

// A Language is all files of one.
type Language struct {
	Name string
	Lines
}

// A Package is one of the Go packages.
type Package struct {
	Path  string // below the module; "." is its root
	Code  Lines  // what is built
	Tests Lines  // _test.go files
}

// Take counts the files that git knows in dir, which is the root of a checkout: as they
// lie there, whether committed or not.
func Take(ctx context.Context, dir string) (*Census, error) {
	files, err := listed(ctx, dir)
	if err != nil {
		return nil, err
	}
	return count(dir, files)
}

func listed(ctx context.Context, dir string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the checkout's files: %w: want git, and a checkout", err)
	}
	var files []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" {
			files = append(files, name)
		}
	}
	return files, nil
}

func count(dir string, files []string) (*Census, error) {
	c := &Census{}
	languages, packages := map[string]Lines{}, map[string]Package{}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			c.Binary++
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
		c.Languages = append(c.Languages, Language{name, lines})
	}
	slices.SortFunc(c.Languages, func(a, b Language) int { return cmp.Or(cmp.Compare(b.All(), a.All()), cmp.Compare(a.Name, b.Name)) })
	for _, p := range packages {
		c.Packages = append(c.Packages, p)
	}
	slices.SortFunc(c.Packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	return c, nil
}

const goLanguage = "Go"

// languageOf names a file's language and what its comments begin with; "": it has none
// that take whole lines.
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

// Total is the sum over all languages.
func (c *Census) Total() Lines {
	var all Lines
	for _, l := range c.Languages {
		all = all.Add(l.Lines)
	}
	return all
}
