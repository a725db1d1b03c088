package mockfleet

import "encoding/hex"

// ledgerTexts keeps what the entry before said of its update: in a rollout nearly all devices have the
// same, and a million times the same text would be most of what a ledger takes to read.
type ledgerTexts struct {
	has       bool // of an update
	digest    [32]byte
	updatedAt uint32

	digestText, updatedAtText string
}

// of gives the digest and the time of d's update, empty before the first.
func (t *ledgerTexts) of(d *device) (digest, updatedAt string) {
	if d.flags&flagUpdated == 0 {
		return "", ""
	}
	if !t.has || t.digest != d.digest {
		t.digest, t.digestText = d.digest, hex.EncodeToString(d.digest[:])
	}
	if !t.has || t.updatedAt != d.updatedAt {
		t.updatedAt, t.updatedAtText = d.updatedAt, string(d.appendUpdatedAt(nil))
	}
	t.has = true
	return t.digestText, t.updatedAtText
}
