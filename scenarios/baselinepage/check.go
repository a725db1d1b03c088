package baselinepage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/baseline"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// Stale is a reason why a page no longer describes the project.
type Stale struct {
	Problem string // such as "lacks scenario rollout"
	Derived bool   // Rewrite can fix it; otherwise the page has to be measured again
}

// Check returns the reasons why a page is stale, or nil: a scenario has changed or is missing, a
// metric no longer exists, or a section that is written from the code and fleetmark.yaml would be
// different now.
func Check(ctx context.Context, page *baseline.Page, p project.Project, s Subject) ([]Stale, error) {
	var stale []Stale
	add := func(format string, args ...any) { stale = append(stale, Stale{Problem: fmt.Sprintf(format, args...)}) }
	for _, name := range s.Scenarios(p) {
		spec, err := scenarios.Find(name)
		if err != nil {
			return nil, err
		}
		old, ok := page.Scenario(spec.Name)
		if !ok {
			add("lacks scenario %s", spec.Name)
			continue
		}
		digest, err := runner.WorkloadDigest(ctx, spec)
		if err != nil {
			return nil, err
		}
		if digest != old.WorkloadDigest {
			add("scenario %s has changed since it was measured", spec.Name)
		}
	}
	if scenario, unit, ok := unknownUnit(page); ok {
		add("has the metric %s in scenario %s, which there isn't any more", unit, scenario)
	}
	sections, err := staleSections(content{page, p, s})
	return append(stale, sections...), err
}

// unknownUnit returns the first metric of a page that no longer exists, and its scenario.
func unknownUnit(page *baseline.Page) (scenario, unit string, ok bool) {
	for _, s := range page.Scenarios {
		for _, r := range s.Records {
			for _, v := range r.Values {
				if _, known := results.LookupUnit(v.Unit); !known {
					return s.Name, v.Unit, true
				}
			}
		}
	}
	return "", "", false
}

// staleSections returns what is wrong with the sections of a page.
func staleSections(c content) ([]Stale, error) {
	b := &Builder{content: c, sections: newSections()}
	var names, want []string
	for _, s := range c.page.Sections {
		names = append(names, s.Name)
	}
	for _, s := range b.sections {
		want = append(want, s.name)
	}
	if !slices.Equal(names, want) {
		problem := fmt.Sprintf("has the sections %s, and they are %s now", cmp.Or(strings.Join(names, ", "), "none"),
			strings.Join(want, ", "))
		return []Stale{{Problem: problem, Derived: len(names) > 0}}, nil
	}
	var stale []Stale
	for i, s := range b.sections {
		if !s.derived(c) {
			continue
		}
		now, err := b.writeSection(s, nil)
		if err != nil {
			return nil, err
		}
		if old := c.page.Sections[i]; now.Body != old.Body || now.Title != old.Title {
			problem := fmt.Sprintf("says under %q what the code and "+project.ConfigFile+" no longer say", old.Title)
			stale = append(stale, Stale{Problem: problem, Derived: true})
		}
	}
	return stale, nil
}

// Rewrite writes those sections of a page again that need no measurement, and keeps the others.
func Rewrite(page *baseline.Page, p project.Project, s Subject) error {
	b := &Builder{content: content{page, p, s}, sections: newSections()}
	return b.write(page.Sections)
}

// measuredCode returns the name and the directory of the code whose digest a page keeps, because
// operations run it: package delivery, or the whole module of another client.
func (c content) measuredCode() (name, dir string) {
	if c.subject.Client == "" {
		return "delivery", "delivery"
	}
	return c.project.Module, "."
}

// digestSource adds the digest of the measured code to the page, if the page is about the source
// that the running program was built from.
func (b *Builder) digestSource() error {
	page := b.content.page
	root, ok := ownSource(b.content.project)
	if !ok || page.Revision != b.options.Revision {
		return nil
	}
	name, dir := b.content.measuredCode()
	digest, err := sourceDigest(root, dir)
	if err == nil {
		page.Sources = map[string]string{name: digest}
	}
	return err
}

// ChangedSince returns the name of the measured code if it has changed since the page was measured.
// It returns "" if it hasn't, or if that isn't known. A change doesn't make the page stale: comparing
// later code with it is what a page is for.
func ChangedSince(page *baseline.Page, p project.Project, s Subject) string {
	name, dir := content{page, p, s}.measuredCode()
	was, kept := page.Sources[name]
	root, ok := ownSource(p)
	if !kept || !ok {
		return ""
	}
	if now, err := sourceDigest(root, dir); err != nil || now == was {
		return ""
	}
	return name
}

// ownSource returns the root of the project. It reports whether the running program was built from
// that source.
func ownSource(p project.Project) (root string, ok bool) {
	info, ok := debug.ReadBuildInfo()
	return p.Root, ok && p.Module != "" && p.Module == info.Main.Path
}

// sourceDigest returns the digest of the Go files in a directory and below it, without tests.
func sourceDigest(root, dir string) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(os.DirFS(root), dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(root), file)
		fmt.Fprintf(h, "%s %d\n", file, len(text))
		h.Write(text)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
