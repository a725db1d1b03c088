package runner

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/scenarios"
)

// remote is devices that somebody else runs. It has a witness only where the
// fleet's control port and token are known.
type remote struct {
	name       string
	addressing mockfleet.Addressing // of a fleet at an address
	list       *DeviceList
	control    *mockfleet.Control
	leased     *leaseKeeper // nil: the fleet hands out none
	reboots    bool         // some of its devices do
}

func (r *remote) kind() string          { return r.name }
func (r *remote) pid() int              { return 0 }
func (r *remote) devices() *DeviceList  { return r.list }
func (r *remote) died() <-chan struct{} { return nil }
func (r *remote) authority() string     { return "" }

func (r *remote) witness() witness {
	if r.control == nil {
		return nil
	}
	return r.control
}

func (r *remote) close() error {
	if r.leased != nil {
		r.leased.end()
	}
	if r.control != nil {
		r.control.Close()
	}
	return nil
}

// checkNoSecret refuses an address that holds a user or a password. It comes before
// anything is written down or quoted, and doesn't quote it either.
func checkNoSecret(flag, address string) error {
	if strings.Contains(address, "@") {
		return &scenarios.UsageError{What: flag + ": the address (not shown) holds a user or a password: want http://HOST:PORT"}
	}
	return nil
}

// attach drives a fleet that runs already, at its address.
func (o Options) attach(ctx context.Context, trust *tls.Config) (_ fleet, err error) {
	address, control, s := o.Fleet, o.FleetControl, o.Spec
	r := &remote{name: FleetRemote, addressing: s.Addressing()}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	// A fleet smaller than the scenario would fail operation by operation. Who can ask it how large it is
	// doesn't mind that its first device may be told not to answer.
	ends, asked := []int{0, s.Fleet.Devices - 1}, 1
	if control != "" {
		if r.control, err = mockfleet.NewControl(control, o.FleetToken); err != nil {
			return nil, scenarios.NewUsageError(err, "--fleet-control %s", control)
		}
		status, err := r.control.Status(ctx)
		if err != nil {
			return nil, scenarios.NewUsageError(err, "--fleet-control %s", control)
		}
		if !o.unleased {
			if r.leased, err = keepLease(ctx, r.control, s.Name); err != nil {
				if refused, ok := errors.AsType[*mockfleet.ControlError](err); ok && refused.Status == http.StatusConflict {
					return nil, &scenarios.UsageError{What: fmt.Sprintf("--fleet %s: %s: wait until the other driver has ended, or drive a fleet of your own", address, refused.Message)}
				}
				return nil, scenarios.NewUsageError(err, "--fleet-control %s", control)
			}
		}
		if status.Devices < uint64(s.Fleet.Devices) {
			return nil, &scenarios.UsageError{What: fmt.Sprintf("--fleet %s: it has %d devices, the scenario %d: use --devices %d, or a larger fleet",
				address, status.Devices, s.Fleet.Devices, status.Devices)}
		}
		switch {
		case status.Addressing == "": // of a time that didn't tell
		case s.Fleet.Addressing == "":
			r.addressing = status.Addressing
		case s.Fleet.Addressing != status.Addressing:
			return nil, &scenarios.UsageError{What: fmt.Sprintf("--fleet %s: it has %s addressing, the scenario %s: leave the addressing out, or start the fleet with --addressing %s",
				address, status.Addressing, s.Fleet.Addressing, s.Fleet.Addressing)}
		}
		groups, err := r.control.Groups(ctx)
		if err != nil {
			return nil, scenarios.NewUsageError(err, "--fleet-control %s", control)
		}
		r.reboots = slices.ContainsFunc(groups, func(g mockfleet.GroupStatus) bool { return reboots(g.Behavior) })
		ends, asked = []int{0}, neighbours
	}
	list, err := addressed(address, r.addressing, s.Fleet.Devices)
	if err != nil {
		return nil, scenarios.NewUsageError(err, "--fleet %s", address)
	}
	r.list = list
	for _, end := range ends {
		if err := anyAnswers(ctx, list, end, asked, trust); err != nil {
			return nil, scenarios.NewUsageError(err, "--fleet %s: device %d of %d does not answer at %s; is the fleet up, and do --devices and --addressing agree with it?",
				address, end, list.Len(), list.At(end).Address)
		}
	}
	return r, nil
}

// neighbours is how many devices are asked until one answers.
const neighbours = 16

// anyAnswers tells whether one of so many devices answers, from first on. The error is the first one's.
func anyAnswers(ctx context.Context, list *DeviceList, first, asked int, trust *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var why error
	for i := first; i < min(first+asked, list.Len()); i++ {
		err := healthy(ctx, list.At(i).Address, 5*time.Second/time.Duration(asked), trust)
		if err == nil {
			return nil
		}
		if why == nil {
			why = err
		}
	}
	return why
}

func healthy(ctx context.Context, address string, wait time.Duration, trust *tls.Config) (err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /health answers %s", resp.Status)
	}
	return nil
}

