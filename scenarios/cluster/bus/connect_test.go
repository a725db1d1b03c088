package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// TestConnect_refusesURLs checks each URL that is refused before anything is sent.
func TestConnect_refusesURLs(t *testing.T) {
	leaks(t)
	for url, want := range map[string]string{
		"":                            "no URL of a NATS server: give one such as nats://127.0.0.1:4242",
		"127.0.0.1:4242":              "want one such as nats://127.0.0.1:4242",
		"http://127.0.0.1:4242":       `URL "http://127.0.0.1:4242": want nats://HOST:PORT or tls://HOST:PORT`,
		"nats://127.0.0.1:4242/x":     "want nats://HOST:PORT or tls://HOST:PORT",
		"nats://:4242":                "want nats://HOST:PORT or tls://HOST:PORT",
		"nats://me:pw@127.0.0.1:1":    "give a .creds file",
		"nats://192.0.2.1:4222":       "nats://192.0.2.1:4222 isn't this machine, and there are no credentials: give --keys DIR",
		"tls://192.0.2.1:4222":        "isn't this machine, and there are no credentials",
		"nats://127.0.0.1:1,nats://x": "nats://x isn't this machine",
	} {
		_, err := Connect(within(t), ConnectOptions{URL: url, Role: Agent, Wait: true})
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "pw", "a password isn't shown")
	}
	creds := filepath.Join(t.TempDir(), "a.creds")
	require.NoError(t, os.WriteFile(creds, nil, 0o600))
	_, err := Connect(within(t), ConnectOptions{URL: "nats://192.0.2.1:4222", Creds: creds, Role: Agent})
	require.ErrorContains(t, err, "its connections aren't encrypted: give tls://192.0.2.1:4222")
	_, err = Connect(within(t), ConnectOptions{URL: "tls://192.0.2.1:4222", Creds: creds + "x", Role: Agent})
	require.ErrorContains(t, err, creds+"x: no such file")
	_, err = Connect(within(t), ConnectOptions{URL: "nats://127.0.0.1:4222", Token: "x", Creds: creds, Role: Agent})
	require.ErrorContains(t, err, "give one of them")
	_, err = Connect(within(t), ConnectOptions{URL: "nats://127.0.0.1:4222", Role: NATS})
	require.ErrorContains(t, err, `role "nats": want controller or agent`)
}

