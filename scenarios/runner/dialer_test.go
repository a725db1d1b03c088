package runner

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// TestDialerCountsWhatIsOurs checks that an error is counted if this machine lacked something, but
// not if the peer refused the connection.
func TestDialerCountsWhatIsOurs(t *testing.T) {
	for err, want := range map[syscall.Errno]dialErrors{
		syscall.EADDRNOTAVAIL: {noPort: 1},
		syscall.EMFILE:        {noDescriptor: 1},
		syscall.ENFILE:        {noDescriptor: 1},
		syscall.ECONNREFUSED:  {},
	} {
		d := &dialer{net: net.Dialer{Control: func(string, string, syscall.RawConn) error { return err }}}
		_, failed := d.dial(t.Context(), "tcp", "127.0.0.1:9")
		require.ErrorIs(t, failed, err)
		require.Equal(t, want, d.errors(), "%v", err)
	}
}

// TestNoPortsMakeTheRunInvalid checks that the run gives this reason besides the failures, however
// the transport reports the error.
func TestNoPortsMakeTheRunInvalid(t *testing.T) {
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		t.Run(string(transport), func(t *testing.T) {
			d := &dialer{net: net.Dialer{Control: func(string, string, syscall.RawConn) error { return syscall.EADDRNOTAVAIL }}}
			s := small()
			s.Client.Transport = transport
			cfg := s.Client.Config()
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				return d.dial(ctx, network, address)
			}
			client, err := delivery.New(cfg)
			require.NoError(t, err)
			defer client.Close()
			a, err := openArtifact(t.Context(), s)
			require.NoError(t, err)
			defer func() { require.NoError(t, a.Close()) }()
			u, err := delivery.NewUpdate("2.0.0", a)
			require.NoError(t, err)
			require.Equal(t, delivery.ClassNotSent,
				delivery.ClassOf(client.Push(t.Context(), delivery.Device{Address: "http://127.0.0.1:9"}, u)))
			require.Equal(t, dialErrors{noPort: 1}, d.errors())
		})
	}
}

// TestBarrier checks that all workers wait for the last one, which may call done instead of wait.
func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dialer{}
		b := d.hold(3)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { b.wait(t.Context()) })
		}
		synctest.Wait()
		select {
		case <-b.all:
			t.Fatal("they didn't wait for the third")
		default:
		}
		b.done(1)
		all.Wait()

		// A worker that waits in vain returns when its context ends.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.hold(2).wait(ctx)
		require.Error(t, ctx.Err())

		// A release ends the waits of workers that still wait.
		b = d.hold(3)
		all.Go(func() { b.wait(t.Context()) })
		synctest.Wait()
		d.release()
		all.Wait()
		b.done(1)
	})
}
