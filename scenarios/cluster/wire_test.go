package cluster

import (
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A wire is a way to the server that can be cut, and on which a test sees what its user says.
type wire struct {
	listener net.Listener
	server   string
	working  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	down  bool
	on    *regexp.Regexp // what the test waits for; nil if it is waiting for nothing
	do    func()
	held  chan struct{} // closed when what the server says passes again; nil while it passes
}

// wire returns a way to the server. It ends with the test.
func (c *testCluster) wire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: l, server: strings.TrimPrefix(c.server.URL(), "nats://")}
	w.working.Go(w.accept)
	t.Cleanup(func() {
		w.cut()
		w.release()
		w.working.Wait()
	})
	return w
}

func (w *wire) url() string { return "nats://" + w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, client, server)
		if w.down {
			_, _ = client.Close(), server.Close()
		}
		w.mu.Unlock()
		w.working.Go(func() { w.pass(client, server, w.heard) })
		w.working.Go(func() { w.pass(server, client, w.wait) })
	}
}

// pass passes on what comes from one side, each part after seen has seen it.
func (w *wire) pass(from, to net.Conn, seen func([]byte)) {
	defer func() { _, _ = from.Close(), to.Close() }()
	for buffer := make([]byte, 1<<20); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		seen(buffer[:n])
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// heard does what is to be done when the user says something.
func (w *wire) heard(part []byte) {
	w.mu.Lock()
	do := w.do
	if w.on == nil || !w.on.Match(part) {
		do = nil
	} else {
		w.on = nil
	}
	w.mu.Unlock()
	if do != nil {
		do()
	}
}

// wait waits while what the server says is held.
func (w *wire) wait([]byte) {
	w.mu.Lock()
	held := w.held
	w.mu.Unlock()
	if held != nil {
		<-held
	}
}

// when has something done as soon as the user says what matches, before the server hears it.
func (w *wire) when(says string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on, w.do = regexp.MustCompile(says), do
}

// cut closes the connection, as if its user had died. No other can be opened.
func (w *wire) cut() {
	_ = w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}

// hold holds what the server says until release is called.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = make(chan struct{})
}

func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		close(w.held)
		w.held = nil
	}
}

// eventually waits for a condition. Only a hang reaches the time limit.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, 5*time.Millisecond, what)
}
