package command

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestName(t *testing.T) {
	for command, want := range map[string]string{
		"./bin/push --rate=1":                       "push",
		"./push 1.5 127.0.0.1:9000":                 "push",
		"./push -config prod.yaml http://host/x.js": "push",
		"./push -config prod.yaml {devices}.csv":    "push",
		"/opt/rollout.sh a.py":                      "rollout.sh",
		"python3 -u clients/push.py --fast":         "push.py",
		"/usr/bin/java -jar client.jar":             "client.jar",
		"/usr/bin/env -i TZ=UTC bin/push x":         "push",
		"env A=b":                                   "env",
		"sh -c ./a.py;":                             "sh",
	} {
		require.Equal(t, want, Name(strings.Fields(command)), command)
	}
	require.Equal(t, "my-client", Word(Name([]string{"my client"})))
	require.Equal(t, "sh", Name([]string{"sh", "-c", "exec curl http://h/x.y; a.py; true"}))
}

func TestRedactor(t *testing.T) {
	r := Redactor(http.Header{"Authorization": {`Bearer tok"en-of-the-fleet`}, "X-Stage": {"", "a b"}})
	for text, want := range map[string]string{
		`Bearer tok"en-of-the-fleet.`: "***.", `token tok"en-of-the-fleet`: "token ***",
		`{"Authorization":["Bearer tok\"en-of-the-fleet"]}`: `{"Authorization":["***"]}`,
		"a b": "***", "Bearer b": "Bearer b",
	} {
		require.Equal(t, want, r.Replace(text))
	}
	require.Equal(t, "Bearer", Redactor(nil).Replace("Bearer"))
}

func TestLastLine(t *testing.T) {
	secrets := Redactor(http.Header{"X-Token": {"s3cret"}})
	long := strings.Repeat("x", 3*MaxShown)
	for name, row := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"none":                            {"", 100, ""},
		"one":                             {"no route", 100, "no route"},
		"the last of several":             {"first\nno s3cret\tleft", 100, "no *** left"},
		"it is clipped":                   {"first\n" + long, 10_000, long[:MaxShown-1] + "…"},
		"its beginning may be a secret's": {"cret" + long, 800, long[:MaxShown]},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, LastLine(row.text, row.limit, secrets))
		})
	}
}
