package baselinepage

import "github.com/fleetmark/fleetmark/results/baseline"

// again lists the commands that measure again.
type again struct {
	heading
	fromPage
}

func (*again) write(w *baseline.SectionWriter, c content) {
	w.Text("Each section ends with its command. The whole page, with its optimization history kept, is measured " +
		"again by the first of these; the second says whether it may still be believed.")
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
