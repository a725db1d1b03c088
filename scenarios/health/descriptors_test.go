package health

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescriptorNeed(t *testing.T) {
	for _, row := range []struct {
		c             Connections
		minimum, want int
	}{
		{Connections{Workers: 8}, 80, 584},                   // 8+8+64; 8+512+64
		{Connections{Workers: 600}, 1264, 1264},              // an idle connection for each worker
		{Connections{Workers: 8, MaxIdle: 100}, 172, 172},    // never fewer than asked for
		{Connections{Workers: 8, MaxWorkers: 4096}, 80, 584}, // only the first workers count
	} {
		minimum, want := row.c.DescriptorNeed()
		require.Equal(t, []int{row.minimum, row.want}, []int{minimum, want}, "%+v", row.c)
	}
}

// TestFit checks sums worked out by hand. 64 descriptors are reserved.
func TestFit(t *testing.T) {
	for name, row := range map[string]struct {
		c             Connections
		limit         uint64
		perConnection int
		want          Connections
		need          uint64 // in the error; 0: no error
	}{
		"room for all":     {Connections{Workers: 8, MaxWorkers: 8}, 1024, 1, Connections{8, 8, 512}, 0},
		"unknown limit":    {Connections{Workers: 8, MaxWorkers: 8}, 0, 1, Connections{8, 8, 512}, 0},
		"an idle one each": {Connections{Workers: 700, MaxWorkers: 700}, 4096, 1, Connections{700, 700, 700}, 0},
		"fewer idle":       {Connections{Workers: 8, MaxWorkers: 8}, 256, 1, Connections{8, 8, 184}, 0}, // 256-64-8
		"fewer idle, both ends": {Connections{Workers: 8, MaxWorkers: 8}, 256, 2, Connections{8, 8, 88},
			0}, // (256-64-16)/2
		"just enough":           {Connections{Workers: 8, MaxWorkers: 8}, 80, 1, Connections{8, 8, 8}, 0}, // 8+8+64
		"one too few":           {Connections{Workers: 8, MaxWorkers: 8}, 79, 1, Connections{}, 80},       //
		"too few for both ends": {Connections{Workers: 8, MaxWorkers: 8}, 80, 2, Connections{}, 96},       // 2*(8+8)+64
		"as asked for":          {Connections{Workers: 8, MaxWorkers: 8, MaxIdle: 100}, 172, 1, Connections{8, 8, 100}, 0},
		"fewer than asked for":  {Connections{Workers: 8, MaxWorkers: 8, MaxIdle: 100}, 171, 1, Connections{}, 172},
		"auto, room for all":    {Connections{Workers: 32, MaxWorkers: 4096}, 65536, 1, Connections{32, 4096, 1024}, 0},
		"auto, fewer workers": {Connections{Workers: 32, MaxWorkers: 4096}, 1064, 1, Connections{32, 500, 500},
			0}, // (1064-64)/2
		"auto, idle as asked for": {Connections{Workers: 32, MaxWorkers: 4096, MaxIdle: 100}, 1064, 1,
			Connections{32, 900, 100}, 0},
		"auto, unknown limit": {Connections{Workers: 32, MaxWorkers: 4096}, 0, 1, Connections{32, 4096, 1024}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.c.Fit(row.limit, row.perConnection)
			if row.need > 0 {
				require.EqualError(t, err, fmt.Sprintf("%d file descriptors are needed, the limit is %d: raise it (ulimit -n %[1]d)", row.need, row.limit))
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
}
