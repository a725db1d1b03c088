package stack

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsOwn(t *testing.T) {
	for _, c := range []struct {
		function, prefix string
		want             bool
	}{
		{"example.com/acme.Push", "example.com/acme.", true},
		{"example.com/acme/lines.Read", "example.com/acme/", true},
		{"example.com/acmes.Push", "example.com/acme.", false},
		{"gopkg.in/acme%2ev3.(*Client).Push", "gopkg.in/acme.v3.", true},
		{"gopkg.in/acme%2ev3.(*Client).Push", "gopkg.in/acme%2ev3.", true},
		{"gopkg.in/acme%2ev3.(*Client).Push", "gopkg.in/acme.v3.(*Client)", false}, // no path and a dot
		{"gopkg.in/acme%2ev3.Push", "gopkg.in/acme.", false},
		{"gopkg.in/acme%2ev3x.Push", "gopkg.in/acme.v3.", false},
		{"gopkg.in/acme.v3/lines.Read", "gopkg.in/acme.v3/", true},
		{"acme%2edev.Push", "acme.dev.", true},
		{"main.push", "main.", true},
	} {
		require.Equal(t, c.want, IsOwn(c.function, []string{"nothing.", c.prefix}), "%s by %s", c.function, c.prefix)
	}
}
