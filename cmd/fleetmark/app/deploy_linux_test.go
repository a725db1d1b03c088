// The types of Kubernetes take long to compile, and neither the race detector nor another system
// has anything to find in files that are only read.
//go:build linux && !race

package app

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

// deployFile returns the path of a file in deploy.
func deployFile(elements ...string) string {
	return filepath.Join(append([]string{"..", "..", "..", "deploy"}, elements...)...)
}

// checkCommandLine checks that a command of this program takes the flags and arguments. It doesn't
// run the command.
func checkCommandLine(t *testing.T, line []string) {
	t.Helper()
	t.Run(line[0], func(t *testing.T) { parseCommandLine(t, line) })
}

func parseCommandLine(t *testing.T, line []string) {
	t.Helper()
	root := newRoot(cli.Console{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	cmd, rest, err := root.Find(line)
	if err != nil || cmd == root {
		testenv.Missing(t, fmt.Sprintf("there is no command for %q", line))
	}
	for _, flag := range []string{"agents", "cluster-listen", "keys"} {
		if cmd.Name() == "run" && cmd.Flags().Lookup(flag) == nil {
			testenv.Missing(t, "run has no flag --"+flag)
		}
	}
	require.NoError(t, cmd.ParseFlags(rest), "%q", line)
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), "%q", line)
}

// A unit is a unit file of systemd: its sections, and in them the values of each key.
type unit map[string]map[string][]string

