package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/pacing"
)

// TestBudget has a budget of one retry a second and half of the successes, over 10 s.
func TestBudget(t *testing.T) {
	type step struct {
		at        int // seconds
		successes int
		retries   int // asked for
		granted   int
		left      float64
	}
	for name, steps := range map[string][]step{
		"the floor":               {{0, 0, 12, 10, 0}, {9, 0, 1, 0, 0}, {10, 0, 12, 10, 0}},
		"a share of successes":    {{0, 20, 30, 20, 0}, {9, 2, 2, 1, 0}},
		"successes are forgotten": {{0, 20, 0, 0, 20}, {9, 0, 0, 0, 20}, {10, 0, 0, 0, 10}},
		"retries are forgotten":   {{0, 0, 4, 4, 6}, {5, 0, 4, 4, 2}, {10, 0, 0, 0, 6}, {15, 0, 0, 0, 10}},
		"a long quiet time":       {{0, 100, 60, 60, 0}, {1_000_000, 0, 11, 10, 0}},
		"half a retry is none":    {{0, 1, 11, 10, 0.5}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1_000_000, 0)
			b := newBudget(RetryBudget{Share: 0.5, PerSecond: 1, TTL: 10 * time.Second}, start)
			for _, s := range steps {
				now := start.Add(time.Duration(s.at) * time.Second)
				for range s.successes {
					b.success(now)
				}
				granted := 0
				for range s.retries {
					if b.retry(now) {
						granted++
					}
				}
				require.Equal(t, s.granted, granted, "%+v", s)
				require.InDelta(t, s.left, b.balance(now), 1e-9, "%+v", s)
			}
		})
	}
}

func TestBudgetLimits(t *testing.T) {
	require.Equal(t, RetryBudget{Share: 0.2, PerSecond: 10, TTL: 10 * time.Second}, RetryBudget{}.withDefaults())
	require.Equal(t, RetryBudget{TTL: time.Second}, RetryBudget{Share: -1, PerSecond: -1, TTL: time.Second}.withDefaults())
	now := time.Unix(0, 0)
	none, off := newBudget(RetryBudget{Share: -1, PerSecond: -1}.withDefaults(),
		now), newBudget(RetryBudget{Off: true}.withDefaults(), now)
	require.False(t, none.retry(now))
	for range 10_000 {
		require.True(t, off.retry(now))
	}
}

// TestBudgetOfAFleet checks that the retries of a fleet stay within the budget, however many
// devices fail and however often each may be retried.
func TestBudgetOfAFleet(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		dev := scriptedDevice(t, func(_, _ int, r *http.Request) string {
			if r.Method == http.MethodPost {
				return deliverytest.JSONAnswer("503 Busy", "{}")
			}
			return deliverytest.Good(r)
		})
		cfg.Retry.MaxAttempts = 100
		cfg.Budget = RetryBudget{PerSecond: 1.0 / 360, TTL: time.Hour} // ten retries
		c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := c.Deliver(t.Context(), dev, u)
				if ClassOf(err) != ClassThrottled {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s := c.Stats()
		require.EqualValues(t, []uint64{10, 20, 0, 30}, []uint64{s.Retries, s.RetriesRefused, s.RetriesLeft, s.Requests})
		_, err := c.Deliver(t.Context(), dev, u)
		require.ErrorIs(t, err, ErrRetryBudget)
		require.NotErrorIs(t, err, ErrQuarantined)
		require.ErrorContains(t, err, "the retry budget is empty")
	})
}

// TestDeliveriesFillTheBudget checks that five successes at a share of a fifth allow one retry.
func TestDeliveriesFillTheBudget(t *testing.T) {
	dev := newTestDevice(t)
	c := newClient(t, Config{Budget: RetryBudget{PerSecond: -1, TTL: time.Hour}})
	for range 5 {
		_, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, c.Stats().RetriesLeft)
}

func TestBudgetServesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBudget(RetryBudget{PerSecond: 0.2, Share: 0.5, TTL: 10 * time.Second}, began) // two at first
		require.True(t, b.refills())
		require.Equal(t, []bool{true, true, false}, []bool{b.retry(began), b.retry(began), b.retry(began)})
		var mu sync.Mutex
		var all []string
		served := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all)
		}
		wait := func(name string, ctx context.Context) {
			go func() {
				text := name + " not"
				if b.await(ctx) {
					text = fmt.Sprint(name, " ", time.Since(began))
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, text)
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		wait("a", t.Context())
		require.True(t, b.isAwaited())
		wait("b", ctx)
		wait("c", t.Context())
		wait("d", t.Context())
		pacing.Wait(t.Context(), 3*time.Second, nil)
		b.success(time.Now())
		synctest.Wait()
		require.Empty(t, served(), "half a retry is none")
		b.success(time.Now())
		synctest.Wait()
		require.Equal(t, []string{"a 3s"}, served())
		cancel()
		synctest.Wait()
		require.Equal(t, []string{"a 3s", "b not"}, served())
		pacing.Wait(t.Context(), time.Minute, nil)
		require.ElementsMatch(t, []string{"a 3s", "b not", "c 10s", "d 10s"}, served(), "the last two at the same time")
		require.False(t, b.isAwaited())
	})
	for limits, want := range map[RetryBudget]bool{
		{PerSecond: 0.1, TTL: 10 * time.Second}: true, {PerSecond: 0.09, TTL: 10 * time.Second}: false,
		{Share: 1, TTL: 10 * time.Second}: false, {Off: true}: true,
	} {
		require.Equal(t, want, newBudget(limits, time.Now()).refills(), "%+v", limits)
	}
}
