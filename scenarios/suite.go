package scenarios

import (
	"fmt"
	"path/filepath"
	"reflect"
)

// maxSuite bounds a suite.
const maxSuite = 100

// checkSuite reports what of a suite makes no sense. It has its members, and nothing of
// its own.
func (s Spec) checkSuite(bad func(field, format string, args ...any)) {
	if len(s.Suite) == 0 {
		return
	}
	if len(s.Suite) > maxSuite {
		bad("suite", "%d scenarios: want %d at most", len(s.Suite), maxSuite)
	}
	bare := Default()
	bare.Name, bare.Description, bare.Suite = s.Name, s.Description, s.Suite
	if !reflect.DeepEqual(s, bare) {
		bad("suite", "a suite runs its scenarios as they are: want nothing beside it but name and description")
	}
	seen := map[string]bool{}
	for i, name := range s.Suite {
		if name == "" || seen[name] {
			bad(indexed("suite", i), "%q: want each scenario once", name)
		}
		seen[name] = true
	}
}

// Members are the scenarios that a name or a file stands for: itself, or those of a suite.
// A suite's file names others relative to itself.
func Members(nameOrFile string) (suite string, members []string, err error) {
	s, err := Find(nameOrFile)
	if err != nil || len(s.Suite) == 0 {
		return "", []string{nameOrFile}, err
	}
	for _, name := range s.Suite {
		if isFile(name) && isFile(nameOrFile) && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(nameOrFile), name)
		}
		of, err := Find(name)
		if err != nil {
			return "", nil, fmt.Errorf("suite %s: %w", nameOrFile, err)
		}
		if len(of.Suite) > 0 {
			return "", nil, &UsageError{What: fmt.Sprintf("suite %s: %s is a suite itself: name its scenarios", nameOrFile, name)}
		}
		members = append(members, name)
	}
	return s.Name, members, nil
}
