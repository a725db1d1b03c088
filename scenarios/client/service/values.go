package service

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/url"
	"strconv"
	"strings"
	"text/template"

	"github.com/fleetmark/fleetmark/delivery"
)

// Values are what placeholders stand for.
type Values struct {
	DevicesFile string // the path of a file with the list of devices
	Devices     []byte // its content
	Count       int    // of the devices

	Artifact    string // the path of a file with its content
	ArtifactURL string // where its content is served
	Version     string
	Size        int64
	SHA256      string // in lower-case hex
	CA          string // the path of a PEM file with the authorities to trust; empty: the system's
}

// text replaces the placeholders in a text: {devices} by the given value, the others by theirs.
// Other words in braces stay.
func (v Values) text(s, devices string) string {
	return strings.NewReplacer(
		"{devices}", devices, "{count}", strconv.Itoa(v.Count), "{artifact}", v.Artifact,
		"{artifact_url}", v.ArtifactURL, "{version}", v.Version, "{size}", strconv.FormatInt(v.Size, 10),
		"{sha256}", v.SHA256, "{ca}", v.CA,
	).Replace(s)
}

// DefaultBody returns the body of a request that has none of its own: a JSON object with the version,
// the artifact and the devices, whose list must be in JSON.
func (v Values) DefaultBody() ([]byte, error) {
	return json.Marshal(map[string]any{
		"version": v.Version,
		"artifact": map[string]any{
			"path": v.Artifact, "url": v.ArtifactURL, "size": v.Size, "sha256": v.SHA256,
		},
		"ca_file": v.CA,
		"devices": json.RawMessage(v.Devices),
	})
}

// A Device is what a template of the list of devices may use.
type Device struct {
	ID, Address string
	Host, Port  string // of the address
	Index       int
}

// The forms of a list of devices that aren't a template.
const (
	JSON = "json"
	CSV  = "csv"
)

// maxLine bounds the line of a device, in bytes.
const maxLine = 64 << 10

// WriteDevices writes the list of devices: as JSON, as CSV, or with a template of package
// text/template for the line of a [Device].
func WriteDevices(w io.Writer, form string, devices iter.Seq[delivery.Device]) error {
	out := bufio.NewWriter(w)
	var err error
	switch form {
	case JSON:
		err = writeJSON(out, devices)
	case CSV:
		lines := csv.NewWriter(out)
		_ = lines.Write([]string{"id", "address"}) // Error has it
		for d := range devices {
			_ = lines.Write([]string{d.ID, d.Address})
		}
		lines.Flush()
		err = lines.Error()
	default:
		err = writeTemplate(out, form, devices)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

func writeJSON(out *bufio.Writer, devices iter.Seq[delivery.Device]) error {
	separator := "["
	for d := range devices {
		line, err := json.Marshal(struct {
			ID      string `json:"id"`
			Address string `json:"address"`
		}{d.ID, d.Address})
		if err != nil {
			return err
		}
		_, _ = out.WriteString(separator) // the last Flush returns the error
		_, _ = out.Write(line)
		separator = ",\n"
	}
	if separator == "[" {
		_ = out.WriteByte('[')
	}
	_ = out.WriteByte(']')
	return nil
}

func writeTemplate(out *bufio.Writer, form string, devices iter.Seq[delivery.Device]) error {
	t, err := template.New("devices").Parse(form)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	index := 0
	for d := range devices {
		of := Device{ID: d.ID, Address: d.Address, Index: index}
		if u, err := url.Parse(d.Address); err == nil {
			of.Host, of.Port, _ = net.SplitHostPort(u.Host)
		}
		line.Reset()
		if err := t.Execute(&line, of); err != nil {
			return err
		}
		if line.Len() > maxLine {
			return fmt.Errorf("the template makes a line of over %d bytes for %s", maxLine, d.ID)
		}
		if !bytes.HasSuffix(line.Bytes(), []byte("\n")) {
			line.WriteByte('\n')
		}
		_, _ = out.Write(line.Bytes()) // the last Flush returns the error
		index++
	}
	return nil
}
