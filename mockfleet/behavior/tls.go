package behavior

// TLSMode selects how devices speak TLS: correctly, or with one defect. The CA is made when the
// fleet starts, the certificate of a device for each handshake.
type TLSMode string

// The TLS modes.
const (
	TLSNone      TLSMode = ""           // plain HTTP
	TLSGood      TLSMode = "good"       // TLS 1.2 or 1.3; a certificate for the device's address, by the CA of Ready
	TLSExpired   TLSMode = "expired"    // the certificate was good until yesterday
	TLSWrongName TLSMode = "wrong-name" // the certificate is for another host
	TLSUnknownCA TLSMode = "unknown-ca" // the certificate is issued by a CA other than that of Ready
	TLS11        TLSMode = "tls-1.1"    // TLS 1.1 at most
	TLSStall     TLSMode = "stall"      // reads the client's hello and never answers it
)

// TLSForms lists the modes, for error messages.
const TLSForms = "good, expired, wrong-name, unknown-ca, tls-1.1 or stall, or nothing for plain http"

// Known reports whether t is one of the modes.
func (t TLSMode) Known() bool {
	switch t {
	case TLSNone, TLSGood, TLSExpired, TLSWrongName, TLSUnknownCA, TLS11, TLSStall:
		return true
	}
	return false
}
