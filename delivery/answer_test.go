package delivery

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// seeds are answers near the limits of what the fast parser accepts.
var seeds = []string{
	`{"success":true,"message":"applied","size":65536,"digest":"ab"}`,
	`{"device_id":"d","version":"2","digest":"ab","state":"idle","updated_at":"2026-01-01T00:00:00Z"}`,
	`{}`, ` { } `, `{"success":true}x`, `{"success":true,}`, `{"success":nulll}`,
	`{"success":null,"size":null,"digest":null}`,
	`{"Success":true}`, `{"ſuccess":true}`, `{"size":01}`, `{"size":1.0}`, `{"size":1e3}`, `{"size":-1}`,
	`{"size":9223372036854775807}`,
	`{"size":999999999999999999}`, `{"message":"a\"b"}`, `{"message":"é"}`, "{\"message\":\"\xff\"}",
	"{\"message\":\"a\nb\"}", `{"message":3}`,
	`{"other":{"a":[1]},"success":true}`, `{"other":[],"success":true}`, `{"success":true,"success":false}`, `[1]`,
	`null`, `true`, ``, `{"a"`, `{"success":t`,
	`{"digest":"A","digest":null}`, `{"Version":"2"}`, `{"state":7}`, `{"success":`, "\ufeff{}",
	`{"success" : true , "size" : 7}`, `{"state":"idle"}`,
}

// FuzzAnswers checks that an answer means what encoding/json says it means, whichever parser reads
// it.
func FuzzAnswers(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var update updateView
		err := update.parse(b)
		var wantUpdate wire.UpdateAnswer
		wantErr := json.Unmarshal(b, &wantUpdate)
		require.Equal(t, wantErr == nil, err == nil, "%q: %v, encoding/json: %v", b, err, wantErr)
		if err == nil {
			require.Equal(t, wantUpdate, wire.UpdateAnswer{Success: update.success, Message: string(update.message),
				Size: update.size, Digest: string(update.digest)}, "%q", b)
		}

		var version versionView
		err = version.parse(b)
		var want wire.VersionAnswer
		wantErr = json.Unmarshal(b, &want)
		require.Equal(t, wantErr == nil, err == nil, "%q: %v, encoding/json: %v", b, err, wantErr)
		if err == nil {
			require.Equal(t, want, wire.VersionAnswer{
				DeviceID: string(version.deviceID), Version: string(version.version), Digest: string(version.digest),
				State: wire.State(version.state), UpdatedAt: string(version.updatedAt),
			}, "%q", b)
		}
	})
}

func TestUsualAnswersTakeTheFastParser(t *testing.T) {
	var update updateView
	require.True(t, update.fast([]byte(seeds[0])))
	var version versionView
	require.True(t, version.fast([]byte(seeds[1])))
	require.False(t, update.fast([]byte(`{"message":"a\"b"}`)), "an escape is left to encoding/json")
}
