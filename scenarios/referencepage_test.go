package scenarios

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
)

// TestReferencePage compares the page of all fields in docs with the table of fields.
func TestReferencePage(t *testing.T) {
	docpage.Check(t, "reference/scenario.md", "fields", Reference())
}

// TestExamples checks that every field except mappings has an example that can be set, is within
// the bounds, and differs from the field's default.
func TestExamples(t *testing.T) {
	fields := 0
	var walk func(s *Spec, path string, of reflect.Type)
	walk = func(s *Spec, path string, of reflect.Type) {
		for _, f := range sections()[of].fields {
			at := yamlnode.Join(path, f.Key)
			member, _, wrong := fieldAt(reflect.ValueOf(s).Elem(), at)
			require.Nil(t, wrong)
			switch {
			case f.isMapping():
				walk(s, at, f.Type)
				continue
			case f.isList() && f.member().isMapping():
				member.Set(reflect.MakeSlice(f.Type, 1, 1))
				walk(s, indexPath(at, 0), f.Type.Elem())
				continue
			}
			fields++
			examples := f.examples(member)
			require.NotEmpty(t, examples, at)
			for _, example := range examples {
				require.NoError(t, s.Set(at+"="+example))
				v, _, _ := fieldAt(reflect.ValueOf(s).Elem(), at)
				if v.Kind() == reflect.Pointer {
					v = v.Elem()
				}
				require.False(t, isZero(v), "%s=%s", at, example)
				require.Nil(t, f.check(v), "%s=%s", at, example)
			}
		}
	}
	s := Default()
	walk(&s, "", reflect.TypeFor[Spec]())
	require.Greater(t, fields, 80)
}
