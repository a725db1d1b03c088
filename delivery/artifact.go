package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// Artifact is the content that a push sends: bytes of a known size and digest. The digest is
// computed once, when the artifact is made, by reading all of it with constant memory. Afterwards
// any number of operations may send the artifact at the same time.
type Artifact struct {
	body   exchange.Body
	digest [sha256.Size]byte
	close  func() error
}

// ErrEmptyArtifact is returned for an artifact of 0 bytes.
var ErrEmptyArtifact = errors.New("empty artifact")

// NewArtifact returns an artifact of the first size bytes of source. It reads them once, for the
// digest; source must stay readable and unchanged for as long as the artifact is used.
func NewArtifact(ctx context.Context, source io.ReaderAt, size int64) (*Artifact, error) {
	if size <= 0 {
		return nil, ErrEmptyArtifact
	}
	a := &Artifact{body: exchange.Body{Source: source, Size: size}}
	h := sha256.New()
	n, err := io.Copy(h, &contextReader{ctx, io.NewSectionReader(source, 0, size)})
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("reading artifact: %d bytes, want %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	h.Sum(a.digest[:0])
	return a, nil
}

// ArtifactFromBytes returns an artifact of b, which must not change afterwards.
func ArtifactFromBytes(b []byte) (*Artifact, error) {
	if len(b) == 0 {
		return nil, ErrEmptyArtifact
	}
	body := exchange.Body{Source: bytes.NewReader(b), Memory: b, Size: int64(len(b))}
	return &Artifact{body: body, digest: sha256.Sum256(b)}, nil
}

// OpenArtifact returns an artifact of a regular file, which must not change until Close. Memory use
// does not depend on the size of the file.
func OpenArtifact(ctx context.Context, path string) (*Artifact, error) {
	var f *os.File
	info, err := os.Stat(path)
	if err == nil {
		err = regular(info) // before it is opened, because opening a pipe waits for its writer
	}
	if err == nil {
		f, err = os.Open(path)
	}
	if err != nil {
		if p, ok := errors.AsType[*os.PathError](err); ok {
			err = p.Err // the path is added below
		}
		return nil, fmt.Errorf("artifact %s: %w", path, err)
	}
	a, err := fromFile(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w", path, errors.Join(err, f.Close()))
	}
	a.close = f.Close
	return a, nil
}

func fromFile(ctx context.Context, f *os.File) (*Artifact, error) {
	info, err := f.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, err
	}
	return NewArtifact(ctx, f, info.Size())
}

func regular(info os.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file (ReadArtifact takes any reader)")
	}
	return nil
}

// ReadArtifact copies r into an unnamed temporary file in dir (the system's if dir is empty),
// because an update is sent more than once. Memory use is constant. It returns an error if r has
// more than limit bytes. Close frees the file.
func ReadArtifact(ctx context.Context, r io.Reader, dir string, limit int64) (*Artifact, error) {
	if limit < 0 {
		return nil, fmt.Errorf("artifact: limit of %d bytes: want 0 at least", limit)
	}
	f, err := os.CreateTemp(dir, "artifact-*")
	if err != nil {
		return nil, fmt.Errorf("artifact: %w", err)
	}
	// If the system can remove the name of an open file, a killed process leaves no file behind.
	named := os.Remove(f.Name()) != nil
	drop := func() error {
		err := f.Close()
		if named {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}
	a := &Artifact{body: exchange.Body{Source: f}, close: drop}
	h := sha256.New()
	a.body.Size, err = io.Copy(io.MultiWriter(f, h), &contextReader{ctx, io.LimitReader(r, max(limit, limit+1))}) // one more tells of too much; limit+1 may overflow
	switch {
	case err != nil:
		err = fmt.Errorf("reading artifact: %w", err)
	case a.body.Size == 0:
		err = ErrEmptyArtifact
	case a.body.Size > limit:
		err = fmt.Errorf("artifact is larger than the limit of %d bytes", limit)
	default:
		h.Sum(a.digest[:0])
		return a, nil
	}
	return nil, errors.Join(err, drop())
}

// Size returns the artifact's size in bytes.
func (a *Artifact) Size() int64 { return a.body.Size }

// Digest returns the SHA-256 of the artifact's bytes.
func (a *Artifact) Digest() [sha256.Size]byte { return a.digest }

// DigestHex returns the digest in lower-case hexadecimal, as sha256sum prints it.
func (a *Artifact) DigestHex() string { return hex.EncodeToString(a.digest[:]) }

// Reader returns a reader from the artifact's start. Any number of readers may be used at once.
func (a *Artifact) Reader() *io.SectionReader {
	return io.NewSectionReader(a.body.Source, 0, a.body.Size)
}

// Close frees the file behind the artifact. No operation may be using it.
func (a *Artifact) Close() error {
	if a.close == nil {
		return nil
	}
	return a.close()
}

// contextReader stops a long read when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Update is an artifact under a version: what Push, Verify and Deliver bring to a device. Make it
// once and use it for every device; what goes into the headers is worked out here, not per request.
type Update struct {
	version    string
	artifact   *Artifact
	key        string // Idempotency-Key
	reprDigest string // Repr-Digest, RFC 9530
	digestHex  string
	pushHeader exchange.Header // of a push in the native protocol
}

// NewUpdate returns the update that brings an artifact under a version. The version is 1 to 128
// bytes of UTF-8 without control characters, and without space around it.
//
// The update's Idempotency-Key is derived from version and content. So the same update has the same
// key in every attempt, and after a restart too, and a device that already applied it can tell.
func NewUpdate(version string, artifact *Artifact) (*Update, error) {
	if artifact == nil {
		return nil, errors.New("update: artifact is missing")
	}
	if version == "" || len(version) > wire.MaxVersion || !check.IsPrintable(version) {
		return nil, fmt.Errorf("update version %q: want 1 to %d bytes of UTF-8 without control characters or space around them", check.Truncate(version), wire.MaxVersion)
	}
	digest := artifact.Digest()
	h := sha256.New()
	h.Write([]byte(version)) // a hash never fails to write
	h.Write([]byte{0})
	h.Write(digest[:])
	u := &Update{
		version:  version,
		artifact: artifact,
		// A quoted string, as the header's draft (draft-ietf-httpapi-idempotency-key-header) wants
		// it.
		key:        `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`,
		reprDigest: "sha-256=:" + base64.StdEncoding.EncodeToString(digest[:]) + ":",
		digestHex:  artifact.DigestHex(),
	}
	u.pushHeader = native{}.pushHeader(u)
	return u, nil
}

// Version returns the version that the update brings.
func (u *Update) Version() string { return u.version }

// IdempotencyKey returns the Idempotency-Key that every push of the update carries, with its
// quotes. It stands for version and content: two updates that agree in both have the same key.
func (u *Update) IdempotencyKey() string { return u.key }

// Artifact returns the artifact that the update brings.
func (u *Update) Artifact() *Artifact { return u.artifact }
