package opcost

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDeliveryComponents_nameFunctions looks each name up in the table of function names that every
// Go program contains for stack traces, where a zero byte precedes each name. It fails for a name
// that no function begins with, such as the old name of a renamed function.
func TestDeliveryComponents_nameFunctions(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	program, err := os.ReadFile(path)
	require.NoError(t, err)
	isFunction := func(prefix string) bool { return bytes.Contains(program, []byte("\x00"+prefix)) }
	require.True(t, isFunction("runtime.main"))
	require.False(t, isFunction(deliveryPackage+"(*renamed)."))
	for _, c := range DeliveryComponents() {
		for _, prefix := range c.Prefixes {
			require.Truef(t, isFunction(prefix), "component %s: no function's name begins with %s", c.Name, prefix)
		}
	}
}