// TestConnect_refusals checks that each way not to get in is one line that names what is wrong, and
// that waiting doesn't go on after it.
func TestConnect_refusals(t *testing.T) {
	leaks(t)
	keys := makeKeys(t, KeyOptions{})
	secure, open := serve(t, ServerOptions{Keys: keys}), serve(t, ServerOptions{Token: "secret-token"})
	other := makeKeys(t, KeyOptions{})
	mixed := func(files ...string) string { // the set of the server, with some files of another one
		dir := filepath.Join(t.TempDir(), "mixed")
		require.NoError(t, os.CopyFS(dir, os.DirFS(keys)))
		for _, f := range files {
			copyFile(t, filepath.Join(other, f), filepath.Join(dir, f))
		}
		return dir
	}
	old := makeKeys(t, KeyOptions{Now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), For: 24 * time.Hour})
	// Agents whose own authority is another one than the one that they trust.
	stranger := mixed("agent.pem", "agent.key")
	elsewhere := makeKeys(t, KeyOptions{})
	lacking := filepath.Join(t.TempDir(), "lacking")
	require.NoError(t, os.CopyFS(lacking, os.DirFS(keys)))
	require.NoError(t, os.Remove(filepath.Join(lacking, "agent.nk")))
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.CopyFS(broken, os.DirFS(keys)))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "agent.nk"), []byte("SUANOSEEDATALL"), 0o600))

	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	webAddress := strings.TrimPrefix(web.URL, "http://")
	greeter, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		for {
			c, err := greeter.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example.com ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	defer func() { require.NoError(t, greeter.Close()); <-greeted }()

	for name, c := range map[string]struct {
		o    ConnectOptions
		want string
	}{
		"wrong key": {ConnectOptions{URL: secure.URL(), Keys: mixed("agent.nk")},
			secure.URL() + " does not accept this key, "},
		"certificate of another authority": {ConnectOptions{URL: secure.URL(), Keys: stranger},
			"agent.pem isn't signed by ca.pem beside it"},
		"another set": {ConnectOptions{URL: secure.URL(), Keys: elsewhere},
			"has a certificate that " + filepath.Join(elsewhere, "ca.pem") + " doesn't vouch for"},
		"own certificate ended": {ConnectOptions{URL: secure.URL(), Keys: old},
			filepath.Join(old, "agent.pem") + " (agent) ended at 2024-05-02 12:00:00 UTC: make a new set"},
		"no seed":      {ConnectOptions{URL: secure.URL(), Keys: lacking}, "agent.nk doesn't exist: copy it"},
		"broken seed":  {ConnectOptions{URL: secure.URL(), Keys: broken}, "agent.nk holds no nkey seed of a user: copy it"},
		"no keys":      {ConnectOptions{URL: strings.Replace(secure.URL(), "tls:", "nats:", 1)}, "is it a NATS server? One with keys wants --keys DIR"},
		"wrong token":  {ConnectOptions{URL: open.URL(), Token: "other-token"}, open.URL() + " does not accept this token: give the one"},
		"no token":     {ConnectOptions{URL: open.URL()}, open.URL() + " wants credentials: give the server's token"},
		"keys to none": {ConnectOptions{URL: open.URL(), Keys: keys}, "doesn't speak TLS"},
		"HTTP":         {ConnectOptions{URL: "nats://" + webAddress}, "nats://" + webAddress + " didn't answer within 5s: is it a NATS server?"},
		"HTTP, keys":   {ConnectOptions{URL: "tls://" + webAddress, Keys: keys}, "doesn't speak TLS"},
		"SMTP":         {ConnectOptions{URL: "nats://" + greeter.Addr().String()}, "isn't a NATS server: give the address of one"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Role = Agent
			// Waiting doesn't help against these. Only a server that says nothing may say something later.
			c.o.Wait = name != "HTTP" && name != "no keys"
			_, err := Connect(within(t), c.o)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			for _, secret := range []string{"SUANOSEEDATALL", "secret-token", "other-token"} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

// TestConnect_certificates checks what the server makes of certificates that a careful client
// wouldn't use: it takes only those of its own authority that are valid now.
func TestConnect_certificates(t *testing.T) {
	leaks(t)
	ours, theirs := makeKeys(t, KeyOptions{}), makeKeys(t, KeyOptions{})
	s := serve(t, ServerOptions{Keys: ours})
	_, authority, err := loadCertificate(ours, "agent", time.Now())
	require.NoError(t, err)
	for name, c := range map[string]struct{ dir, file, want string }{
		"of another authority":  {theirs, "agent", "unknown certificate authority"},
		"the server's, no role": {ours, "server", "bad certificate"},
		"none":                  {"", "", "certificate required"},
	} {
		t.Run(name, func(t *testing.T) {
			tlsConfig := clientTLS(t, c.dir, c.file, authority)
			_, err := nats.Connect(s.URL(), nats.TLSHandshakeFirst(), nats.Secure(tlsConfig))
			require.ErrorContains(t, err, c.want)
			d := &dialing{options: ConnectOptions{Keys: ours, Role: Agent}, where: s.URL()}
			require.ErrorContains(t, d.explain(context.Background(), err), "does not accept the certificate "+filepath.Join(ours, "agent.pem"))
		})
	}
}

// TestConnect_hostname checks that a server is believed only under the names that its keys have.
func TestConnect_hostname(t *testing.T) {
	leaks(t)
	keys := makeKeys(t, KeyOptions{Hosts: []string{"127.0.0.2"}})
	s := serve(t, ServerOptions{Keys: keys, Listen: "0.0.0.0:0"})
	require.True(t, strings.HasPrefix(s.URL(), "tls://127.0.0.1:"), s.URL())
	_, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	join(t, ConnectOptions{URL: "tls://127.0.0.2:" + port, Keys: keys, Role: Agent}).Close()
	_, err = Connect(within(t), ConnectOptions{URL: "tls://127.0.0.3:" + port, Keys: keys, Role: Agent})
	require.ErrorContains(t, err, "has a certificate for other names: make keys with `fleetmark cluster keys DIR --host 127.0.0.3`")
}

// TestConnect_noJetStream connects to a NATS server without JetStream.
func TestConnect_noJetStream(t *testing.T) {
	leaks(t)
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	plain.Start()
	defer func() { plain.Shutdown(); plain.WaitForShutdown() }()
	_, err = Connect(within(t), ConnectOptions{URL: plain.ClientURL(), Role: Agent, Wait: true})
	require.ErrorContains(t, err, plain.ClientURL()+" has no JetStream: start nats-server with --jetstream")
}

// TestConnect_waits starts an agent before its controller. Without Wait the same is an error.
func TestConnect_waits(t *testing.T) {
	leaks(t)
	ctx := within(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = Connect(ctx, ConnectOptions{URL: "nats://" + address, Role: Agent})
	require.ErrorContains(t, err, "nats://"+address+": nothing listens there: start the controller or the NATS server, "+
		"or give another address: connection refused")

	reasons := make(chan error, 16)
	type result struct {
		nc  *nats.Conn
		err error
	}
	connected := make(chan result, 1)
	go func() {
		nc, err := Connect(ctx, ConnectOptions{URL: "nats://" + address, Role: Agent, Wait: true,
			OnState: func(_ bool, err error) { reasons <- err }})
		connected <- result{nc, err}
	}()
	require.ErrorContains(t, <-reasons, "nothing listens there")
	serve(t, ServerOptions{Listen: address})
	r := <-connected
	require.NoError(t, r.err)
	r.nc.Close()
	require.Empty(t, reasons, "the same reason is told once")

	gone, cancel := context.WithCancelCause(ctx)
	go func() {
		nc, err := Connect(gone, ConnectOptions{URL: "nats://127.0.0.1:1", Role: Agent, Wait: true,
			OnState: func(_ bool, err error) { reasons <- err }})
		connected <- result{nc, err}
	}()
	<-reasons
	cancel(context.DeadlineExceeded)
	r = <-connected
	require.ErrorIs(t, r.err, context.DeadlineExceeded)
	require.ErrorContains(t, r.err, "nothing listens there", "it says what it waited for")
}

// TestRoles tries what each role must not do: the server refuses it, and says so.
func TestRoles(t *testing.T) {
	leaks(t)
	ctx := within(t)
	keys := makeKeys(t, KeyOptions{})
	s := serve(t, ServerOptions{Keys: keys})
	controller, err := s.Connect(ctx, ConnectOptions{Role: Controller})
	require.NoError(t, err)
	defer controller.Close()
	js, err := jetstream.New(controller)
	require.NoError(t, err)
	_, err = RunStream(ctx, js, Prefix+"r1", []string{"fleetmark.r1.agents.>"})
	require.NoError(t, err)

	refused := make(chan error, 16)
	agent := join(t, ConnectOptions{URL: s.URL(), Keys: keys, Role: Agent, OnError: func(err error) { refused <- err }})
	for _, subject := range []string{
		"fleetmark.r1.commands.start", "fleetmark.discover", "other", "_INBOX.fleetmark.controller.x",
		"_INBOX.fleetmark.agent.x", "$JS.API.STREAM.CREATE.FLEETMARK_r2", "$JS.API.STREAM.UPDATE.FLEETMARK_r1",
		"$JS.API.STREAM.LIST", "$SYS.REQ.SERVER.PING", "$JS.ACK.x",
	} {
		require.NoError(t, agent.Publish(subject, nil))
		require.NoError(t, agent.FlushWithContext(ctx))
		err := <-refused
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		require.ErrorContains(t, err, "forbids this to the key of role agent")
		require.ErrorContains(t, err, `Publish to "`+subject+`"`)
	}
	for _, subject := range []string{"fleetmark.>", "fleetmark.r1.agents.b.results", "_INBOX.>", "_INBOX.fleetmark.controller.>", ">"} {
		sub, err := agent.SubscribeSync(subject)
		require.NoError(t, err)
		require.NoError(t, agent.FlushWithContext(ctx))
		require.ErrorContains(t, <-refused, `Subscription to "`+subject+`"`)
		_ = sub.Unsubscribe()
	}
	agentJS, err := jetstream.New(agent)
	require.NoError(t, err)
	_, err = agentJS.Stream(ctx, Prefix+"r1")
	require.NoError(t, err, "it may look for its run")

	// A controller may do neither in another's name.
	forbidden := make(chan error, 4)
	outside := join(t, ConnectOptions{URL: s.URL(), Keys: keys, Role: Controller, OnError: func(err error) { forbidden <- err }})
	for _, subject := range []string{"other", "$SYS.REQ.SERVER.PING", "_INBOX.fleetmark.agent.x"} {
		require.NoError(t, outside.Publish(subject, nil))
		require.NoError(t, outside.FlushWithContext(ctx))
		require.ErrorContains(t, <-forbidden, "role controller")
	}
}

// clientTLS returns what a client needs that has the certificate NAME.pem of dir, or none.
func clientTLS(t *testing.T, dir, name string, authority *x509.CertPool) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS13}
	if dir != "" {
		own, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
		require.NoError(t, err)
		// Offer it whatever authorities the server names.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	return c
}
