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
	w.Commands(fmt.Sprintf("go test -run '^Test(%s)$' %s", strings.Join(slices.Compact(names), "|"), strings.Join(slices.Sorted(maps.Keys(packages)), " ")))
}

// again lists the commands that measure again.
type again struct {
	heading
	fromPage
}

func (*again) write(w *baseline.SectionWriter, c content) {
	w.Text("Each section ends with its command. The whole page, with its optimization history kept, is measured again by the first of these; the second says whether it may still be believed.")
	w.Commands("fleetmark baseline", "fleetmark baseline --check")
	if len(c.project.Config.Commands) == 0 {
		return
	}
	w.Text("Single operations, in the root of the repository:")
	var lines []string
	for _, command := range c.project.Config.Commands {
		lines = append(lines, "# "+command.Name)
		lines = append(lines, command.Run...)
	}
	w.Commands(lines...)
}
