package cluster

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
)

// asStranger names the environment variable that makes this test's program somebody without keys
// who tries the server at the address in it.
const asStranger = "FLEETMARK_TEST_STRANGER"

// stranger tries to learn something from the server at an address, and prints what came.
func stranger(at string) error {
	for _, try := range [][2]string{
		{"silence", ""}, {"NATS", "CONNECT {}\r\nPING\r\n"}, {"HTTP", "GET /varz HTTP/1.1\r\nHost: " + at + "\r\n\r\n"},
	} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, try[1]); err != nil {
			return err
		}
		got, _ := io.ReadAll(c) // until the server closes the connection, or resets it
		fmt.Printf("%s: %q\n", try[0], got)
		_ = c.Close()
	}
	config := &tls.Config{InsecureSkipVerify: true}
	c, err := tls.Dial("tcp", at, config)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		return fmt.Errorf("want to be asked for a certificate, not %v", err)
	}
	fmt.Printf("TLS: %q\n", got)
	_ = c.Close()
	nc, err := nats.Connect("tls://"+at, nats.TLSHandshakeFirst(), nats.Secure(config))
	if err == nil {
		nc.Close()
		return fmt.Errorf("a client without keys got in")
	}
	fmt.Println("client: refused")
	return nil
}
