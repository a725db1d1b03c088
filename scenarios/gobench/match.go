package gobench

import (
	"fmt"
	"regexp"
	"strings"
)

// Matches reports whether go test -bench=pattern runs the benchmark with a name such as
// "BenchmarkPush/size=1KiB". As in the testing package, "|" outside of brackets separates
// alternatives, and slashes separate expressions for the parts of the name between slashes.
func Matches(pattern, name string) (bool, error) {
	parts := strings.Split(name, "/")
	matched := false
	for _, alternative := range splitOutside(pattern, '|') {
		fits := true
		for i, expr := range splitOutside(alternative, '/') {
			re, err := regexp.Compile(strings.ReplaceAll(expr, " ", "_"))
			if err != nil {
				return false, fmt.Errorf("%q: %w", pattern, err)
			}
			fits = fits && (i >= len(parts) || re.MatchString(parts[i]))
		}
		matched = matched || fits
	}
	return matched, nil
}

// splitOutside splits a regular expression at a character, unless that is in brackets or escaped.
func splitOutside(expr string, at byte) []string {
	var parts []string
	class, group, begin := 0, 0, 0
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			i++
		case c == '[':
			class++
		case c == ']':
			class = max(0, class-1)
		case c == '(' && class == 0:
			group++
		case c == ')' && class == 0:
			group--
		case c == at && class == 0 && group == 0:
			parts = append(parts, expr[begin:i])
			begin = i + 1
		}
	}
	return append(parts, expr[begin:])
}
