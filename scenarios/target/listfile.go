package target

import (
	"bufio"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
)

// maxListedDevices is the largest number of devices in a list.
const maxListedDevices = 1 << 24

// readDevices reads a list of devices from r: one address a line, followed by an ID if requests for
// the device should carry one. A "#" at the beginning of a line or after white space begins a
// comment. An address without a scheme is http. A byte order mark is ignored. The error names the
// line, after name, that isn't a device, or that has the address of an earlier line, even if
// spelled differently.
func readDevices(name string, r io.Reader) (*DeviceList, error) {
	all := newDeviceListBuilder(0)
	lines := bufio.NewScanner(plaintext.Reader(r))
	n := 0
	bad := func(format string, args ...any) error {
		return fmt.Errorf("devices %s:%d: "+format, append([]any{name, n}, args...)...)
	}
	seed, lineOf := maphash.MakeSeed(), map[uint64]int{} // the line of each address, by the hash of its normalized form
	for lines.Scan() {
		n++
		text := lines.Text()
		words := strings.Fields(withoutComment(text))
		if len(words) == 0 {
			continue
		}
		if len(words) > 2 {
			return nil, bad("%d words: want an address, and an ID if there is one", len(words))
		}
		d := delivery.Device{Address: words[0]}
		if scheme, rest, ok := strings.Cut(d.Address, "://"); ok {
			d.Address = strings.ToLower(scheme) + "://" + rest // RFC 3986, section 3.1
		} else {
			d.Address = "http://" + d.Address
		}
		if len(words) == 2 {
			d.ID = words[1]
		}
		if err := d.Validate(); err != nil {
			if strings.Contains(text, "@") { // other errors may quote a secret
				return nil, bad("the address (not shown) isn't one, or holds a user or a password: " +
					"want http://HOST[:PORT][/PATH]")
			}
			return nil, bad("%v", err)
		}
		if all.list.Len() == maxListedDevices {
			return nil, bad("more than %d devices", maxListedDevices)
		}
		// Two different addresses have the same 64-bit hash once in 2^64 pairs.
		key := maphash.String(seed, normalized(d.Address))
		if before := lineOf[key]; before > 0 {
			return nil, bad("%s is the device of line %d: want each once", d.Address, before)
		}
		lineOf[key] = n
		if err := addDevice(all, d.ID, d.Address); err != nil {
			return nil, bad("%v", err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("devices %s:%d: %w", name, n+1, err)
	}
	if all.list.Len() == 0 {
		return nil, fmt.Errorf("devices %s: holds no device: want one address a line", name)
	}
	return all.build(), nil
}

// withoutComment returns the line without a comment, which begins with "#" at the beginning of the
// line or after white space.
func withoutComment(line string) string {
	for i, c := range line {
		if c == '#' && (i == 0 || strings.ContainsRune(" \t", rune(line[i-1]))) {
			return line[:i]
		}
	}
	return line
}

// normalized returns an address that delivery accepts in a form that is the same for all its
// spellings (RFC 3986, section 6.2): the host in lower case, an IP address in its usual form, no
// default port, and no slash at the end.
func normalized(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		port = ""
	} else if n, err := strconv.Atoi(port); err == nil {
		port = strconv.Itoa(n)
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port) + strings.TrimRight(u.EscapedPath(), "/")
}

// openList returns the devices in a file, which have neither a witness nor groups.
func openList(path string, wantGroups bool) (Target, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &scenarios.OptionError{Option: "Target.DeviceFile", Err: err}
	}
	defer func() { _ = f.Close() }() // f was only read
	devices, err := readDevices(path, f)
	if err != nil {
		return nil, err
	}
	list := &remote{known: known{kind: Listed, devices: devices}}
	if wantGroups {
		list.ungrouped = groupsOfList
	}
	return list, nil
}
