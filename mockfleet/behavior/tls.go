package behavior

// TLSMode is how devices speak TLS, well or badly. Their certificates are made when the fleet starts.
type TLSMode string

// The ways of speaking TLS.
const (
	TLSNone      TLSMode = ""           // not at all: http
	TLSGood      TLSMode = "good"       // TLS 1.2 and 1.3, with a certificate for the device's address by the CA of Ready
	TLSExpired   TLSMode = "expired"    // the certificate was good until yesterday
	TLSWrongName TLSMode = "wrong-name" // the certificate is for another host
	TLSUnknownCA TLSMode = "unknown-ca" // the certificate is by another CA than that of Ready
	TLS11        TLSMode = "tls-1.1"    // TLS 1.1 and nothing newer
	TLSStall     TLSMode = "stall"      // takes the client's hello and never answers it
)

// TLSForms says what a TLSMode may be, for error messages.
const TLSForms = "good, expired, wrong-name, unknown-ca, tls-1.1 or stall, or nothing for plain http"

// Known reports whether t is one of the modes.
func (t TLSMode) Known() bool {
	switch t {
	case TLSNone, TLSGood, TLSExpired, TLSWrongName, TLSUnknownCA, TLS11, TLSStall:
		return true
	}
	return false
}
