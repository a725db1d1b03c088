package delivery

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHead: whatever passes for a device, a version and a header, net/http reads the
// request as it was meant, and nothing more.
func FuzzHead(f *testing.F) {
	f.Add("till-17", "http://till:8080/d/7", "2.0.0", "Bearer abc")
	f.Add("größe", "https://[::1]", "2.0 beta", "")
	f.Add("a\r\nX-Evil: 1", "http://a/\r\n", "2\x00", "b\r\nc")
	f.Fuzz(func(t *testing.T, id, address, version, secret string) {
		d, cfg := Device{ID: id, Address: address}, Config{Header: http.Header{"Authorization": {secret}}}
		to, err := d.target()
		if err != nil || cfg.Validate() != nil {
			return
		}
		a, err := ArtifactFromBytes([]byte("x"))
		require.NoError(t, err)
		u, err := NewUpdate(version, a)
		if err != nil {
			return
		}
		x := exchange{to: to}
		native{}.askPush(&x, d, u)
		out := bytes.NewBuffer(newLean(cfg.withDefaults(), &counters{}).appendHead(nil, &x))
		out.WriteByte('x')
		r, err := http.ReadRequest(bufio.NewReader(out))
		require.NoError(t, err, "%q", out.Bytes())
		require.Equal(t, "POST", r.Method)
		require.Equal(t, to.PathPrefix+"/update", r.RequestURI)
		require.Equal(t, to.Host, r.Host)
		require.Equal(t, id, r.Header.Get("X-Device-Id"))
		require.Equal(t, version, r.Header.Get("X-Update-Version"))
		require.EqualValues(t, 1, r.ContentLength)
		require.LessOrEqual(t, len(r.Header), 8)
		require.Equal(t, "x", bodyOf(r))
		require.Zero(t, out.Len())
	})
}
