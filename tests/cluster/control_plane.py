"""etcd, API server, controller manager and scheduler. Pods reach the API server at the node's address."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.cluster import audit
from tests.cluster.daemons import Daemon, wait
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import (
    API_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    NODE,
    NODE_ADDRESS,
    Cache,
    CannotRun,
    Home,
)

GATES = "DRADeviceTaintRules=true,DRAListTypeAttributes=true,DRAResourcePoolStatus=true"
"""What of DRA is off by default in 1.36 and used here."""
_USERS = {
    "admin": ("admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "node": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
}
_ETCD, _PEER = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"


def daemons(home: Home) -> tuple[Daemon, ...]:
    """In the order in which they start."""
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return tuple(Daemon(name, home.logs) for name in names)


def start(cache: Cache, home: Home) -> None:
    """Raises `CannotRun`."""
    _write_keys(home)
    _succeeds(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"])  # it may be there already
    etcd, api, controllers, scheduler = daemons(home)
    etcd.start([str(cache.binaries / "etcd"), *_etcd(home)])
    api.start([str(cache.binaries / "kube-apiserver"), *_api(home)])
    _write_kubeconfigs(home)
    kubectl = Kubectl(cache, home)
    wait("the API server is ready", lambda: kubectl.tried("get", "--raw", "/readyz").returncode == 0, api)
    common = ("--bind-address=127.0.0.1", "--leader-elect=false", f"--feature-gates={GATES}")
    controllers.start([str(cache.binaries / controllers.name), *common, *_controllers(home)])
    scheduler.start([str(cache.binaries / scheduler.name), *common, *_as(home, "scheduler")])


def _etcd(home: Home) -> Iterator[str]:
    yield f"--data-dir={home.root / 'etcd'}"
    yield f"--listen-client-urls={_ETCD}"
    yield f"--advertise-client-urls={_ETCD}"
    yield f"--listen-peer-urls={_PEER}"
    yield f"--initial-advertise-peer-urls={_PEER}"
    yield f"--initial-cluster=default={_PEER}"
    yield "--unsafe-no-fsync"  # a test's cluster need not survive the machine


def _api(home: Home) -> Iterator[str]:
    yield f"--etcd-servers={_ETCD}"
    yield f"--bind-address={NODE_ADDRESS}"
    yield f"--advertise-address={NODE_ADDRESS}"
    yield f"--secure-port={API_PORT}"
    yield f"--cert-dir={home.certificates}"
    yield f"--token-auth-file={home.root / 'tokens.csv'}"
    yield "--authorization-mode=Node,RBAC"
    yield "--allow-privileged=true"  # node-prep's pod is
    yield "--enable-admission-plugins=NodeRestriction"
    yield "--service-account-issuer=https://kubernetes.default.svc"
    yield f"--service-account-key-file={home.certificates / 'accounts.pub'}"
    yield f"--service-account-signing-key-file={home.certificates / 'accounts.key'}"
    yield "--service-cluster-ip-range=10.96.0.0/24"
    yield from audit.flags(home)
    yield "--kubelet-preferred-address-types=InternalIP"
    versions = ("v1", "v1beta2", "v1beta1", "v1alpha3")
    yield "--runtime-config=" + ",".join(f"resource.k8s.io/{version}=true" for version in versions)
    yield f"--feature-gates={GATES}"


def _controllers(home: Home) -> Iterator[str]:
    yield f"--service-account-private-key-file={home.certificates / 'accounts.key'}"
    yield f"--root-ca-file={home.certificates / 'apiserver.crt'}"
    yield "--use-service-account-credentials"
    yield from _as(home, "controllers")


def _as(home: Home, user: str) -> Iterator[str]:
    path = home.root / f"{user}.kubeconfig"
    for purpose in ("", "authentication-", "authorization-"):
        yield f"--{purpose}kubeconfig={path}"


def _write_keys(home: Home) -> None:
    home.certificates.mkdir(parents=True, exist_ok=True)
    key, public = home.certificates / "accounts.key", home.certificates / "accounts.pub"
    if not public.exists():
        for command in (
            ["openssl", "genrsa", "-out", str(key), "2048"],
            ["openssl", "rsa", "-in", str(key), "-pubout", "-out", str(public)],
        ):
            if not _succeeds(command):
                raise CannotRun(f"`{' '.join(command)}` failed: openssl makes the keys of service accounts")
    lines = [f'{user}-token,{name},{user},"{group}"' for user, (name, group) in _USERS.items()]
    _write(home.root / "tokens.csv", "\n".join(lines) + "\n")


def _write_kubeconfigs(home: Home) -> None:
    server = {
        "server": f"https://{NODE_ADDRESS}:{API_PORT}",
        "certificate-authority": str(home.certificates / "apiserver.crt"),
    }
    for user in _USERS:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": user, "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        _write(home.root / f"{user}.kubeconfig", yaml.safe_dump(document))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
