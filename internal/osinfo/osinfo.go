// Package osinfo asks the operating system about this process and the machine: processor time,
// memory, file descriptors, ports, and what identifies the machine. It keeps code for particular
// systems out of packages scenarios and results.
//
// Everything works on Linux. On other systems a function returns zero, nil or false for what it
// can't find out, and its comment says so.
package osinfo

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
)

// A Machine describes the computer, or the virtual machine, that this process runs on.
type Machine struct {
	CPU         string // the processor's model name
	MemoryBytes uint64
	Kernel      string // its version

	MachineID string // survives a boot; empty if the system has none
	BootID    string // changes with every boot
}

// ThisMachine describes the machine. Fields that the system has no value for are empty.
func ThisMachine(ctx context.Context) (Machine, error) {
	fail := func(what string, err error) (Machine, error) {
		return Machine{}, fmt.Errorf("describe machine: %s: %w", what, err)
	}
	var m Machine
	processors, err := cpu.InfoWithContext(ctx)
	if err != nil {
		return fail("name the processor", err)
	}
	if len(processors) > 0 {
		m.CPU = strings.Join(strings.Fields(processors[0].ModelName), " ")
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fail("measure the memory", err)
	}
	m.MemoryBytes = memory.Total
	if m.Kernel, err = host.KernelVersionWithContext(ctx); err != nil {
		return fail("name the kernel", err)
	}
	if m.MachineID, err = host.HostIDWithContext(ctx); err != nil {
		return fail("identify it", err)
	}
	if m.BootID, err = bootID(ctx); err != nil {
		return fail("identify the boot", err)
	}
	return m, nil
}

// bootID returns a value that changes with every boot: Linux's own, or elsewhere the time of the
// boot in Unix seconds.
func bootID(ctx context.Context) (string, error) {
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		return strings.TrimSpace(string(id)), nil
	}
	booted, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(booted, 10), nil
}

// MachineTime is the time that all cores of the machine together have spent since it was booted.
type MachineTime struct {
	Busy   time.Duration // in user and system mode, without interrupts
	Stolen time.Duration // taken by the hypervisor
}

// ReadMachineTime returns the machine's times. It reports false if they can't be read.
func ReadMachineTime(ctx context.Context) (MachineTime, bool) {
	total, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(total) == 0 {
		return MachineTime{}, false
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return MachineTime{
		Busy:   seconds(total[0].User + total[0].Nice + total[0].System),
		Stolen: seconds(total[0].Steal),
	}, true
}

// LocalPorts describes the ports that the system assigns to connections that don't ask for one.
type LocalPorts struct {
	First, Last int
	TimeWait    int // number of sockets in TIME_WAIT, to any address
}

// Sockets is the name under which [DescriptorNames] counts all sockets.
const Sockets = "socket:"