// parseUnit reads a unit file that has no continued lines.
func parseUnit(text string) (unit, error) {
	u, section := unit{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			if u[section] != nil {
				return nil, fmt.Errorf("two sections [%s]", section)
			}
			u[section] = map[string][]string{}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == "" || strings.HasSuffix(value, `\`) {
			return nil, fmt.Errorf("%q: want KEY=VALUE on one line, in a section", line)
		}
		u[section][key] = append(u[section][key], value)
	}
	return u, nil
}

// unitKeys returns the keys that may be in a section, from systemd.unit(5), systemd.service(5),
// systemd.exec(5), systemd.kill(5) and systemd.resource-control(5).
func unitKeys() map[string][]string {
	return map[string][]string{
		"Unit": {"Description", "Documentation", "Wants", "After", "Before", "StartLimitIntervalSec"},
		"Service": {"Type", "RemainAfterExit", "EnvironmentFile", "LoadCredential", "ExecStart", "ExecStop", "WorkingDirectory",
			"Restart", "RestartSec", "KillMode", "TimeoutStopSec", "LimitNOFILE", "TasksMax", "DynamicUser", "StateDirectory",
			"StateDirectoryMode", "UMask", "CapabilityBoundingSet", "AmbientCapabilities", "NoNewPrivileges", "LockPersonality",
			"PrivateDevices", "PrivateTmp", "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname",
			"ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectSystem", "RemoveIPC",
			"RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
			"SystemCallArchitectures", "SystemCallErrorNumber", "SystemCallFilter"},
		"Install": {"WantedBy"},
	}
}

// readUnit reads and checks a unit of deploy/systemd.
func readUnit(t *testing.T, name string) unit {
	t.Helper()
	text, err := os.ReadFile(deployFile("systemd", name))
	require.NoError(t, err)
	u, err := parseUnit(string(text))
	require.NoError(t, err)
	for section, keys := range u {
		for key := range keys {
			require.Contains(t, unitKeys()[section], key, "%s: [%s]", name, section)
		}
	}
	return u
}

// TestSystemdUnits checks what the units of deploy/systemd ask of systemd.
func TestSystemdUnits(t *testing.T) {
	agent := readUnit(t, "fleetmark-agent.service")["Service"]
	for key, want := range map[string]string{"DynamicUser": "yes", "ProtectSystem": "strict", "Restart": "always",
		"StateDirectory": "fleetmark-agent", "LimitNOFILE": "1048576", "CapabilityBoundingSet": "", "AmbientCapabilities": "",
		"NoNewPrivileges": "yes"} {
		require.Equal(t, []string{want}, agent[key], key)
	}
	var credentials []string
	for _, c := range agent["LoadCredential"] {
		name, path, _ := strings.Cut(c, ":")
		require.Equal(t, "/etc/fleetmark/keys/"+name, path)
		credentials = append(credentials, name)
	}
	require.ElementsMatch(t, bus.Bundle(bus.Agent), credentials, "it needs the agent's files and gets no others")

	network := readUnit(t, "fleetmark-device-network.service")["Service"]
	require.Equal(t, []string{"CAP_NET_ADMIN"}, network["CapabilityBoundingSet"])

	env := map[string]string{}
	text, err := os.ReadFile(deployFile("systemd", "agent.env"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			env[key] = value
		}
	}
	expand := func(line string) []string {
		line = strings.NewReplacer("%l", "bench-2", "%d", "/run/credentials", "%S", "/var/lib").Replace(line)
		require.NotContains(t, line, "%", "a specifier that this test doesn't know")
		return strings.Fields(os.Expand(line, func(name string) string {
			require.Contains(t, env, name, "agent.env sets it")
			return env[name]
		}))
	}
	require.Equal(t, []string{"/sbin/ip", "route", "replace", "local", "10.64.0.0/10", "dev", "lo"}, expand(network["ExecStart"][0]))
	require.Equal(t, []string{"/sbin/ip", "route", "del", "local", "10.64.0.0/10", "dev", "lo"}, expand(network["ExecStop"][0]))
	line := expand(agent["ExecStart"][0])
	require.Equal(t, "/usr/local/bin/fleetmark", line[0])
	require.Equal(t, "tls://bench-1.example.com:4242", line[slices.Index(line, "--nats")+1])
	checkCommandLine(t, line[1:])
}

// TestSystemdUnits_verify lets systemd read the units.
func TestSystemdUnits_verify(t *testing.T) {
	analyze := testenv.Program(t, "systemd-analyze")
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	for _, name := range []string{"fleetmark-agent.service", "fleetmark-device-network.service"} {
		text, err := os.ReadFile(deployFile("systemd", name))
		require.NoError(t, err)
		// It checks that programs exist, and these may not be here.
		changed := strings.NewReplacer("/usr/local/bin/fleetmark", program, "/sbin/ip", program).Replace(string(text))
		require.NotEqual(t, string(text), changed)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), name, "it warns of this unit")
		bad := strings.Replace(changed, "[Service]", "[Service]\nNoSuchKey=yes", 1)
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		out, _ = exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
		require.Contains(t, string(out), "NoSuchKey", "it would warn")
	}
}

// manifests decodes the documents of a file strictly: an unknown or doubled key is an error.
func manifests(t *testing.T, name string) []any {
	t.Helper()
	text, err := os.ReadFile(deployFile("kubernetes", name))
	require.NoError(t, err)
	var all []any
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind struct{ APIVersion, Kind string }
		require.NoError(t, yaml.Unmarshal(document, &kind))
		var object any
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Service":
			object = &corev1.Service{}
		case "v1 PersistentVolumeClaim":
			object = &corev1.PersistentVolumeClaim{}
		case "apps/v1 StatefulSet":
			object = &appsv1.StatefulSet{}
		case "batch/v1 Job":
			object = &batchv1.Job{}
		case "networking.k8s.io/v1 NetworkPolicy":
			object = &networkingv1.NetworkPolicy{}
		default:
			require.Fail(t, "unknown kind", "%s: %+v", name, kind)
		}
		require.NoError(t, yaml.UnmarshalStrict(document, object), "%s: %s", name, kind.Kind)
		all = append(all, object)
	}
	return all
}

// one returns the only object of a type among the manifests.
func one[T any](t *testing.T, objects []any) *T {
	t.Helper()
	var found []*T
	for _, o := range objects {
		if object, ok := o.(*T); ok {
			found = append(found, object)
		}
	}
	require.Len(t, found, 1, "%T", *new(T))
	return found[0]
}

// checkPod checks a pod against the restricted profile of the Pod Security Standards, and that its
// volumes, limits and place are those of a machine that is measured on.
func checkPod(t *testing.T, pod corev1.PodTemplateSpec, keys string) {
	t.Helper()
	spec := pod.Spec
	require.Len(t, spec.Containers, 1)
	c := spec.Containers[0]
	require.False(t, *spec.AutomountServiceAccountToken)
	require.True(t, *spec.SecurityContext.RunAsNonRoot)
	require.NotZero(t, *spec.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type)
	require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
	require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
	require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
	require.Empty(t, c.SecurityContext.Capabilities.Add)
	require.False(t, spec.HostNetwork || spec.HostPID || spec.HostIPC)
	for _, s := range spec.SecurityContext.Sysctls {
		require.Equal(t, "net.ipv4.ip_local_port_range", s.Name, "a safe sysctl")
	}
	require.NotEmpty(t, c.Resources.Requests)
	require.Equal(t, c.Resources.Limits, c.Resources.Requests)
	require.Zero(t, c.Resources.Requests.Cpu().MilliValue()%1000, "whole processors")

	spread := spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	require.Len(t, spread, 1)
	require.Equal(t, "kubernetes.io/hostname", spread[0].TopologyKey)
	require.Equal(t, map[string]string{"app.kubernetes.io/name": "fleetmark"}, spread[0].LabelSelector.MatchLabels)
	require.Equal(t, "fleetmark", pod.Labels["app.kubernetes.io/name"], "it keeps away from its like")

	volumes := map[string]corev1.Volume{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range c.VolumeMounts {
		require.Contains(t, volumes, m.Name)
		if m.MountPath == "/keys" {
			require.True(t, m.ReadOnly)
			require.Equal(t, keys, volumes[m.Name].Secret.SecretName)
			require.Equal(t, int32(0o440), *volumes[m.Name].Secret.DefaultMode)
		}
	}
	require.Len(t, c.VolumeMounts, len(volumes), "all are mounted")
}

// TestKubernetesManifests decodes the manifests strictly into the types of the API, and checks that
// what refers to each other fits.
func TestKubernetesManifests(t *testing.T) {
	agents, controller := manifests(t, "agents.yaml"), manifests(t, "controller.yaml")
	set, job := one[appsv1.StatefulSet](t, agents), one[batchv1.Job](t, controller)
	headless, service := one[corev1.Service](t, agents), one[corev1.Service](t, controller)
	policy, claim := one[networkingv1.NetworkPolicy](t, controller), one[corev1.PersistentVolumeClaim](t, controller)
	checkPod(t, set.Spec.Template, "fleetmark-agent-keys")
	checkPod(t, job.Spec.Template, "fleetmark-controller-keys")

	agentLabels, controllerLabels := labels.Set(set.Spec.Template.Labels), labels.Set(job.Spec.Template.Labels)
	require.True(t, labels.SelectorFromSet(set.Spec.Selector.MatchLabels).Matches(agentLabels))
	for _, c := range []struct {
		selector map[string]string
		agent    bool
	}{
		{headless.Spec.Selector, true},
		{service.Spec.Selector, false},
		{policy.Spec.PodSelector.MatchLabels, false},
		{policy.Spec.Ingress[0].From[0].PodSelector.MatchLabels, true},
	} {
		s := labels.SelectorFromSet(c.selector)
		require.Equal(t, c.agent, s.Matches(agentLabels), "%v", c.selector)
		require.Equal(t, !c.agent, s.Matches(controllerLabels), "%v", c.selector)
	}
	require.Equal(t, corev1.ClusterIPNone, headless.Spec.ClusterIP)
	require.Equal(t, headless.Name, set.Spec.ServiceName)
	require.Equal(t, appsv1.ParallelPodManagement, set.Spec.PodManagementPolicy)
	require.Zero(t, *job.Spec.BackoffLimit, "a second attempt would be another run")
	require.Equal(t, corev1.RestartPolicyNever, job.Spec.Template.Spec.RestartPolicy)

	one, other := set.Spec.Template.Spec.Containers[0], job.Spec.Template.Spec.Containers[0]
	require.Equal(t, one.Image, other.Image, "agents of another revision are refused")
	require.Len(t, other.Ports, 1)
	require.Equal(t, other.Ports[0].Name, service.Spec.Ports[0].TargetPort.StrVal)
	require.Equal(t, other.Ports[0].Name, policy.Spec.Ingress[0].Ports[0].Port.StrVal)
	require.Equal(t, other.Ports[0].ContainerPort, service.Spec.Ports[0].Port)
	require.Contains(t, one.Args, fmt.Sprintf("--nats=tls://%s:%d", service.Name, service.Spec.Ports[0].Port))
	require.Contains(t, other.Args, fmt.Sprintf("--cluster-listen=0.0.0.0:%d", other.Ports[0].ContainerPort))
	require.Contains(t, other.Args, fmt.Sprintf("--agents=%d", *set.Spec.Replicas))
	for _, v := range job.Spec.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			require.Equal(t, claim.Name, v.PersistentVolumeClaim.ClaimName)
		}
	}
	require.Equal(t, "POD_NAME", one.Env[0].Name)
	args := slices.Clone(one.Args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$(POD_NAME)", "fleetmark-agent-0")
		require.NotContains(t, args[i], "$(")
	}
	checkCommandLine(t, args)
	checkCommandLine(t, other.Args)
}
