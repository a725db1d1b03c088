package delivery

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConfigErrorsNameTheThing(t *testing.T) {
	for want, cfg := range map[string]Config{
		`transport "quic": want lean or nethttp`:  {Transport: "quic"},
		"timeouts.dial -1s: want 0":               {Timeouts: Timeouts{Dial: -time.Second}},
		"timeouts.total 25h0m0s: want 0":          {Timeouts: Timeouts{Total: 25 * time.Hour}},
		"max idle -1: want 0":                     {MaxIdle: -1},
		"max answer 16777217: want 0":             {MaxAnswer: 16<<20 + 1},
		"retry.max_attempts -1: want 0":           {Retry: Retry{MaxAttempts: -1}},
		"retry.base -1ns: want 0":                 {Retry: Retry{Base: -1}},
		"retry.good_reads -1: want 0":             {Retry: Retry{GoodReads: -1}},
		"budget.share -2: want -1":                {Budget: RetryBudget{Share: -2}},
		"budget.per_second 1e+07: want -1":        {Budget: RetryBudget{PerSecond: 1e7}},
		"budget.ttl -1ns: want 0":                 {Budget: RetryBudget{TTL: -1}},
		"breaker.failures -2: want -1":            {Breaker: Breaker{Failures: -2}},
		"breaker.cool_down -1ns: want 0":          {Breaker: Breaker{CoolDown: -1}},
		"breaker.devices -1: want 0":              {Breaker: Breaker{Devices: -1}},
		"expect from -1: want 0":                  {ExpectFrom: -1},
		"least_progress.per_second -2: want -1":   {Timeouts: Timeouts{LeastProgress: LeastProgress{PerSecond: -2}}},
		"least_progress.window -1ns: want 0":      {Timeouts: Timeouts{LeastProgress: LeastProgress{Window: -1}}},
		"round tripper: transport lean has none":  {RoundTripper: func(rt http.RoundTripper) http.RoundTripper { return rt }},
		"header Content-Length is set by":         {Header: http.Header{"content-length": {"1"}}},
		"header X-Device-Id is set by":            {Header: http.Header{"x-device-id": {"1"}}},
		`header name "a b": want`:                 {Header: http.Header{"a b": {"1"}}},
		"header Authorization: value (not shown)": {Header: http.Header{"Authorization": {"s3\r\ncret"}}},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "cret")
	}
	many := http.Header{}
	for i := range maxHeaders + 1 {
		many.Set(fmt.Sprint("X-", i), "1")
	}
	_, err := New(Config{Header: many})
	require.ErrorContains(t, err, fmt.Sprintf("%d headers: want at most %d", maxHeaders+1, maxHeaders))
	_, err = New(Config{Transport: "quic", MaxIdle: -1})
	require.ErrorContains(t, err, "quic")
	require.ErrorContains(t, err, "max idle", "every mistake at once")
}

func TestConfigNeverShowsASecret(t *testing.T) {
	cfg := Config{Header: http.Header{"Authorization": {"Bearer s3cret"}}, TLS: &tls.Config{ServerName: "s3cret"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, cfg), "s3cret", verb)
		require.NotContains(t, fmt.Sprintf(verb, &cfg), "s3cret", verb)
		require.Contains(t, fmt.Sprintf(verb, cfg), "Authorization=(hidden)", verb)
	}
}

func TestTLSIsNeverOlderThan12(t *testing.T) {
	given := &tls.Config{MinVersion: tls.VersionTLS10}
	got := Config{TLS: given}.withDefaults()
	require.EqualValues(t, tls.VersionTLS12, got.TLS.MinVersion)
	require.EqualValues(t, tls.VersionTLS10, given.MinVersion, "the caller's is not touched")
	require.False(t, got.TLS.InsecureSkipVerify)
	require.EqualValues(t, tls.VersionTLS12, Config{}.withDefaults().TLS.MinVersion)
}

func TestHeaderNamedTwice(t *testing.T) {
	_, err := New(Config{Header: http.Header{"Authorization": {"a"}, "authorization": {"s3cret"}}})
	require.ErrorContains(t, err, "header Authorization is there twice")
	require.NotContains(t, err.Error(), "s3cret")
}
