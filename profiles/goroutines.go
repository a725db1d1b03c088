package profiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Goroutines are those of this process at one moment, by their stacks.
type Goroutines struct {
	byStack map[string]int
}

// A GoroutineStack is where some goroutines are.
type GoroutineStack struct {
	Count  int
	Frames []string // the innermost function first: its name, and file:line
}

// String is the stack on one line, from the goroutine's beginning on.
func (s GoroutineStack) String() string {
	names := slices.Clone(s.Frames)
	slices.Reverse(names)
	return fmt.Sprintf("%d at %s", s.Count, strings.Join(names, " > "))
}

// CountGoroutines takes those as they are in whose stack is a function whose name begins in one of these
// ways; without any, all.
func CountGoroutines(prefixes ...string) (*Goroutines, error) {
	p, err := snapshot(Goroutine)
	if err != nil {
		return nil, err
	}
	g := &Goroutines{byStack: map[string]int{}}
	var stack []frame
	for _, s := range p.Sample {
		stack = frames(s, stack)
		if len(prefixes) > 0 && owner(stack, prefixes) < 0 {
			continue
		}
		lines := make([]string, len(stack))
		for i, f := range stack {
			lines[i] = f.function + " " + f.place()
		}
		g.byStack[strings.Join(lines, "\n")] += int(s.Value[0])
	}
	return g, nil
}

// Count is how many there are.
func (g *Goroutines) Count() (n int) {
	for _, count := range g.byStack {
		n += count
	}
	return n
}

// More are those that g has and before hadn't, the most first. A goroutine of before that has gone on
// to another line is among them: it is their sum that says whether there are more.
func (g *Goroutines) More(before *Goroutines) []GoroutineStack {
	var more []GoroutineStack
	for stack, n := range g.byStack {
		if n -= before.byStack[stack]; n > 0 {
			more = append(more, GoroutineStack{n, strings.Split(stack, "\n")})
		}
	}
	slices.SortFunc(more, func(a, b GoroutineStack) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Frames, b.Frames))
	})
	return more
}
