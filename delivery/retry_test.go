package delivery

import (
	"fmt"
	"math/rand/v2"
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
