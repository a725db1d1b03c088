package delivery

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelay(t *testing.T) {
	r := Retry{Base: 100 * time.Millisecond, Cap: time.Second}
	for _, row := range []struct {
		n    int
		draw float64
		want time.Duration
	}{
		{1, 0, 0},
		{1, 0.5, 50 * time.Millisecond},
		{2, 0.5, 100 * time.Millisecond},
		{3, 0.5, 200 * time.Millisecond},
		{4, 0.5, 400 * time.Millisecond},
		{5, 0.5, 500 * time.Millisecond}, // 1.6 s is capped at 1 s
		{1000, 0.5, 500 * time.Millisecond},
		{1000, 0.25, 250 * time.Millisecond},
	} {
		require.Equal(t, row.want, r.Delay(row.n, row.draw), "retry %d, draw %v", row.n, row.draw)
	}
	long := Retry{Base: 24 * time.Hour, Cap: 24 * time.Hour}
	require.Equal(t, 12*time.Hour, long.Delay(maxAttempts, 0.5), "no overflow at the bounds")
}

func TestJitterIsFullAndSeeded(t *testing.T) {
	a, b := newDice(rand.NewPCG(1, 2)), newDice(rand.NewPCG(1, 2))
	sum := 0.0
	for range 10_000 {
		x := a.draw()
		require.Equal(t, x, b.draw())
		sum += x
	}
	require.InDelta(t, 0.5, sum/10_000, 0.02) // uniform: 0.5 ± 0.003
}

func TestRetryAfter(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	now := time.Date(1994, time.November, 6, 8, 49, 47, 0, time.UTC)
	for _, row := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", date, 0},
		{"0", date, 0},
		{"120", "", 2 * time.Minute},
		{"-1", date, 0},
		{"1.5", date, 0},
		{"soon", date, 0},
		{"99999999", date, maxRetryAfter},
		{"9223372037", date, maxRetryAfter}, // more nanoseconds than a time.Duration has
		{"99999999999999999999", date, maxRetryAfter},
		{strings.Repeat("9", 1000), "", maxRetryAfter},
		{"1\n120\n60", "", 2 * time.Minute}, // the longest of several
		{"5, 120", "", 2 * time.Minute},     // which a proxy may have joined
		{"120\nsoon", "", 2 * time.Minute},
		{"20\nSun, 06 Nov 1994 08:50:07 GMT", date, 30 * time.Second},
		{"Sun, 06 Nov 1994 08:50:07 GMT", date, 30 * time.Second},
		{"Sunday, 06-Nov-94 08:50:07 GMT", date, 30 * time.Second}, // the two obsolete forms, RFC 9110 §5.6.7
		{"Sun Nov  6 08:50:07 1994", date, 30 * time.Second},
		{"Sun, 06 Nov 1994 08:49:00 GMT", date, 0},
		{"Sun, 06 Nov 1999 08:49:37 GMT", date, maxRetryAfter},
		{"Sun, 06 Nov 1994 08:50:07 GMT", "", 20 * time.Second}, // without the device's date, by our clock
		{"Sun, 06 Nov 1994 08:50:07 GMT", "yesterday", 20 * time.Second},
	} {
		require.Equal(t, row.want, retryAfter([]byte(row.value), []byte(row.date), now), "%q at %q", row.value, row.date)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		if d := retryAfter([]byte(value), []byte(date), time.Unix(784111777, 0)); d < 0 || d > maxRetryAfter {
			t.Fatalf("%q at %q: %v is out of bounds", value, date, d)
		}
	})
}

func TestEveryClassHasOnePolicy(t *testing.T) {
	const fails, push, look, later = "the delivery fails", "push after backing off", "look at once", "look after Poll"
	want := map[Class][2]string{ // not sent, sent
		ClassUnknown:   {fails, fails},
		ClassNotSent:   {push, push},
		ClassTimeout:   {push, look},
		ClassAmbiguous: {push, look},
		ClassThrottled: {push, push},
		ClassConflict:  {later, later},
		ClassPending:   {later, later},
		ClassPermanent: {fails, fails},
		ClassProtocol:  {push, look},
		ClassIntegrity: {fails, fails},
		ClassCanceled:  {fails, fails},
		ClassRefused:   {look, look},
	}
	require.Len(t, want, int(numClasses))
	for class, actions := range want {
		for i, sent := range []bool{false, true} {
			_, a := settle(t, Retry{}.withDefaults(), &Error{Class: class, sent: sent})
			require.Equal(t, actions[i], a.String(), fmt.Sprintf("%v, sent %v", class, sent))
		}
	}
	_, a := settle(t, Retry{}.withDefaults(), nil)
	require.Equal(t, look, a.String())
}
