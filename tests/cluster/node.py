"""One node: containerd and a kubelet, without systemd, on cgroup v1 or v2."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.daemons import Daemon, wait
from tests.cluster.images import PAUSE, archives
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import DOMAIN, KUBELET_PORT, NODE, NODE_ADDRESS, SHIFT, Cache, CannotRun, Home

_PODS = f"10.{244 + SHIFT}.77"
_GATEWAY = f"{_PODS}.1"
"""Each pod's link has it, on the node's side."""
_CGROUPS = Path("/sys/fs/cgroup")


def daemons(home: Home) -> tuple[Daemon, ...]:
    """In the order in which they start."""
    return Daemon("containerd", home.logs), Daemon("kubelet", home.logs)


def start(cache: Cache, home: Home) -> None:
    """Raises `CannotRun`."""
    containerd, kubelet = daemons(home)
    programs = cache.debian / "usr" / "bin"
    environ = {"PATH": f"{programs}:{cache.debian / 'usr' / 'sbin'}:{os.environ['PATH']}"}
    for folder in (home.cdi, home.kubelet, home.containerd):
        folder.mkdir(parents=True, exist_ok=True)
    config = home.containerd / "config.toml"
    config.write_text(_containerd(cache, home))
    containerd.start([str(programs / "containerd"), "-c", str(config)], environ)
    ctr = _ctr(cache, home)
    wait("containerd answers", lambda: _call([*ctr, "version"]).returncode == 0, containerd)
    for archive in archives(cache.debian / "bin" / "busybox", home.root):
        import_image(cache, home, archive)
    config = home.root / "kubelet.yaml"
    config.write_text(yaml.safe_dump(_kubelet(home)))
    kubelet.start([str(cache.binaries / "kubelet"), *_kubelet_flags(home, config)], environ)
    kubectl = Kubectl(cache, home)
    ready = ("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s")
    wait(f"{NODE} is ready", lambda: kubectl.tried(*ready).returncode == 0, kubelet)


def restart_kubelet(cache: Cache, home: Home) -> None:
    """What runs goes on running. Raises `CannotRun`."""
    _, kubelet = daemons(home)
    kubelet.stop()
    start(cache, home)


def import_image(cache: Cache, home: Home, archive: Path) -> None:
    """Raises `CannotRun`."""
    _succeed([*_ctr(cache, home), "images", "import", "--local", "--snapshotter", "native", str(archive)])


def stop(cache: Cache, home: Home) -> None:
    """The kubelet, every container, containerd; then nothing of them is left in the kernel."""
    containerd, kubelet = daemons(home)
    kubelet.stop()
    if containerd.pid is not None:
        ctr = _ctr(cache, home)
        for task in _call([*ctr, "tasks", "list", "-q"]).stdout.split():
            _call([*ctr, "tasks", "delete", "-f", task])
        for container in _call([*ctr, "containers", "list", "-q"]).stdout.split():
            _call([*ctr, "containers", "delete", container])
    containerd.stop()
    _end_shims(home)
    _unmount_below(home.root)
    _call(["ip", "address", "delete", f"{NODE_ADDRESS}/32", "dev", "lo"])
    _remove_pod_links()
    for mount in (_CGROUPS, *_CGROUPS.glob("*/")):
        _remove_cgroup(mount / home.cgroup)


def _end_shims(home: Home) -> None:
    """Shims belong to nobody; ours are those that were told our socket."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"containerd-shim-runc-v2") and str(home.socket).encode() in command:
            os.kill(int(process.name), 9)


def _remove_pod_links() -> None:
    """Of pods that nobody took down: their routes would be in the way of the next cluster's."""
    for line in _call(["ip", "-o", "-4", "address", "show", "to", f"{_GATEWAY}/32"]).stdout.splitlines():
        _call(["ip", "link", "delete", line.split()[1].partition("@")[0]])


def _unmount_below(root: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{root}/")), reverse=True):
        _call(["umount", "-l", mount])


def _remove_cgroup(group: Path) -> None:
    """Empty ones only can be removed, the innermost first."""
    if group.is_dir():
        for inner in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
            inner.rmdir()
        group.rmdir()


def _ctr(cache: Cache, home: Home) -> list[str]:
    return [str(cache.debian / "usr" / "bin" / "ctr"), "-a", str(home.socket), "-n", "k8s.io"]


def _containerd(cache: Cache, home: Home) -> str:
    network = home.root / "network"
    network.mkdir(exist_ok=True)
    ranges = {"ranges": [[{"subnet": f"{_PODS}.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
    addresses = {"type": "host-local", "dataDir": str(network), **ranges}
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    conflist = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
    (network / "10-pods.conflist").write_text(json.dumps(conflist))
    runtime = "plugins.'io.containerd.cri.v1.runtime'"
    return f"""
version = 3
root = "{home.containerd / "root"}"
state = "{home.containerd / "state"}"
[grpc]
  address = "{home.socket}"
[ttrpc]
  address = "{home.socket}.ttrpc"
[{runtime}]
  # Root may lack CAP_SYS_RESOURCE, without which a score cannot be lowered.
  restrict_oom_score_adj = true
  cdi_spec_dirs = ["{home.cdi}"]
  [{runtime}.containerd]
    default_runtime_name = "runc"
    [{runtime}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{runtime}.containerd.runtimes.runc.options]
        BinaryName = "{cache.debian / "usr" / "sbin" / "runc"}"
        SystemdCgroup = false
  [{runtime}.cni]
    bin_dirs = ["{cache.debian / "usr" / "lib" / "cni"}"]
    conf_dir = "{network}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "native"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE}"
"""


def _kubelet(home: Home) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzPort": 0,
        # It listens on an address of the loopback device only.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": _cgroup_root(home),
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{home.socket}",
        "resolvConf": "",
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": DOMAIN,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "syncFrequency": "5s",
    }


def _cgroup_root(home: Home) -> str:
    """A group of our own, so that nothing of ours is left where another kubelet may look."""
    controllers = [each for each in _CGROUPS.glob("*/") if (each / "tasks").exists()] or [_CGROUPS]
    try:
        for controller in controllers:
            group = controller / home.cgroup
            group.mkdir(exist_ok=True)
            if controller.name == "cpuset":  # a new group may use nothing until told what
                for name in ("cpuset.cpus", "cpuset.mems"):
                    (group / name).write_text((controller / name).read_text())
    except OSError as error:
        raise CannotRun(
            f"no cgroup can be made: {error}; a cluster needs root and writable cgroups"
        ) from error
    return f"/{home.cgroup}"


def _kubelet_flags(home: Home, config: Path) -> tuple[str, ...]:
    return (
        f"--config={config}",
        f"--kubeconfig={home.root / 'node.kubeconfig'}",
        f"--root-dir={home.kubelet}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    )


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _succeed(command: list[str]) -> None:
    done = _call(command)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
