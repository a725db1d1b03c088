package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInterference_Excess(t *testing.T) {
	for _, c := range []struct {
		name string
		i    *Interference
		want string
	}{
		{"not known", nil, ""},
		{"at rest", &Interference{OthersFraction: 0.02, StolenFraction: 0.01}, ""},
		{"just within", &Interference{OthersFraction: 0.10, StolenFraction: 0.10}, ""},
		{"a build beside it", &Interference{OthersFraction: 0.45}, "other processes used 45% of all cores"},
		{"busy neighbors", &Interference{StolenFraction: 0.2}, "the hypervisor took 20%"},
		{"both", &Interference{OthersFraction: 0.5, StolenFraction: 0.2},
			"other processes used 50% of all cores and the hypervisor took 20%"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.i.Excess()) })
	}
}
