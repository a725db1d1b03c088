package profiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// WriteFiles writes the explanation into a directory, as explain.txt and explain.json, and as
// flame.html the flame graph of the difference between the profiles base and now. It returns the
// file of the flame graph. If pprof can't draw that, flameErr says why and err is nil: the
// explanation is known without it.
func (e *Explanation) WriteFiles(
	ctx context.Context, dir string, base, now []string, o FlameOptions,
) (flame string, flameErr, err error) {
	var text, page bytes.Buffer
	if err := e.WriteText(&text); err != nil {
		return "", nil, err
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", nil, err
	}
	err = errors.Join(
		atomicfile.Write(filepath.Join(dir, "explain.txt"), text.Bytes()),
		atomicfile.Write(filepath.Join(dir, "explain.json"), append(data, '\n')))
	if err != nil {
		return "", nil, err
	}
	if _, err := Flame(ctx, &page, base, now, o); err != nil { // its notes are in the page
		return "", err, ctx.Err() // pprof's pages want a home directory, which a container may lack
	}
	flame = filepath.Join(dir, "flame.html")
	return flame, nil, atomicfile.Write(flame, page.Bytes())
}