// maxListedDevices bounds a device list.
const maxListedDevices = 1 << 24

// ReadDevices reads a list of devices: one address a line, an ID after it if the
// device is to be asked for it; # begins a comment at the line's beginning and after white
// space. An address without a scheme is http. A byte order mark at the file's beginning is left
// out. A mistake is a *UsageError that names its line; so is a device that an earlier line has, however
// its address is written there.
func ReadDevices(name string, r io.Reader) (*DeviceList, error) {
	all := newDeviceListMaker(0)
	lines := bufio.NewScanner(plaintext.Reader(r))
	n := 0
	bad := func(format string, args ...any) error {
		return &scenarios.UsageError{What: fmt.Sprintf("devices %s:%d: ", name, n) + fmt.Sprintf(format, args...)}
	}
	seed, lineOf := maphash.MakeSeed(), map[uint64]int{} // of an address, as it is compared
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
			if strings.Contains(text, "@") { // the error may quote what is secret
				return nil, bad("the address (not shown) isn't one, or holds a user or a password: want http://HOST[:PORT][/PATH]")
			}
			return nil, bad("%v", err)
		}
		if all.list.Len() == maxListedDevices {
			return nil, bad("more than %d devices", maxListedDevices)
		}
		// Two addresses meet in one 64-bit hash once in 2^64 pairs.
		key := maphash.String(seed, compared(d.Address))
		if before := lineOf[key]; before > 0 {
			return nil, bad("%s is the device of line %d: want each once", d.Address, before)
		}
		lineOf[key] = n
		if err := addDevice(all, d.ID, d.Address); err != nil {
			return nil, bad("%v", err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, scenarios.NewUsageError(err, "devices %s:%d", name, n+1)
	}
	if all.list.Len() == 0 {
		return nil, &scenarios.UsageError{What: fmt.Sprintf("devices %s: holds no device: want one address a line", name)}
	}
	return all.made(), nil
}

// withoutComment cuts off what follows a # that begins the line or stands behind white space.
func withoutComment(line string) string {
	for i, c := range line {
		if c == '#' && (i == 0 || strings.ContainsRune(" \t", rune(line[i-1]))) {
			return line[:i]
		}
	}
	return line
}

// compared returns an address, which delivery takes, in the one form that all its spellings have (RFC
// 3986, section 6.2): the host in lower case, an IP address as it is usually written, no default port and
// no slash at the end.
func compared(address string) string {
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

// listed drives the devices of a file.
func listed(path string) (fleet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, scenarios.NewUsageError(err, "--devices-from")
	}
	defer func() { _ = f.Close() }() // it was only read
	list, err := ReadDevices(path, f)
	if err != nil {
		return nil, err
	}
	return &remote{name: FleetListed, list: list}, nil
}

// leaseKeeper holds the lease of a fleet that somebody else started, so that no second driver resets
// its ledger, until it is ended.
type leaseKeeper struct {
	control *mockfleet.Control
	stop    context.CancelFunc
	renewal sync.WaitGroup
}

// keepLease takes the lease, and renews it until it is ended. It returns nil if the fleet is of a time
// that knew none.
func keepLease(ctx context.Context, control *mockfleet.Control, scenario string) (*leaseKeeper, error) {
	holder := fmt.Sprintf("a run of %s, process %d", scenario, os.Getpid())
	if err := control.Lease(ctx, holder); err != nil {
		if refused, ok := errors.AsType[*mockfleet.ControlError](err); ok && refused.Status == http.StatusNotFound {
			return nil, nil
		}
		return nil, err
	}
	// The lease outlasts an interrupted run until what that broke off is reconciled.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &leaseKeeper{control: control, stop: stop}
	k.renewal.Go(func() {
		tick := time.NewTicker(mockfleet.LeaseFor / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				// If it can't be renewed and another driver takes it, that one's reset shows.
				_ = control.Lease(ctx, holder)
			case <-ctx.Done():
				return
			}
		}
	})
	return k, nil
}

// leaseRelease is how long giving the lease back may take. A fleet that is gone has none to give back.
const leaseRelease = 2 * time.Second

func (k *leaseKeeper) end() {
	k.stop()
	k.renewal.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaseRelease)
	defer cancel()
	_ = k.control.Release(ctx) // if it can't be told, the lease ends by itself soon
}

// mayReboot reports whether devices of the scenario break connections by rebooting.
func mayReboot(s scenarios.Spec) bool {
	behaviors := []mockfleet.Behavior{s.Fleet.Behavior}
	for _, g := range s.Fleet.Groups {
		behaviors = append(behaviors, g.Behavior)
	}
	return slices.ContainsFunc(behaviors, reboots)
}

func reboots(b mockfleet.Behavior) bool {
	return b.Life != (mockfleet.Life{}) || slices.ContainsFunc(b.Faults, func(f mockfleet.Fault) bool { return f.Kind == "reboot" })
}
