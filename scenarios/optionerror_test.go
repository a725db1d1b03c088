package scenarios

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOptionErrorText(t *testing.T) {
	refused := errors.New("connection refused")
	for _, row := range []struct {
		err         OptionError
		plain, flag string
	}{
		{OptionError{Option: "Target.Address", Problem: "the address (not shown) holds a password",
			Want: "want http://HOST:PORT"},
			"Target.Address: the address (not shown) holds a password: want http://HOST:PORT",
			"--target.address: the address (not shown) holds a password: want http://HOST:PORT"},
		{OptionError{Option: "Target.Address", Value: "http://a:1", Problem: "it has 3 devices, the scenario 5",
			Want: "use {fleet.devices} 3, or a larger fleet"},
			"Target.Address http://a:1: it has 3 devices, the scenario 5: use fleet.devices 3, or a larger fleet",
			"--target.address http://a:1: it has 3 devices, the scenario 5: use --fleet.devices 3, or a larger fleet"},
		{OptionError{Option: "Target.Control", Value: "http://a:2", Err: refused},
			"Target.Control http://a:2: connection refused", "--target.control http://a:2: connection refused"},
		{OptionError{Option: "Target.Profile", Problem: "scenario {x y} has no profiled repetition",
			Want: "add {profiled} 1"},
			"Target.Profile: scenario {x y} has no profiled repetition: add profiled 1",
			"--target.profile: scenario {x y} has no profiled repetition: add --profiled 1"},
		{OptionError{Option: "load.workers", Value: "4 and client.max_idle 5", Problem: "too many", Err: refused},
			"load.workers 4 and client.max_idle 5: too many: connection refused",
			"--load.workers 4 and client.max_idle 5: too many: connection refused"},
	} {
		require.Equal(t, row.plain, row.err.Error())
		require.Equal(t, row.flag, row.err.Text(func(option string) string { return "--" + strings.ToLower(option) }))
		require.Equal(t, row.err.Err, errors.Unwrap(&row.err))
	}
}
