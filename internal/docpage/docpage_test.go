package docpage

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const declarations = `package p

// T is a thing.
type T struct {
	// Better reports whether Count is | more
	// than in [Other.Count].
	Better bool ` + "`json:\"better_than,omitempty\"`" + `
	Count, Size int ` + "`json:\"-\"`" + `
	Names []Name ` + "`json:\"names\"`" + ` // what it is called
	U
	Parts *[]Other
	hidden int
}

type U struct { Of map[string]int ` + "`json:\"of\"`" + ` }

type Name string

type Other struct{ Count int }

// Some codes.
const (
	First Name = "first" // before Second
	Second Name = "second"
	// Another group.
	Third Name = "third" // none
)
`

func TestSource(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(declarations), 0o600))
	s := ReadSource(t, dir)
	require.Equal(t, "| field | type | what it is |\n|---|---|---|\n"+
		"| `better_than` | boolean | whether Count is \\| more than in Other.Count. |\n"+
		"| `names` | list of strings | what it is called |\n"+
		"| `of` | object |  |\n"+
		"| `Parts` | list of objects |  |\n", s.FieldTable(t, "T"))
	require.Equal(t, "| field | type | what it is |\n|---|---|---|\n"+
		"| `Better` | `bool` | whether Count is \\| more than in Other.Count. |\n"+
		"| `Count`, `Size` | `int` |  |\n"+
		"| `Names` | `[]Name` | what it is called |\n"+
		"| `Parts` | `*[]Other` |  |\n", s.StructTable(t, "T"))
	require.Equal(t, []Constant{
		{"first", "before `second`", "Some codes."}, {"second", "", "Some codes."}, {"third", "none", "Another group."},
	}, s.Constants(t, "Name"))
}

func TestReplacePart(t *testing.T) {
	page := "# Page\n\n<!-- begin a: x -->\nold\n<!-- end a -->\n\nby hand\n\n<!-- begin b: y -->\n<!-- end b -->\n"
	got, err := replacePart(page, "a", "written by TestA", "new\n")
	require.NoError(t, err)
	require.Equal(t, "# Page\n\n<!-- begin a: written by TestA -->\n\nnew\n\n<!-- end a -->\n\nby hand\n\n<!-- begin b: y -->\n<!-- end b -->\n", got)
	again, err := replacePart(got, "a", "written by TestA", "new")
	require.NoError(t, err)
	require.Equal(t, got, again)
	for _, broken := range []string{"", "<!-- begin a: x -->\n", "<!-- end a -->\n"} {
		_, err := replacePart(broken, "a", "", "")
		require.Error(t, err)
	}
}

func TestFirstDifference(t *testing.T) {
	require.Equal(t, `Line 2 is "b", and must be "c"`, firstDifference("a\nb\n", "a\nc\n"))
	require.Equal(t, `Line 3 is the end, and must be "c"`, firstDifference("a\nb", "a\nb\nc"))
}
