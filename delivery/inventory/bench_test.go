//go:build unix

package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// BenchmarkJSONLines reads 100,000 devices of 2,000 sites. cpu-ns/device is
// processor time, garbage collection included.
func BenchmarkJSONLines(b *testing.B) {
	const devices = 100_000
	var text strings.Builder
	for i := range devices {
		fmt.Fprintf(&text, `{"id":"till-%07d","address":"http://10.%d.%d.%d:8080","location":"Oslo %d","version":"2.0.%d","labels":{"site":"site-%d","kind":"till","ring":"%d"}}`+"\n",
			i, i>>16, i>>8&255, i&255, i%500, i%5, i%2000, i%4)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	before := osinfo.ProcessorTime()
	for b.Loop() {
		r, err := Read(strings.NewReader(text.String()), "devices.jsonl", Options{})
		if err != nil || r.Len() != devices {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(osinfo.ProcessorTime()-before)/float64(b.N)/devices, "cpu-ns/device")
}
