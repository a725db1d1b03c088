package baselinepage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/results/baseline"
)

// antiPatterns are mistakes that tests guard against, as fleetmark.yaml lists them.
type antiPatterns struct {
	heading
	fromPage
}

func (*antiPatterns) write(w *baseline.SectionWriter, c content) {
	patterns := c.project.Config.AntiPatterns
	if len(patterns) == 0 {
		w.Text("There are none: %s.", lacks(c.project, "anti_patterns"))
		return
	}
	w.Text("Mistakes that are easily made here, and the tests that fail when one is.")
	var rows [][]string
	var names []string
	packages := map[string]bool{}
	for _, p := range patterns {
		rows = append(rows, []string{p.Name, "`" + strings.Join(p.Tests, "`, `") + "`"})
		for _, test := range p.Tests {
			pkg, name, _ := strings.Cut(test, ".")
			packages["./"+pkg] = true
			names = append(names, strings.TrimPrefix(name, "Test"))
		}
	}
	w.Table("ll", []string{"anti-pattern", "tests"}, rows)
	slices.Sort(names)
	w.Text("All of them at once:")
	w.Commands(fmt.Sprintf("go test -run '^Test(%s)$' %s", strings.Join(slices.Compact(names), "|"),
		strings.Join(slices.Sorted(maps.Keys(packages)), " ")))
}
