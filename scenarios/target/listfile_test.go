package target

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

func TestReadDevices(t *testing.T) {
	list, err := readDevices("d", strings.NewReader("127.0.0.1:80\nhttps://[::1]:8443/x till-17\n"))
	require.NoError(t, err)
	require.Equal(t, []delivery.Device{{Address: "http://127.0.0.1:80"},
		{ID: "till-17", Address: "https://[::1]:8443/x"}}, slices.Collect(list.All()))
	list, err = readDevices("d", strings.NewReader("\xff\xfea\x00:\x008\x000\x00\n\x00"))
	require.NoError(t, err, "UTF-16, as PowerShell writes it")
	require.Equal(t, []delivery.Device{{Address: "http://a:80"}}, slices.Collect(list.All()))
	for text, want := range map[string]string{
		"":                                  "devices d: holds no device",
		"# nobody\n":                        "devices d: holds no device",
		"127.0.0.1:80\nftp://x\n":           "devices d:2: device address",
		"127.0.0.1:80 a b\n":                "devices d:1: 3 words",
		"127.0.0.1:99999\n":                 "devices d:1: device address",
		"a\n" + strings.Repeat("x", 1<<17):  "devices d:2",
		"http://a:80\nb\nHTTP://A/\n":       "devices d:3: http://A/ is the device of line 1: want each once",
		"https://a/x\nhttps://a.:443/x/ id": "devices d:2: https://a.:443/x/ is the device of line 1",
		"[::1]:80\n[0:0:0:0:0:0:0:1]":       "devices d:2: http://[0:0:0:0:0:0:0:1] is the device of line 1",
		"127.0.0.1\n[::ffff:127.0.0.1]":     "devices d:2: http://[::ffff:127.0.0.1] is the device of line 1",
		"a/x\na/%78":                        "devices d:2: device address",
		"a/x#y":                             "devices d:1: device address",
	} {
		_, err := readDevices("d", strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}

// TestReadDevices_alike checks that addresses which look alike but differ are different devices.
func TestReadDevices_alike(t *testing.T) {
	list, err := readDevices("d", strings.NewReader("a/x/y\na/x\nA/X/y\nhttps://a/x/y\na:8080/x/y\n"))
	require.NoError(t, err)
	require.Equal(t, 5, list.Len())
}

// TestReadDevices_forms checks lists as editors and exports write them.
func TestReadDevices_forms(t *testing.T) {
	list, err := readDevices("d", strings.NewReader("\ufeffHTTP://127.0.0.1:80 till#7 # the first\r\n#comment\r\n\t# another\r\nHttpS://a/x\t#z\r\na:81\r\na:82"))
	require.NoError(t, err)
	require.Equal(t, []delivery.Device{
		{ID: "till#7", Address: "http://127.0.0.1:80"}, {Address: "https://a/x"}, {Address: "http://a:81"},
		{Address: "http://a:82"},
	}, slices.Collect(list.All()))
}

func FuzzReadDevices(f *testing.F) {
	f.Add("127.0.0.1:80 till # x\n\nhttps://[::1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readDevices("d", strings.NewReader(text))
		if err != nil {
			return
		}
		require.Positive(t, list.Len())
		for d := range list.All() {
			require.NoError(t, d.Validate())
		}
	})
}
